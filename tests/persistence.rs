//! Entries in the AOF, in RDB files and on replicas; and when nothing may be written.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;

use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;
const KEY_ONE: &str = r#"pg_cache:users:{"id":1}"#;
const KEY_TWO: &str = r#"pg_cache:users:{"id":2}"#;

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(200);
    database
}

fn append_only(kind: &Kind, database: &Database<'_>) -> Server {
    Server::setup(kind).on(database).config("appendonly", "yes").config("appendfsync", "always").start()
}

fn keys(client: &mut Client) -> BTreeSet<String> {
    match client.call(&["KEYS", "*"]) {
        Reply::Array(keys) => keys.iter().map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

/// Waits until both servers hold the same keys with the same values.
fn same_data(one: &mut Client, other: &mut Client) {
    // A sweep may remove entries of an earlier epoch at any moment, so the keys are part of the same look.
    eventually("both hold the same data", || {
        let digests = one.call(&["DEBUG", "DIGEST"]) == other.call(&["DEBUG", "DIGEST"]);
        (digests && keys(one) == keys(other)).then_some(())
    });
}

/// Waits until `count` clients wait for PostgreSQL.
fn waiting(client: &mut Client, count: u64) {
    eventually("clients wait", || (client.figure("waiting_clients") == count).then_some(()));
}

/// Every command in the server's append-only files.
fn logged(server: &Server) -> Vec<Vec<String>> {
    let folder = server.folder().join("appendonlydir");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let increments = files.filter(|path| path.to_string_lossy().ends_with(".incr.aof"));
    increments.flat_map(|path| commands(&fs::read(path).unwrap())).collect()
}

fn commands(mut bytes: &[u8]) -> Vec<Vec<String>> {
    let mut commands = vec![];
    while !bytes.is_empty() {
        let words = number(&mut bytes, b'*');
        commands.push((0..words).map(|_| word(&mut bytes)).collect());
    }
    commands
}

fn number(bytes: &mut &[u8], mark: u8) -> usize {
    assert_eq!(bytes[0], mark);
    let end = bytes.iter().position(|byte| *byte == b'\r').unwrap();
    let number = std::str::from_utf8(&bytes[1..end]).unwrap().parse().unwrap();
    *bytes = &bytes[end + 2..];
    number
}

fn word(bytes: &mut &[u8]) -> String {
    let length = number(bytes, b'$');
    let word = String::from_utf8(bytes[..length].to_vec()).unwrap();
    *bytes = &bytes[length + 2..];
    word
}

/// The commands of the append-only files that name `key`, without their keys.
fn logged_about(server: &Server, key: &str) -> Vec<Vec<String>> {
    let about = logged(server).into_iter().filter(|words| words.get(1).is_some_and(|word| word == key));
    about.map(|words| words.into_iter().filter(|word| word != key).collect()).collect()
}

#[test]
fn a_fill_reaches_the_append_only_file_as_a_set_with_its_end() {
    on_every_server(|kind| {
        let server = append_only(&kind, &users());
        let mut client = server.client();
        let row = client.read("users", ONE).text();
        let ends = client.call(&["PEXPIRETIME", KEY_ONE]);
        let found = logged_about(&server, KEY_ONE);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0][..3], ["SET".to_owned(), row, "PXAT".into()]);
        assert_eq!(Reply::Integer(found[0][3].parse().unwrap()), ends);
    });
}

#[test]
fn a_fill_that_does_not_expire_is_a_plain_set() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind)
            .on(&database)
            .setting("default_ttl", "0")
            .config("appendonly", "yes")
            .config("appendfsync", "always")
            .start();
        let row = server.client().read("users", ONE).text();
        assert_eq!(logged_about(&server, KEY_ONE), [["SET".to_owned(), row]]);
    });
}

#[test]
fn a_write_and_an_invalidation_reach_the_append_only_file() {
    on_every_server(|kind| {
        let server = append_only(&kind, &users());
        let mut client = server.client();
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", ONE, r#"{"id":1}"#, "60"]).text(), "OK");
        assert_eq!(client.invalidate("users", ONE).text(), "OK");
        let found = logged_about(&server, KEY_ONE);
        let verbs: Vec<&str> = found.iter().map(|words| words[0].as_str()).collect();
        assert_eq!(verbs.len(), 2, "{found:?}");
        assert_eq!(found[0][..3], ["SET", r#"{"id":1}"#, "PXAT"]);
        assert!(matches!(verbs[1], "UNLINK" | "DEL"), "{found:?}");
    });
}

#[test]
fn hits_and_reads_through_write_nothing_of_the_modules_commands() {
    on_every_server(|kind| {
        let server = append_only(&kind, &users());
        let mut client = server.client();
        for _ in 0..3 {
            client.read("users", ONE);
            client.multiread("users", r#"[{"id":1},{"id":2}]"#);
        }
        let verbs: Vec<String> = logged(&server).into_iter().map(|words| words[0].clone()).collect();
        assert!(verbs.iter().all(|verb| ["SELECT", "SET", "MULTI", "EXEC"].contains(&verb.as_str())), "{verbs:?}");
        assert_eq!(verbs.iter().filter(|verb| *verb == "SET").count(), 2);
    });
}

#[test]
fn entries_survive_a_crash_through_the_append_only_file() {
    on_every_server(|kind| {
        let database = users();
        let server = append_only(&kind, &database);
        let mut client = server.client();
        let row = client.read("users", ONE);
        let absent = r#"{"id":999}"#;
        assert_eq!(client.read("users", absent), Reply::Nil);
        client.read("users", TWO);
        client.invalidate("users", TWO);
        let ends = client.call(&["PEXPIRETIME", KEY_ONE]);
        let server = server.crash_and_restart();
        let mut client = server.client();
        assert!(!client.exists(KEY_TWO));
        assert_eq!(client.call(&["PEXPIRETIME", KEY_ONE]), ends);
        assert_eq!(client.read("users", ONE), row);
        assert_eq!((client.figure("misses"), client.figure("hits")), (0, 1));
    });
}

#[test]
fn entries_survive_a_restart_through_the_rdb_file() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        let row = client.read("users", ONE);
        let ends = client.call(&["PEXPIRETIME", KEY_ONE]);
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        assert_eq!(client.call(&["PEXPIRETIME", KEY_ONE]), ends);
        assert_eq!(client.read("users", ONE), row);
        assert_eq!((client.figure("misses"), client.figure("hits")), (0, 1));
    });
}

#[test]
fn a_rewritten_append_only_file_keeps_the_entries() {
    on_every_server(|kind| {
        let server = append_only(&kind, &users());
        let mut client = server.client();
        let row = client.read("users", ONE);
        client.call(&["BGREWRITEAOF"]);
        let flags = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"];
        eventually("the rewrite ends", || {
            flags.iter().all(|flag| client.info("persistence", flag) == "0").then_some(())
        });
        let server = server.crash_and_restart();
        let mut client = server.client();
        assert_eq!(client.read("users", ONE), row);
        assert_eq!(client.figure("misses"), 0);
    });
}

/// A table whose key is a type with several spellings for one value.
fn spans() -> Database<'static> {
    let database = Postgres::shared().database();
    database.execute(
        "CREATE TABLE spans (span interval PRIMARY KEY, name text); INSERT INTO spans VALUES ('1 day', 'one')",
    );
    database
}

const DAY: &str = r#"{"span":"1 day"}"#;
const DAY_IN_HOURS: &str = r#"{"span":"24:00:00"}"#;
const NO_SPAN: &str = r#"{"span":"5 days"}"#;
const SPAN_EPOCH: &str = "pg_cache:@epoch:spans";

#[test]
fn a_new_generation_of_a_table_survives_a_crash() {
    on_every_server(|kind| {
        let database = spans();
        let server = append_only(&kind, &database);
        let mut client = server.client();
        assert_eq!(client.read("spans", DAY).json()["name"], "one");
        let old = client.key("spans", DAY);
        let row = client.call(&["GET", &old]).text();
        database.execute("UPDATE spans SET name = 'two'");
        assert_eq!(client.invalidate("spans", NO_SPAN).text(), "OK");
        assert!(client.exists(SPAN_EPOCH), "{:?}", keys(&mut client));
        let server = server.crash_and_restart();
        let mut client = server.client();
        // A sweep may have removed it already, and then nothing could be served by mistake.
        assert_eq!(client.call(&["SET", &old, &row]).text(), "OK");
        assert_eq!(client.read("spans", DAY).json()["name"], "two");
        assert_ne!(client.key("spans", DAY), old);
    });
}

#[test]
fn a_new_generation_of_a_table_reaches_replicas() {
    on_every_server(|kind| {
        let database = spans();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        on_master.read("spans", DAY);
        same_data(&mut on_master, &mut on_replica);
        on_replica.read("spans", DAY);
        assert_eq!(on_replica.figure("misses"), 0);
        database.execute("UPDATE spans SET name = 'two'");
        assert_eq!(on_master.invalidate("spans", NO_SPAN).text(), "OK");
        same_data(&mut on_master, &mut on_replica);
        assert!(on_replica.exists(SPAN_EPOCH));
        assert_eq!(on_replica.read("spans", DAY).json()["name"], "two");
        assert_eq!(on_replica.key("spans", DAY), on_master.key("spans", DAY));
    });
}

#[test]
fn a_replica_that_is_copied_anew_knows_the_generation() {
    on_every_server(|kind| {
        let database = spans();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        on_master.read("spans", DAY);
        same_data(&mut on_master, &mut on_replica);
        on_replica.read("spans", DAY);
        // On its own for a while, it misses the new epoch, and then takes over the master's data as a whole.
        on_replica.call(&["REPLICAOF", "NO", "ONE"]);
        database.execute("UPDATE spans SET name = 'two'");
        assert_eq!(on_master.invalidate("spans", NO_SPAN).text(), "OK");
        on_master.read("spans", DAY);
        replica.follow(&master);
        same_data(&mut on_master, &mut on_replica);
        let hits = on_replica.figure("hits");
        assert_eq!(on_replica.read("spans", DAY).json()["name"], "two");
        assert_eq!(on_replica.figure("hits"), hits + 1);
    });
}

#[test]
fn a_swap_or_a_flush_leaves_master_and_replica_with_one_generation() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        on_master.read("users", ONE);
        same_data(&mut on_master, &mut on_replica);
        on_replica.read("users", ONE);
        for command in [&["SWAPDB", "0", "1"][..], &["FLUSHALL"]] {
            on_master.call(command);
            eventually("the epoch is recorded", || on_master.exists("pg_cache:@epoch:users").then_some(()));
            on_master.read("users", ONE);
            same_data(&mut on_master, &mut on_replica);
            let hits = on_replica.figure("hits");
            on_replica.read("users", ONE);
            assert_eq!(on_replica.figure("hits"), hits + 1, "{command:?}");
        }
    });
}

#[test]
fn a_replica_answers_hits_from_its_own_copy() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        let row = on_master.read("users", ONE);
        same_data(&mut on_master, &mut on_replica);
        // Another row by now: who answers the old one answers from memory.
        database.execute("UPDATE users SET name = 'changed' WHERE id = 1");
        assert_eq!(on_replica.read("users", ONE), row);
        assert_eq!((on_replica.figure("hits"), on_replica.figure("misses")), (1, 0));
        on_master.invalidate("users", ONE);
        same_data(&mut on_master, &mut on_replica);
        assert_eq!(on_replica.read("users", ONE).json()["name"], "changed");
    });
}

#[test]
fn a_miss_on_a_replica_is_read_through_and_not_stored() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let mut client = replica.client();
        for misses in 1..=2 {
            assert_eq!(client.read("users", ONE).json()["id"], 1);
            assert_eq!(client.figure("misses"), misses);
        }
        assert_eq!(client.read("users", r#"{"id":999}"#), Reply::Nil);
        assert_eq!(client.multiread("users", r#"[{"id":1},{"id":2}]"#).json()[1]["id"], 2);
        assert_eq!(keys(&mut client), BTreeSet::new());
        assert_eq!(client.figure("fills"), 0);
        assert!(client.figure("fills_skipped") >= 3);
    });
}

#[test]
fn a_replica_refuses_to_write_and_to_invalidate() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let mut client = replica.client();
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", ONE, r#"{"id":1}"#]).code(), "READONLY");
        assert_eq!(client.invalidate("users", ONE).code(), "READONLY");
    });
}

#[test]
fn a_writable_replica_is_not_written_to_either() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let mut client = replica.client();
        client.call(&["CONFIG", "SET", "replica-read-only", "no"]);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", ONE, r#"{"id":1}"#]).code(), "READONLY");
        assert_eq!(client.invalidate("users", ONE).code(), "READONLY");
        assert_eq!(keys(&mut client), BTreeSet::new());
    });
}

#[test]
fn a_replica_without_the_module_follows() {
    on_every_server(|kind| {
        let master = Server::start(&kind, &users());
        let replica = Server::setup(&kind).without_module().start();
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        let row = on_master.read("users", ONE).text();
        on_master.call(&["PGCACHE.WRITE", "users", TWO, r#"{"id":2}"#, "60"]);
        on_master.read("users", r#"{"id":999}"#);
        same_data(&mut on_master, &mut on_replica);
        assert_eq!(on_replica.call(&["GET", KEY_ONE]).text(), row);
        assert_eq!(on_replica.call(&["PEXPIRETIME", KEY_TWO]), on_master.call(&["PEXPIRETIME", KEY_TWO]));
        on_master.invalidate("users", ONE);
        eventually("the replica drops the entry", || (!on_replica.exists(KEY_ONE)).then_some(()));
        assert_eq!(on_replica.info("replication", "master_link_status"), "up");
    });
}

#[test]
fn a_promoted_replica_fills() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let mut client = replica.client();
        client.read("users", ONE);
        assert!(!client.exists(KEY_ONE));
        assert_eq!(client.call(&["REPLICAOF", "NO", "ONE"]).text(), "OK");
        client.read("users", ONE);
        assert!(client.exists(KEY_ONE));
        assert_eq!(client.invalidate("users", ONE).text(), "OK");
        assert!(!client.exists(KEY_ONE));
    });
}

#[test]
fn traffic_on_a_replica_leaves_its_data_the_masters() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        for id in 1..=100 {
            let key = format!(r#"{{"id":{id}}}"#);
            on_replica.read("users", &key);
            if id % 2 == 0 {
                on_master.read("users", &key);
            }
            if id % 4 == 0 {
                on_master.invalidate("users", &key);
            }
            on_replica.read("users", &key);
            on_replica.multiread("users", &format!(r#"[{key},{{"id":{}}}]"#, id + 1000));
        }
        same_data(&mut on_master, &mut on_replica);
        assert_eq!(keys(&mut on_replica).len(), 25);
    });
}

#[test]
fn a_read_that_lands_during_a_pause_is_answered_and_not_stored() {
    on_every_server(|kind| {
        let database = users();
        let mut master = append_only(&kind, &database);
        let replica = Server::start(&kind, &database);
        replica.follow(&master);
        let mut client = master.client();
        client.read("users", ONE);
        let lock = Lock::on(&database, "users");
        let mut reader = master.client();
        reader.send(&["PGCACHE.READ", "users", TWO]);
        waiting(&mut client, 1);
        client.call(&["CLIENT", "PAUSE", "100000", "WRITE"]);
        lock.release();
        assert_eq!(reader.receive().json()["id"], 2);
        assert!(!client.exists(KEY_TWO));
        assert_eq!(client.read("users", r#"{"id":3}"#).json()["id"], 3);
        assert_eq!(client.figure("fills_skipped"), 2);
        client.call(&["CLIENT", "UNPAUSE"]);
        client.read("users", TWO);
        assert!(client.exists(KEY_TWO));
        same_data(&mut client, &mut replica.client());
        master.assert_alive();
    });
}

#[test]
fn an_invalidation_that_comes_due_during_a_pause_waits_for_its_end() {
    on_every_server(|kind| {
        let database = spans();
        let mut master = append_only(&kind, &database);
        let replica = Server::start(&kind, &database);
        replica.follow(&master);
        let mut client = master.client();
        client.read("spans", DAY);
        let key = client.key("spans", DAY);
        let lock = Lock::on(&database, "spans");
        let mut writer = master.client();
        // PostgreSQL must say which entry that is.
        writer.send(&["PGCACHE.INVALIDATE", "spans", DAY_IN_HOURS]);
        waiting(&mut client, 1);
        client.call(&["CLIENT", "PAUSE", "100000", "WRITE"]);
        lock.release();
        eventually("the load lands", || (client.figure("flights") == 0).then_some(()));
        assert!(client.exists(&key));
        assert_eq!(client.figure("waiting_clients"), 1);
        client.call(&["CLIENT", "UNPAUSE"]);
        assert_eq!(writer.receive().text(), "OK");
        assert!(!client.exists(&key));
        same_data(&mut client, &mut replica.client());
        master.assert_alive();
    });
}

#[test]
fn commands_on_a_table_that_becomes_known_during_a_pause_wait_for_its_end() {
    on_every_server(|kind| {
        let database = users();
        let mut master = append_only(&kind, &database);
        let replica = Server::start(&kind, &database);
        replica.follow(&master);
        let mut client = master.client();
        client.call(&["SET", KEY_ONE, r#"{"id":1}"#]);
        // A connection is there: opening one reads the catalog too.
        eventually("the source is up", || {
            (client.call(&["PGCACHE.HEALTH"]).field("status").text() == "healthy").then_some(())
        });
        let lock = Lock::on(&database, "pg_catalog.pg_attribute");
        let (mut invalidator, mut writer) = (master.client(), master.client());
        invalidator.send(&["PGCACHE.INVALIDATE", "users", ONE]);
        writer.send(&["PGCACHE.WRITE", "users", TWO, r#"{"id":2}"#]);
        waiting(&mut client, 2);
        client.call(&["CLIENT", "PAUSE", "100000", "WRITE"]);
        lock.release();
        eventually("the table is known", || (client.figure("tables") == 1).then_some(()));
        assert!(client.exists(KEY_ONE) && !client.exists(KEY_TWO));
        client.call(&["CLIENT", "UNPAUSE"]);
        assert_eq!((invalidator.receive().text(), writer.receive().text()), ("OK".into(), "OK".into()));
        assert!(!client.exists(KEY_ONE) && client.exists(KEY_TWO));
        same_data(&mut client, &mut replica.client());
        master.assert_alive();
    });
}

#[test]
fn a_load_that_lands_during_a_failover_changes_no_data() {
    on_every_server(|kind| {
        let database = users();
        let mut master = append_only(&kind, &database);
        let mut replica = Server::start(&kind, &database);
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        on_master.read("users", ONE);
        same_data(&mut on_master, &mut on_replica);
        let lock = Lock::on(&database, "users");
        let mut reader = master.client();
        reader.send(&["PGCACHE.READ", "users", TWO]);
        waiting(&mut on_master, 1);
        // A stopped replica that lacks a write keeps the failover in its pause.
        support::process::freeze(replica.pid());
        on_master.call(&["SET", "other", "value"]);
        assert_eq!(on_master.call(&["FAILOVER"]).text(), "OK");
        assert_eq!(on_master.info("replication", "master_failover_state"), "waiting-for-sync");
        lock.release();
        assert_eq!(reader.receive().json()["id"], 2);
        assert!(!on_master.exists(KEY_TWO));
        support::process::kill(replica.pid(), libc::SIGCONT);
        eventually("the replica takes over", || (on_replica.info("replication", "role") == "master").then_some(()));
        eventually("the master follows", || {
            (on_master.info("replication", "role") == "slave"
                && on_master.info("replication", "master_link_status") == "up")
                .then_some(())
        });
        assert_eq!(on_replica.read("users", TWO).json()["id"], 2);
        assert!(on_replica.exists(KEY_TWO));
        same_data(&mut on_replica, &mut on_master);
        master.assert_alive();
        replica.assert_alive();
    });
}

#[test]
fn a_load_that_lands_after_a_failover_writes_nothing_on_the_former_master() {
    on_every_server(|kind| {
        let database = users();
        let mut master = append_only(&kind, &database);
        let mut replica = Server::start(&kind, &database);
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        on_master.read("users", ONE);
        let lock = Lock::on(&database, "users");
        let mut reader = master.client();
        reader.send(&["PGCACHE.READ", "users", TWO]);
        waiting(&mut on_master, 1);
        assert_eq!(on_master.call(&["FAILOVER"]).text(), "OK");
        eventually("the master follows", || {
            (on_master.info("replication", "role") == "slave"
                && on_master.info("replication", "master_link_status") == "up")
                .then_some(())
        });
        lock.release();
        // The server itself ends the wait of clients when it becomes a replica.
        match reader.receive() {
            Reply::Bulk(row) => assert_eq!(row, on_replica.read("users", TWO).text().into_bytes()),
            other => assert_eq!(other.code(), "UNBLOCKED"),
        }
        eventually("the load lands", || (on_master.figure("flights") == 0).then_some(()));
        same_data(&mut on_replica, &mut on_master);
        master.assert_alive();
        replica.assert_alive();
    });
}

/// A table of 2,000 rows of 10 kB.
fn fat() -> Database<'static> {
    let database = Postgres::shared().database();
    database.execute(
        "CREATE TABLE fat (id bigint PRIMARY KEY, filling text);
         INSERT INTO fat SELECT n, repeat('x', 10000) FROM generate_series(1, 2000) n",
    );
    database
}

/// Leaves room for some 300 of the rows.
fn limit_memory(client: &mut Client, policy: &str) -> i64 {
    let limit = client.used_memory() + 3_000_000;
    client.call(&["CONFIG", "SET", "maxmemory-policy", policy]);
    client.call(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    limit
}

fn read_all_fat(client: &mut Client) {
    for id in 1..=2000 {
        let row = client.read("fat", &format!(r#"{{"id":{id}}}"#)).json();
        assert_eq!((row["id"].as_i64(), row["filling"].as_str().unwrap().len()), (Some(id), 10_000));
    }
}

#[test]
fn past_maxmemory_reads_are_answered_and_nothing_is_stored() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &fat());
        let mut client = server.client();
        let limit = limit_memory(&mut client, "noeviction");
        read_all_fat(&mut client);
        let (fills, skipped) = (client.figure("fills"), client.figure("fills_skipped"));
        assert_eq!(fills + skipped, 2000);
        assert!(skipped > 1000, "{skipped} of 2000 were skipped");
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(fills as i64));
        assert!(client.used_memory() < limit + 2_000_000);
        // Well past it, whatever buffers of clients come and go.
        client.call(&["CONFIG", "SET", "maxmemory", &(limit - 1_000_000).to_string()]);
        let full = client.call(&["PGCACHE.WRITE", "fat", ONE, r#"{"id":1}"#]);
        assert_eq!(full.code(), "OOM");
        assert_eq!(client.invalidate("fat", ONE).text(), "OK");
    });
}

#[test]
fn with_eviction_the_cache_goes_on_past_maxmemory() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &fat());
        let mut client = server.client();
        let limit = limit_memory(&mut client, "allkeys-lru");
        read_all_fat(&mut client);
        read_all_fat(&mut client);
        assert!(client.figure("fills") > 2000);
        assert!(client.figure("evicted") > 0);
        assert!(client.used_memory() < limit + 2_000_000);
        // Among rows that were used in the same second the server may evict any, also the last.
        let hits = client.figure("hits");
        eventually("a row that was read is found", || {
            client.read("fat", r#"{"id":2000}"#);
            (client.figure("hits") > hits).then_some(())
        });
    });
}

#[test]
fn after_a_restart_saved_entries_wait_for_the_catalog_and_a_table_that_has_gone_has_none() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(2);
        let server = Server::start(&kind, &database);
        let saved = server.client().read("users", ONE);
        // Nobody watches the table: its entries end with their time to live.
        database.execute("UPDATE users SET name = 'changed'");
        postgres.stop();
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        assert!(client.exists(KEY_ONE));
        eventually("the source is down", || (client.read("users", ONE).code() == "PGDOWN").then_some(()));
        postgres.start_again();
        let read = |client: &mut Client| {
            eventually("the catalog is read", || {
                let reply = client.read("users", ONE);
                (reply.code() != "PGDOWN").then_some(reply)
            })
        };
        assert_eq!((read(&mut client), client.figure("hits")), (saved, 1));
        // And what nobody here saw, because the server did not run.
        database.execute("DROP TABLE users");
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        assert!(client.exists(KEY_ONE));
        assert_eq!(read(&mut client).code(), "PGNOTABLE");
    });
}
