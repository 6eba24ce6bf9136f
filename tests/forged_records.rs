//! Records of hooks and queries that somebody else wrote: who may write their keys chooses neither functions nor SQL.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::queries::define;
use support::server::module;
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply, Server};

const HOOKS: &str = "pg_cache:@hooks";
const QUERIES: &str = "pg_cache:@queries";
const EVIL_HOOKS: &str = r#"[{"name":"evil","event":"hit","table":null,"priority":0,"enabled":true,"action":"FUNCTION","target":"f","maxlen":null}]"#;
const EVIL_QUERIES: &str = r#"[{"name":"evil","sql":"SELECT 1","ttl":null,"tags":[]}]"#;
const SQL: &str = "SELECT id FROM users";

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(3);
    database
}

fn ok<W: AsRef<[u8]>>(client: &mut Client, command: &[W]) {
    assert_eq!(client.call(command), Reply::Simple("OK".into()));
}

fn add_hook(client: &mut Client, name: &str) {
    ok(client, &["PGCACHE.HOOK", "ADD", name, "hit", "PUBLISH", "c"]);
}

/// One hook and one query, both called `good`.
fn define_good(client: &mut Client) {
    add_hook(client, "good");
    define(client, &["good", SQL]);
}

fn names(client: &mut Client, command: &str) -> Vec<String> {
    let Reply::Array(all) = client.call(&[command, "LIST"]) else { panic!("no list") };
    all.iter().map(|one| one.field("name").text()).collect()
}

/// The names of all hooks, and those of all queries.
fn known(client: &mut Client) -> (Vec<String>, Vec<String>) {
    (names(client, "PGCACHE.HOOK"), names(client, "PGCACHE.DEFINE"))
}

fn both(name: &str) -> (Vec<String>, Vec<String>) {
    (vec![name.into()], vec![name.into()])
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (vec![], vec![])
}

fn await_known(client: &mut Client, wanted: &(Vec<String>, Vec<String>)) {
    eventually("hooks and queries are known", || (known(client) == *wanted).then_some(()));
}

fn reasons(client: &mut Client) -> String {
    let Reply::Array(reasons) = client.call(&["PGCACHE.HEALTH"]).field("reasons") else { panic!("no list") };
    reasons.iter().map(Reply::text).collect::<Vec<_>>().join("\n")
}

fn stored(client: &mut Client, key: &str) -> String {
    client.call(&["GET", key]).text()
}

/// Records that look right: a list without a seal, one with a seal of nobody's, and with that of what stands there.
fn forgeries(client: &mut Client, key: &str, evil: &str) -> Vec<String> {
    let ours = stored(client, key);
    let seal = ours.split('"').nth(3).unwrap().to_owned();
    vec![
        evil.into(),
        format!(r#"{{"mac":"{}","list":{evil}}}"#, "0".repeat(64)),
        format!(r#"{{"mac":"{seal}","list":{evil}}}"#),
        ours.replace("good", "evil"),
    ]
}

fn unloadable(kind: &Kind, database: &Database<'_>) -> Server {
    Server::setup(kind).on(database).config("enable-module-command", "yes").start()
}

fn load_module(client: &mut Client, database: &Database<'_>) {
    let (module, port) = (module(), database.postgres.port().to_string());
    let load = ["MODULE", "LOAD", module.to_str().unwrap(), "pg_host", "127.0.0.1", "pg_port", &port];
    ok(client, &[&load[..], &["pg_database", &database.name, "pg_sslmode", "disable"]].concat());
}

#[test]
fn what_is_written_while_the_module_is_unloaded_is_not_believed() {
    on_every_server(|kind| {
        let database = users();
        let server = unloadable(&kind, &database);
        let mut client = server.client();
        define_good(&mut client);
        let hooks = forgeries(&mut client, HOOKS, EVIL_HOOKS);
        let queries = forgeries(&mut client, QUERIES, EVIL_QUERIES);
        for (hooks, queries) in hooks.iter().zip(&queries) {
            client.unload_module();
            ok(&mut client, &["SET", HOOKS, hooks]);
            ok(&mut client, &["SET", QUERIES, queries]);
            load_module(&mut client, &database);
            eventually("the hooks are read", || reasons(&mut client).contains("the record of hooks").then_some(()));
            assert_eq!(known(&mut client), nothing(), "{hooks}");
            assert!(reasons(&mut client).contains("the record of queries"), "{}", reasons(&mut client));
            assert_eq!(client.figure("rejected_records"), 2);
        }
        // Who defines anew replaces what was forged.
        define_good(&mut client);
        assert_eq!(known(&mut client), both("good"));
        assert!(!reasons(&mut client).contains("record"), "{}", reasons(&mut client));
        let log = server.log();
        assert!(log.contains("the record pg_cache:@hooks has no seal") && log.contains("define anew"), "{log}");
        assert!(!log.contains("SELECT 1"), "what was forged is not shown");
    });
}

#[test]
fn a_record_under_anothers_name_is_not_believed() {
    on_every_server(|kind| {
        let database = users();
        let server = unloadable(&kind, &database);
        let mut client = server.client();
        define_good(&mut client);
        client.unload_module();
        let hooks = client.call(&["DUMP", HOOKS]);
        let Reply::Bulk(hooks) = hooks else { panic!("{hooks:?}") };
        let restore: [&[u8]; 5] = [b"RESTORE", QUERIES.as_bytes(), b"0", &hooks, b"REPLACE"];
        ok(&mut client, &restore);
        client.call(&["DEL", HOOKS]);
        ok(&mut client, &["SET", "x", EVIL_HOOKS]);
        ok(&mut client, &["RENAME", "x", HOOKS]);
        load_module(&mut client, &database);
        eventually("both are rejected", || (client.figure("rejected_records") == 2).then_some(()));
        assert_eq!(known(&mut client), nothing());
    });
}

#[test]
fn a_forged_file_brings_nothing_at_the_next_start() {
    on_every_server(|kind| {
        for append_only in ["no", "yes"] {
            let database = users();
            let setup = Server::setup(&kind).on(&database).config("enable-module-command", "yes");
            let server = setup.config("appendonly", append_only).start();
            let mut client = server.client();
            define_good(&mut client);
            client.unload_module();
            ok(&mut client, &["SET", HOOKS, EVIL_HOOKS]);
            ok(&mut client, &["SET", QUERIES, EVIL_QUERIES]);
            let (server, _) = server.shutdown_and_restart("SAVE");
            let mut client = server.client();
            eventually("both are rejected", || (client.figure("rejected_records") == 2).then_some(()));
            assert_eq!(known(&mut client), nothing(), "appendonly {append_only}");
        }
    });
}

/// The file that another server without the module has saved, with both records.
fn forged_dump(kind: &Kind) -> Vec<u8> {
    let server = Server::setup(kind).without_module().start();
    let mut client = server.client();
    ok(&mut client, &["SET", HOOKS, EVIL_HOOKS]);
    ok(&mut client, &["SET", QUERIES, EVIL_QUERIES]);
    ok(&mut client, &["SAVE"]);
    fs::read(server.folder().join("dump.rdb")).unwrap()
}

#[test]
fn a_file_of_another_server_brings_nothing_to_one_that_starts_nor_to_its_replicas() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::start(&kind, &database);
        define_good(&mut server.client());
        fs::write(server.folder().join("dump.rdb"), forged_dump(&kind)).unwrap();
        let server = server.crash_and_restart();
        let mut client = server.client();
        eventually("both are rejected", || (client.figure("rejected_records") == 2).then_some(()));
        assert_eq!(known(&mut client), nothing());
        let replica = Server::start(&kind, &database);
        replica.follow(&server);
        assert_eq!(known(&mut replica.client()), nothing());
        // What is defined now arrives, alone.
        define_good(&mut client);
        await_known(&mut replica.client(), &both("good"));
        assert_eq!(known(&mut client), both("good"));
    });
}

#[test]
fn a_file_that_is_loaded_while_the_server_runs_changes_nothing() {
    on_every_server(|kind| {
        let database = users();
        let (server, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        let mut client = server.client();
        define_good(&mut client);
        replica.follow(&server);
        await_known(&mut replica.client(), &both("good"));
        fs::write(server.folder().join("dump.rdb"), forged_dump(&kind)).unwrap();
        ok(&mut client, &["DEBUG", "RELOAD", "NOSAVE"]);
        for key in [HOOKS, QUERIES] {
            eventually("the record is ours again", || {
                (client.exists(key) && !stored(&mut client, key).contains("evil")).then_some(())
            });
        }
        assert_eq!(known(&mut client), both("good"));
        assert_eq!(known(&mut replica.client()), both("good"));
    });
}

#[test]
fn records_appended_to_the_append_only_file_bring_nothing() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).on(&users()).config("appendonly", "yes").start();
        define_good(&mut server.client());
        let files = fs::read_dir(server.folder().join("appendonlydir")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let file = files.find(|file| file.to_str().unwrap().ends_with(".incr.aof")).unwrap();
        let commands = [&["SELECT", "0"][..], &["SET", HOOKS, EVIL_HOOKS], &["SET", QUERIES, EVIL_QUERIES]];
        let commands = commands.map(support::client::encoded).concat();
        fs::OpenOptions::new().append(true).open(file).unwrap().write_all(&commands).unwrap();
        let server = server.crash_and_restart();
        let mut client = server.client();
        eventually("both are rejected", || (client.figure("rejected_records") == 2).then_some(()));
        assert_eq!(known(&mut client), nothing());
    });
}

#[test]
fn the_append_only_file_holds_nothing_but_sealed_records() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).on(&users()).config("appendonly", "yes").start();
        let replica = Server::start(&kind, &users());
        replica.follow(&server);
        define_good(&mut server.client());
        await_known(&mut replica.client(), &both("good"));
        let (server, _) = server.shutdown_and_restart("NOSAVE");
        let files = fs::read_dir(server.folder().join("appendonlydir")).unwrap();
        for file in files.map(|file| fs::read(file.unwrap().path()).unwrap()) {
            assert!(!String::from_utf8_lossy(&file).to_uppercase().contains("PGCACHE."));
        }
        await_known(&mut server.client(), &both("good"));
    });
}

/// Puts `evil` under `key` by every way there is, and calls `look` after each.
fn by_every_way(client: &mut Client, key: &str, evil: &str, mut look: impl FnMut(&mut Client, &str)) {
    ok(client, &["SET", "evil", evil]);
    let Reply::Bulk(dump) = client.call(&["DUMP", "evil"]) else { panic!("no dump") };
    let ways: [&[&[u8]]; 6] = [
        &[b"SET", key.as_bytes(), evil.as_bytes()],
        &[b"RESTORE", key.as_bytes(), b"0", &dump, b"REPLACE"],
        &[b"COPY", b"evil", key.as_bytes(), b"REPLACE"],
        &[b"RENAME", b"evil", key.as_bytes()],
        &[b"EVAL", b"redis.call('SET', KEYS[1], ARGV[1])", b"1", key.as_bytes(), evil.as_bytes()],
        &[b"MSET", key.as_bytes(), evil.as_bytes(), b"y", b"1"],
    ];
    for way in ways {
        client.call(way);
        look(client, &String::from_utf8_lossy(way[0]));
        eventually("the record is ours again", || (!stored(client, key).contains("evil")).then_some(()));
    }
    ok(client, &["SELECT", "1"]);
    ok(client, &["SET", key, evil]);
    ok(client, &["SELECT", "0"]);
    ok(client, &["SWAPDB", "0", "1"]);
    look(client, "SWAPDB");
    eventually("the record is ours again", || (!stored(client, key).contains("evil")).then_some(()));
}

#[test]
fn what_is_written_on_a_master_reaches_no_replica() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        define_good(&mut on_master);
        replica.follow(&master);
        await_known(&mut on_replica, &both("good"));
        for (key, evil) in [(HOOKS, EVIL_HOOKS), (QUERIES, EVIL_QUERIES)] {
            by_every_way(&mut on_master, key, evil, |on_master, way| {
                assert_eq!(on_master.call(&["WAIT", "1", "0"]), Reply::Integer(1));
                assert_eq!(known(&mut on_replica), both("good"), "{way}");
                assert_eq!(known(on_master), both("good"), "{way}");
            });
        }
        assert!(on_master.figure("rejected_records") >= 10);
        // What is defined later arrives, and so does what is removed.
        define(&mut on_master, &["later", SQL]);
        ok(&mut on_master, &["PGCACHE.HOOK", "DEL", "good"]);
        await_known(&mut on_replica, &(vec![], vec!["good".into(), "later".into()]));
    });
}

#[test]
fn a_master_that_has_announced_nothing_is_not_believed() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::setup(&kind).without_module().start(), Server::start(&kind, &database));
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        ok(&mut on_master, &["SET", HOOKS, EVIL_HOOKS]);
        replica.follow(&master);
        ok(&mut on_master, &["SET", QUERIES, EVIL_QUERIES]);
        assert_eq!(on_master.call(&["WAIT", "1", "0"]), Reply::Integer(1));
        eventually("the record is there", || on_replica.exists(QUERIES).then_some(()));
        assert_eq!(known(&mut on_replica), nothing());
        // Nor once it is promoted.
        ok(&mut on_replica, &["REPLICAOF", "NO", "ONE"]);
        eventually("the records are removed", || (!on_replica.exists(QUERIES)).then_some(()));
        assert_eq!(known(&mut on_replica), nothing());
    });
}

#[test]
fn nobody_but_a_master_announces() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        for server in [&master, &replica] {
            let mut client = server.client();
            for said in ["none", &"0".repeat(64), "x"] {
                assert_eq!(client.call(&["PGCACHE.ANNOUNCE", "hooks", said]).code(), "NOPERM");
            }
            let script = "return redis.pcall('PGCACHE.ANNOUNCE', 'hooks', 'none')";
            let in_script = client.call(&["EVAL", script, "0"]);
            assert_eq!(in_script.code(), "NOPERM", "{in_script:?}");
            client.call(&["MULTI"]);
            client.call(&["PGCACHE.ANNOUNCE", "hooks", "none"]);
            let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no replies") };
            assert_eq!(replies[0].code(), "NOPERM");
        }
    });
}

#[test]
fn honest_records_survive_reloads_flushes_and_restarts() {
    on_every_server(|kind| {
        for append_only in ["no", "yes"] {
            let database = users();
            let server = Server::setup(&kind).on(&database).config("appendonly", append_only).start();
            let mut client = server.client();
            define_good(&mut client);
            for command in [&["DEBUG", "RELOAD"][..], &["FLUSHALL"], &["SWAPDB", "0", "1"]] {
                ok(&mut client, command);
                assert_eq!(known(&mut client), both("good"), "{command:?}");
                eventually("both records are there", || (client.exists(HOOKS) && client.exists(QUERIES)).then_some(()));
            }
            let (server, _) = server.shutdown_and_restart("SAVE");
            await_known(&mut server.client(), &both("good"));
            let (server, _) = server.shutdown_and_restart("SAVE");
            await_known(&mut server.client(), &both("good"));
            assert_eq!(server.client().figure("rejected_records"), 0);
        }
    });
}

#[test]
fn what_is_forged_right_before_the_module_is_unloaded_does_not_stay() {
    on_every_server(|kind| {
        let database = users();
        let server = unloadable(&kind, &database);
        let mut client = server.client();
        define_good(&mut client);
        let ours = (stored(&mut client, HOOKS), stored(&mut client, QUERIES));
        // In one write, so that no tick of the server's comes between.
        let commands = [&["SET", HOOKS, EVIL_HOOKS][..], &["DEL", QUERIES], &["MODULE", "UNLOAD", "pgcache"]];
        client.send_raw(&commands.map(support::client::encoded).concat());
        (0..2).for_each(|_| drop(client.receive()));
        assert_eq!(client.receive(), Reply::Simple("OK".into()));
        assert_eq!((stored(&mut client, HOOKS), stored(&mut client, QUERIES)), ours);
        load_module(&mut client, &database);
        await_known(&mut client, &both("good"));
    });
}

#[test]
fn a_promoted_replica_keeps_what_it_knows_under_its_own_seal() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        define_good(&mut master.client());
        replica.follow(&master);
        let mut on_replica = replica.client();
        await_known(&mut on_replica, &both("good"));
        let of_master = stored(&mut on_replica, HOOKS);
        ok(&mut on_replica, &["REPLICAOF", "NO", "ONE"]);
        eventually("it seals its own", || (stored(&mut on_replica, HOOKS) != of_master).then_some(()));
        let (replica, _) = replica.shutdown_and_restart("SAVE");
        await_known(&mut replica.client(), &both("good"));
        // And its former master follows it.
        define(&mut master.client(), &["own", SQL]);
        master.follow(&replica);
        await_known(&mut master.client(), &both("good"));
    });
}

#[test]
fn a_replica_that_was_away_learns_what_has_changed() {
    on_every_server(|kind| {
        let database = users();
        let master = Server::setup(&kind).on(&database).config("repl-backlog-size", "1mb").start();
        let replica = Server::start(&kind, &database);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        define_good(&mut on_master);
        replica.follow(&master);
        await_known(&mut on_replica, &both("good"));
        // A partial synchronisation.
        on_master.call(&["CLIENT", "KILL", "TYPE", "replica"]);
        define(&mut on_master, &["later", SQL]);
        ok(&mut on_master, &["PGCACHE.HOOK", "DEL", "good"]);
        let wanted = (vec![], vec!["good".to_owned(), "later".into()]);
        await_known(&mut on_replica, &wanted);
        assert_eq!(on_master.info("stats", "sync_partial_ok"), "1");
        // A restarted one has nobody's key and asks anew.
        let (replica, _) = replica.shutdown_and_restart("SAVE");
        replica.follow(&master);
        await_known(&mut replica.client(), &wanted);
    });
}

#[test]
fn a_replica_of_a_replica_learns_them() {
    on_every_server(|kind| {
        let database = users();
        let servers: Vec<Server> = (0..3).map(|_| Server::start(&kind, &database)).collect();
        define_good(&mut servers[0].client());
        servers[1].follow(&servers[0]);
        servers[2].follow(&servers[1]);
        await_known(&mut servers[2].client(), &both("good"));
        define(&mut servers[0].client(), &["later", SQL]);
        eventually("what is defined later arrives", || {
            (names(&mut servers[2].client(), "PGCACHE.DEFINE").len() == 2).then_some(())
        });
    });
}

fn with_key(kind: &Kind, database: &Database<'_>, key: &Path) -> Server {
    Server::setup(kind).on(database).setting("definitions_key_file", key.to_str().unwrap()).start()
}

#[test]
fn servers_with_one_key_believe_each_others_records_at_their_start() {
    on_every_server(|kind| {
        let database = users();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        fs::write(&key, [7; 40]).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let (master, replica) = (with_key(&kind, &database, &key), with_key(&kind, &database, &key));
        define_good(&mut master.client());
        replica.follow(&master);
        await_known(&mut replica.client(), &both("good"));
        drop(master);
        let (replica, _) = replica.shutdown_and_restart("SAVE");
        await_known(&mut replica.client(), &both("good"));
        assert!(!replica.folder().join("pgcache.key").exists());
    });
}

#[test]
fn the_key_is_made_with_the_first_definition_and_for_nobody_else_to_read() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let (mut client, key) = (server.client(), server.folder().join("pgcache.key"));
        assert_eq!(known(&mut client), nothing());
        assert!(!key.exists());
        define(&mut client, &["good", SQL]);
        let found = fs::metadata(&key).unwrap();
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (32, 0o600));
        // With another key nothing of before is believed.
        fs::write(&key, [1; 32]).unwrap();
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        eventually("it is rejected", || (client.figure("rejected_records") == 1).then_some(()));
        assert_eq!(known(&mut client), nothing());
    });
}

#[test]
fn without_a_key_definitions_work_and_end_with_the_process() {
    on_every_server(|kind| {
        let database = users();
        let server = with_key(&kind, &database, Path::new("/nonexistent/key"));
        let replica = Server::start(&kind, &database);
        replica.follow(&server);
        let mut client = server.client();
        assert!(server.log().contains("/nonexistent/key"), "{}", server.log());
        define_good(&mut client);
        await_known(&mut replica.client(), &both("good"));
        assert!(reasons(&mut client).contains("/nonexistent/key"), "{}", reasons(&mut client));
        assert!(server.log().contains("do not outlive this process"), "{}", server.log());
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        eventually("both are rejected", || (client.figure("rejected_records") == 2).then_some(()));
        assert_eq!(known(&mut client), nothing());
    });
}

#[test]
fn a_generation_of_the_future_is_not_believed() {
    on_every_server(|kind| {
        let database = users();
        let server = unloadable(&kind, &database);
        let mut client = server.client();
        client.unload_module();
        for key in ["pg_cache:@epoch:users", "pg_cache:@epoch:*"] {
            ok(&mut client, &["SET", key, &u64::MAX.to_string()]);
        }
        load_module(&mut client, &database);
        let one = r#"{"id":1}"#;
        assert_eq!(client.read("users", one).json()["id"], 1);
        assert!(!client.key("users", one).contains(&u64::MAX.to_string()), "{}", client.key("users", one));
        // Each flush starts a later epoch than the one before, which would have no successor.
        for _ in 0..2 {
            let before = client.key("users", one);
            let flushed = client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
            assert!(!matches!(flushed, Reply::Error(_)), "{flushed:?}");
            assert_ne!(client.key("users", one), before);
        }
        assert!(!server.log().contains("panic"), "{}", server.log());
    });
}
