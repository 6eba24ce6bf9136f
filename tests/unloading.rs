//! Unloading the module, loading it again, and the server's end, whatever PostgreSQL does meanwhile.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use support::server::module;
use support::watched::await_freshness;
use support::{
    eventually, on_every_server, Client, Database, Kind, Lock, Mode, Postgres, Proxy, Reply, Server, FOREVER_MS,
};

/// Shorter than any wait for PostgreSQL is in these tests, and longer than a busy machine takes without one.
const SOON: Duration = Duration::from_secs(4);

fn user(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// A client that has asked for a row and not been answered.
fn asking(server: &Server, id: usize) -> Client {
    let mut client = server.client();
    client.send(&["PGCACHE.READ", "users", &user(id)]);
    client
}

/// Waits until so many clients wait, by our count and by the server's.
fn await_waiting(client: &mut Client, count: u64) {
    eventually("clients wait", || {
        let ours = client.figure("waiting_clients");
        let servers: u64 = client.info("clients", "blocked_clients").parse().unwrap();
        ((ours, servers) == (count, count)).then_some(())
    });
}

/// The names of the module's threads.
fn threads(server: &Server) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("pgcache-")).collect()
}

/// Waits until none is left: far sooner than PostgreSQL lets go of one that waits for it.
fn await_no_thread(server: &Server) {
    let began = Instant::now();
    eventually("the threads are gone", || threads(server).is_empty().then_some(()));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// A server that may load and unload modules, and reaches PostgreSQL at `port` with all the patience there is.
fn server_at(kind: &Kind, database: &Database<'_>, port: u16) -> Server {
    let setup = Server::setup(kind).on(database).setting("pg_port", &port.to_string());
    setup.config("enable-module-command", "yes").start()
}

fn load_module(client: &mut Client, database: &Database<'_>, port: u16) -> Reply {
    client.call(&[
        "MODULE",
        "LOAD",
        module().to_str().unwrap(),
        "pg_host",
        "127.0.0.1",
        "pg_port",
        &port.to_string(),
        "pg_user",
        "postgres",
        "pg_database",
        &database.name,
        "load_timeout_ms",
        FOREVER_MS,
        "statement_timeout_ms",
        FOREVER_MS,
        "connect_timeout_ms",
        FOREVER_MS,
    ])
}

#[test]
fn the_module_can_be_unloaded_and_loaded_again_when_no_client_waits() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let mut server = server_at(&kind, &database, database.postgres.port());
        let mut client = server.client();
        for round in 1..=5 {
            client.call(&["FLUSHALL"]);
            assert_eq!(client.read("users", &user(1)).json()["id"], 1, "round {round}");
            assert!(threads(&server).iter().any(|name| name.starts_with("pgcache-load-")));
            let lock = Lock::on(&database, "users");
            let mut reader = asking(&server, 2);
            await_waiting(&mut client, 1);
            let refusal = client.call(&["MODULE", "UNLOAD", "pgcache"]);
            assert!(matches!(refusal, Reply::Error(_)), "a client waits: {refusal:?}");
            lock.release();
            assert_eq!(reader.receive().json()["id"], 2, "round {round}");
            await_waiting(&mut client, 0);
            client.unload_module();
            await_no_thread(&server);
            assert!(matches!(client.read("users", &user(1)), Reply::Error(_)), "no such command");
            assert_eq!(
                load_module(&mut client, &database, database.postgres.port()),
                Reply::Simple("OK".into()),
                "{}",
                server.log()
            );
        }
        assert_eq!(client.read("users", &user(3)).json()["id"], 3);
        server.assert_alive();
    });
}

#[test]
fn the_module_can_be_unloaded_while_a_load_is_under_way_for_nobody() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let mut server = server_at(&kind, &database, database.postgres.port());
        let mut client = server.client();
        client.key("users", &user(1));
        let lock = Lock::on(&database, "users");
        let reader = asking(&server, 1);
        await_waiting(&mut client, 1);
        drop(reader);
        await_waiting(&mut client, 0);
        client.unload_module();
        server.assert_alive();
        // While PostgreSQL is still at it.
        await_no_thread(&server);
        lock.release();
        assert_eq!(
            load_module(&mut client, &database, database.postgres.port()),
            Reply::Simple("OK".into()),
            "{}",
            server.log()
        );
        assert_eq!(client.read("users", &user(1)).json()["id"], 1);
        server.assert_alive();
    });
}

#[test]
fn what_a_load_of_the_module_took_an_unload_gives_back() {
    const WARM_UP: usize = 3;
    const ROUNDS: usize = 8;
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = server_at(&kind, &database, database.postgres.port());
        let mut client = server.client();
        let mut after = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            assert_eq!(client.read("users", &user(1)).json()["id"], 1);
            client.unload_module();
            await_no_thread(&server);
            client.call(&["FLUSHALL"]);
            after.push(client.used_memory());
            assert_eq!(
                load_module(&mut client, &database, database.postgres.port()),
                Reply::Simple("OK".into()),
                "{}",
                server.log()
            );
        }
        let grown = after[ROUNDS - 1] - after[WARM_UP];
        assert!(grown < 4_000 * (ROUNDS - 1 - WARM_UP) as i64, "{after:?}");
    });
}

#[test]
fn no_timer_of_the_module_has_an_unload_refused() {
    const ENTRIES: usize = 2_000;
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(ENTRIES as u32);
        let server = server_at(&kind, &database, database.postgres.port());
        let mut client = server.client();
        client.call(&["DEBUG", "POPULATE", "300000"]);
        let keys: Vec<String> = (1..=ENTRIES).map(user).collect();
        client.call(&["PGCACHE.MULTIREAD", "users", &format!("[{}]", keys.join(","))]);
        // A walk through all keys, a slice of it every few milliseconds.
        client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
        eventually("the walk is under way", || (client.figure("swept") > 0).then_some(()));
        assert!(client.figure("swept") < ENTRIES as u64, "it is over already");
        client.unload_module();
        await_no_thread(&server);
        let loaded = load_module(&mut client, &database, database.postgres.port());
        assert_eq!(loaded, Reply::Simple("OK".into()), "{}", server.log());
        assert_eq!(client.read("users", &user(1)).json()["id"], 1);
    });
}

/// Has the module at work wherever it may wait for PostgreSQL: loads, an installation and attempts to connect, for clients that are
/// gone.
fn ask_in_vain(server: &Server, client: &mut Client) {
    let mut gone: Vec<Client> = (1..=2).map(|id| asking(server, id)).collect();
    let mut installing = server.client();
    installing.send(&["PGCACHE.WATCH", "ADD", "users"]);
    gone.push(installing);
    eventually("the module waits", || (client.figure("waiting_clients") == 3).then_some(()));
    drop(gone);
    await_waiting(client, 0);
}

/// PostgreSQL's ways not to answer.
#[derive(Debug, Clone, Copy)]
enum Silence {
    /// All its processes are stopped, with connections open.
    Stopped,
    /// It takes connections and never says a word.
    FromTheStart,
    /// Nobody listens.
    Refused,
}

const SILENCES: [Silence; 3] = [Silence::Stopped, Silence::FromTheStart, Silence::Refused];

impl Silence {
    /// A server that is in the middle of it.
    fn server(self, kind: &Kind, database: &Database<'_>, proxy: &Proxy) -> Server {
        proxy.set(match self {
            Self::Stopped => Mode::Pass,
            Self::FromTheStart => Mode::Silent,
            Self::Refused => Mode::Refuse,
        });
        let server = server_at(kind, database, proxy.port());
        let mut client = server.client();
        match self {
            Self::Stopped => {
                await_freshness(&mut client, "live");
                assert_eq!(client.read("users", &user(9)).json()["id"], 9);
                database.postgres.freeze();
                ask_in_vain(&server, &mut client);
            }
            Self::FromTheStart => {
                eventually("connections are taken", || (proxy.taken().len() >= 3).then_some(()));
                ask_in_vain(&server, &mut client);
            }
            Self::Refused => {
                eventually("the source is down", || (client.read("users", &user(1)).code() == "PGDOWN").then_some(()));
            }
        }
        server
    }
}

#[test]
fn an_unload_waits_for_no_postgresql_and_leaves_no_thread() {
    on_every_server(|kind| {
        for silence in SILENCES {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.with_users(10);
            let proxy = Proxy::to(postgres.port());
            let mut server = silence.server(&kind, &database, &proxy);
            let mut client = server.client();
            for round in 1..=2 {
                let began = Instant::now();
                client.unload_module();
                eprintln!("{silence:?}: unloaded after {} ms", began.elapsed().as_millis());
                assert!(began.elapsed() < SOON, "{silence:?}, round {round}: {:?}", began.elapsed());
                await_no_thread(&server);
                eprintln!("{silence:?}: no thread is left after {} ms", began.elapsed().as_millis());
                let loaded = load_module(&mut client, &database, proxy.port());
                assert_eq!(loaded, Reply::Simple("OK".into()), "{silence:?}: {}", server.log());
                server.assert_alive();
            }
            client.unload_module();
            postgres.thaw();
            proxy.set(Mode::Pass);
            assert_eq!(load_module(&mut client, &database, proxy.port()), Reply::Simple("OK".into()));
            let row = eventually("PostgreSQL is reached", || {
                let reply = client.read("users", &user(1));
                (reply.code() != "PGDOWN").then_some(reply)
            });
            assert_eq!(row.json()["id"], 1, "{silence:?}");
        }
    });
}

#[test]
fn the_servers_end_waits_for_no_postgresql() {
    on_every_server(|kind| {
        for silence in SILENCES {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.with_users(10);
            let proxy = Proxy::to(postgres.port());
            let server = silence.server(&kind, &database, &proxy);
            let (_again, took) = server.shutdown_and_restart("NOSAVE");
            eprintln!("{silence:?}: the server ended after {} ms", took.as_millis());
            assert!(took < SOON, "{silence:?}: {took:?}");
            postgres.thaw();
        }
    });
}
