//! How long a WATCH command may take: whoever waits is told in time why nothing was done.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::watched::MODES;
use support::{eventually, on_every_server, Database, Lock, Postgres, Reply, Server};

/// Shorter than what a step of an installation may take, and longer than a busy machine takes for what has a limit.
const SOON: Duration = Duration::from_secs(30);

/// The commands, all of which ask PostgreSQL.
const COMMANDS: [&[&str]; 4] = [&["ADD", "users"], &["DEL", "users"], &["SQL", "users"], &["LIST"]];

/// What each of them is answered, none of which may take long.
fn answers(server: &Server) -> Vec<Reply> {
    let ask = |words: &&[&str]| {
        let (mut client, began) = (server.client(), Instant::now());
        let reply = client.call(&[&["PGCACHE.WATCH"], *words].concat());
        eprintln!("WATCH {words:?}: {} ms, {reply:?}", began.elapsed().as_millis());
        assert!(began.elapsed() < SOON, "{words:?}: {:?}", began.elapsed());
        reply
    };
    COMMANDS.iter().map(ask).collect()
}

/// The server process of the transaction that holds a lock on `table`.
fn holder(database: &Database<'_>, table: &str) -> i64 {
    let sql =
        "SELECT pid::int8 FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = '@'::regclass";
    database.number(&sql.replace('@', table))
}

#[test]
fn who_watches_a_table_in_use_is_told_by_whom() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(1);
            let server = Server::setup(&kind).on(&database).setting("invalidation", mode).start();
            let mut client = server.client();
            assert_eq!(client.call(&["PGCACHE.WATCH", "ADD", "users"]), Reply::Simple("OK".into()));
            let lock = Lock::on(&database, "users");
            let process = format!("process {} uses the table", holder(&database, "users"));
            let [added, deleted, sql, list] = answers(&server).try_into().unwrap();
            for reply in [added, deleted] {
                assert!(matches!(&reply, Reply::Error(text) if text.starts_with("PGERR 55P03 users: ")), "{reply:?}");
                assert!(matches!(&reply, Reply::Error(text) if text.contains(&process)), "{reply:?}");
            }
            assert!(matches!(sql, Reply::Bulk(_)), "{sql:?}");
            assert!(matches!(&list, Reply::Array(tables) if tables.len() == 1), "{list:?}");
            lock.release();
            assert_eq!(client.call(&["PGCACHE.WATCH", "ADD", "users"]), Reply::Simple("OK".into()));
            assert_eq!(client.call(&["PGCACHE.WATCH", "DEL", "users"]), Reply::Simple("OK".into()));
        }
    });
}

#[test]
fn who_only_reads_a_table_holds_up_its_removal_and_is_named() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1);
        let server = Server::start(&kind, &database);
        let mut reader = database.connect();
        let mut process = || -> i32 {
            reader.batch_execute("ROLLBACK; BEGIN; SELECT FROM users").unwrap();
            reader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0)
        };
        let process = format!("process {} uses the table", process());
        let mut client = server.client();
        assert_eq!(client.call(&["PGCACHE.WATCH", "ADD", "users"]), Reply::Simple("OK".into()));
        let reply = client.call(&["PGCACHE.WATCH", "DEL", "users"]);
        assert!(matches!(&reply, Reply::Error(text) if text.contains(&process)), "{reply:?}");
        reader.batch_execute("COMMIT").unwrap();
        assert_eq!(client.call(&["PGCACHE.WATCH", "DEL", "users"]), Reply::Simple("OK".into()));
    });
}

#[test]
fn a_locked_catalog_holds_up_no_watch_command() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(1);
        let server = Server::setup(&kind).on(&database).setting("load_timeout_ms", "2000").start();
        eventually("the source is up", || (server.client().read("users", r#"{"id":1}"#).code() == "").then_some(()));
        let _lock = Lock::on(&database, "pg_catalog.pg_trigger");
        for reply in answers(&server) {
            assert!(["PGERR", "PGTIMEOUT"].contains(&reply.code()), "{reply:?}");
        }
    });
}

#[test]
fn a_silent_postgresql_holds_up_no_watch_command() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(1);
        let setup = Server::setup(&kind).on(&database).setting("connect_timeout_ms", "1000");
        let server = setup.setting("load_timeout_ms", "2000").start();
        eventually("the source is up", || (server.client().read("users", r#"{"id":1}"#).code() == "").then_some(()));
        // While an installation is under way.
        let mut lock = Lock::on(&database, "users");
        let mut client = server.client();
        client.send(&["PGCACHE.WATCH", "ADD", "users"]);
        lock.await_arrivals(1);
        postgres.freeze();
        let began = Instant::now();
        let reply = client.receive();
        assert!(["PGDOWN", "PGTIMEOUT", "PGERR"].contains(&reply.code()), "{reply:?}");
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        eprintln!("under way: {} ms, {reply:?}", began.elapsed().as_millis());
        for reply in answers(&server) {
            assert!(["PGDOWN", "PGTIMEOUT"].contains(&reply.code()), "{reply:?}");
        }
        postgres.thaw();
    });
}
