//! Entries beyond their time to live, and near its end: served at once, loaded anew, and kept while PostgreSQL is away.
#![allow(clippy::unwrap_used)]

mod support;

use support::outage::{bring_back, take_away};
use support::server::Setup;
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

/// Far longer than any test takes, in seconds.
const LONG: &str = "1000000";
const LONG_MS: i64 = 1_000_000_000;

fn user(id: u32) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10);
    database
}

/// A server whose entries live long and have as long a grace.
fn graceful(kind: &Kind, database: &Database<'_>) -> Setup {
    Server::setup(kind).on(database).setting("default_ttl", LONG).setting("grace", LONG)
}

/// One without grace that loads rows anew in the last tenth of their life.
fn looking_ahead(kind: &Kind, database: &Database<'_>) -> Setup {
    graceful(kind, database).setting("grace", "0").setting("refresh_ahead_percent", "10")
}

/// Leaves the entry for `key` a thousandth of its life: only its grace, or only the last percents.
fn grow_old(client: &mut Client, table: &str, key: &str) {
    let key = client.key(table, key);
    assert_eq!(client.call(&["EXPIRE", &key, "1000"]), Reply::Integer(1), "{key}");
}

/// A row in the cache that is old, and has changed in PostgreSQL.
fn old_row(database: &Database<'_>, client: &mut Client, id: u32) -> String {
    let row = client.read("users", &user(id)).text();
    grow_old(client, "users", &user(id));
    database.execute(&format!("UPDATE users SET name = 'new' WHERE id = {id}"));
    row
}

fn await_new(client: &mut Client, id: u32) {
    eventually("the new row is served", || (client.read("users", &user(id)).json()["name"] == "new").then_some(()));
}

fn inspect(client: &mut Client, id: u32, field: &str) -> Reply {
    client.call(&["PGCACHE.INSPECT", "users", &user(id)]).field(field)
}

fn pttl(client: &mut Client, id: u32) -> i64 {
    let key = client.key("users", &user(id));
    let Reply::Integer(ms) = client.call(&["PTTL", &key]) else { panic!("no number") };
    ms
}

/// Whether `ms` is `wanted` less the time that a test takes.
fn assert_about(ms: i64, wanted: i64) {
    assert!((wanted - LONG_MS / 2..=wanted).contains(&ms), "{ms} ms, not {wanted}");
}

#[test]
fn a_stale_row_is_served_at_once_while_one_flight_loads_it_anew() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let old = old_row(&database, &mut client, 1);
        let lock = Lock::on(&database, "users");
        for _ in 0..5 {
            assert_eq!(client.read("users", &user(1)).text(), old);
        }
        assert_eq!((client.figure("stale_served"), client.figure("refreshed")), (5, 1));
        assert_eq!((client.figure("hits"), client.figure("misses")), (5, 1));
        assert_eq!(inspect(&mut client, 1, "stale"), Reply::Integer(1));
        assert_eq!(inspect(&mut client, 1, "ttl_ms"), Reply::Integer(0));
        assert_eq!(inspect(&mut client, 1, "in_flight"), Reply::Integer(1));
        assert_eq!(inspect(&mut client, 1, "waiters"), Reply::Integer(0));
        lock.release();
        await_new(&mut client, 1);
        assert_eq!(inspect(&mut client, 1, "stale"), Reply::Integer(0));
        assert_eq!((client.figure("refreshed"), client.figure("statements")), (1, 2));
        assert_about(pttl(&mut client, 1), 2 * LONG_MS);
    });
}

#[test]
fn a_row_is_kept_for_its_life_and_its_grace() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).setting("negative_ttl", LONG).start();
        let mut client = server.client();
        client.read("users", &user(1));
        client.call(&["PGCACHE.READ", "users", &user(2), "3000000"]);
        client.call(&["PGCACHE.WRITE", "users", &user(3), "{}"]);
        client.call(&["PGCACHE.WRITE", "users", &user(4), "null"]);
        client.read("users", &user(99));
        for (id, life, kept) in [(1, 1, 2), (2, 3, 4), (3, 1, 2), (4, 1, 1), (99, 1, 1)] {
            assert_about(pttl(&mut client, id), kept * LONG_MS);
            let Reply::Integer(ttl_ms) = inspect(&mut client, id, "ttl_ms") else { panic!("no life") };
            assert_about(ttl_ms, life * LONG_MS);
            assert_eq!(inspect(&mut client, id, "stale"), Reply::Integer(0), "{id}");
        }
        // Without an end there is no grace.
        client.call(&["CONFIG", "SET", "pgcache.default_ttl", "0"]);
        client.read("users", &user(5));
        assert_eq!(pttl(&mut client, 5), -1);
        assert_eq!(inspect(&mut client, 5, "ttl_ms"), Reply::Nil);
        assert_eq!(inspect(&mut client, 5, "stale"), Reply::Integer(0));
    });
}

#[test]
fn jitter_shortens_the_life_and_leaves_the_grace() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).setting("ttl_jitter_percent", "100").start();
        let mut client = server.client();
        for id in 1..=10 {
            client.read("users", &user(id));
            assert!((LONG_MS / 2..=2 * LONG_MS).contains(&pttl(&mut client, id)));
        }
        let shortened = (1..=10).filter(|id| pttl(&mut client, *id) < 2 * LONG_MS - LONG_MS / 10).count();
        assert!(shortened > 0, "a tenth of the range would have to be hit ten times");
    });
}

#[test]
fn a_stale_row_outlives_an_outage_until_its_grace_ends() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let old = old_row(&database, &mut client, 1);
        let other = old_row(&database, &mut client, 2);
        take_away(&postgres, &mut client);
        for _ in 0..10 {
            assert_eq!(client.read("users", &user(1)).text(), old);
        }
        assert_eq!(client.multiread("users", r#"[{"id":2},{"id":1}]"#).text(), format!("[{other},{old}]"));
        assert_eq!(client.multiread("users", r#"[{"id":1},{"id":3}]"#).code(), "PGDOWN");
        let key = client.key("users", &user(1));
        client.call(&["PEXPIRE", &key, "1"]);
        eventually("the grace ends", || (client.read("users", &user(1)).code() == "PGDOWN").then_some(()));
        assert_eq!(client.read("users", &user(2)).text(), other);
        bring_back(&postgres, &mut client);
        await_new(&mut client, 2);
    });
}

#[test]
fn a_stale_row_outlives_loads_that_fail() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let old = old_row(&database, &mut client, 1);
        // Only loads that stand at the lock are to take too long.
        client.set("statement_timeout_ms", "50");
        let lock = Lock::on(&database, "users");
        eventually("some loads have failed", || {
            assert_eq!(client.read("users", &user(1)).text(), old);
            (client.figure("statements") >= 3).then_some(())
        });
        assert_eq!(client.figure("errors"), 0);
        lock.release();
        client.set("statement_timeout_ms", FOREVER_MS);
        await_new(&mut client, 1);
    });
}

#[test]
fn a_row_that_was_invalidated_is_not_served_grace_or_not() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        old_row(&database, &mut client, 1);
        client.read("users", &user(2));
        for id in [1, 2] {
            assert_eq!(client.invalidate("users", &user(id)), Reply::Simple("OK".into()));
        }
        take_away(&postgres, &mut client);
        for id in [1, 2] {
            assert_eq!(client.read("users", &user(id)).code(), "PGDOWN");
        }
        postgres.start_again();
    });
}

#[test]
fn an_invalidation_keeps_out_what_a_refresh_brings() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).setting("test_hooks", "yes").start();
        let mut client = server.client();
        let key = client.key("users", &user(1));
        for _ in 0..5 {
            client.set("test_fill_delay_ms", "0");
            client.read("users", &user(1));
            grow_old(&mut client, "users", &user(1));
            // Long beside the moment in which the machine comes to the invalidation.
            client.set("test_fill_delay_ms", "1500");
            let (superseded, statements) = (client.figure("superseded"), client.figure("statements"));
            client.read("users", &user(1));
            client.invalidate("users", &user(1));
            eventually("the refresh is back", || (client.figure("statements") > statements).then_some(()));
            if client.figure("superseded") > superseded {
                assert!(!client.exists(&key));
            }
            client.call(&["DEL", &key]);
        }
        assert!(client.figure("superseded") > 0);
    });
}

#[test]
fn a_multiread_of_stale_rows_costs_one_refreshing_statement() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let old: Vec<String> = (1..=5).map(|id| old_row(&database, &mut client, id)).collect();
        let statements = client.figure("statements");
        let all = r#"[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]"#;
        assert_eq!(client.multiread("users", all).text(), format!("[{}]", old.join(",")));
        eventually("the new rows are served", || {
            let rows = client.multiread("users", all).json();
            rows.as_array().unwrap().iter().all(|row| row["name"] == "new").then_some(())
        });
        assert_eq!((client.figure("refreshed"), client.figure("statements")), (5, statements + 1));
    });
}

#[test]
fn a_multiread_with_a_miss_serves_what_is_stale_and_loads_both() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let old = old_row(&database, &mut client, 1);
        let rows = client.multiread("users", r#"[{"id":1},{"id":2}]"#).json();
        assert_eq!(rows[0], serde_json::from_str::<serde_json::Value>(&old).unwrap());
        assert_eq!(rows[1]["id"], 2);
        await_new(&mut client, 1);
    });
}

#[test]
fn in_multi_and_scripts_a_stale_row_is_served_and_loaded_anew() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let old = [1, 2].map(|id| old_row(&database, &mut client, id));
        client.call(&["MULTI"]);
        client.call(&["PGCACHE.READ", "users", &user(1)]);
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no list") };
        assert_eq!(replies[0].text(), old[0]);
        let script = "return redis.call('PGCACHE.READ', 'users', ARGV[1])";
        assert_eq!(client.call(&["EVAL", script, "0", &user(2)]).text(), old[1]);
        eventually("both were loaded anew", || (client.figure("statements") >= 3).then_some(()));
        for id in [1, 2] {
            await_new(&mut client, id);
        }
    });
}

#[test]
fn a_replica_serves_a_stale_row_and_loads_nothing() {
    on_every_server(|kind| {
        let database = users();
        let master = graceful(&kind, &database).start();
        let replica = graceful(&kind, &database).setting("refresh_ahead_percent", "99").start();
        let mut client = replica.client();
        let old = old_row(&database, &mut master.client(), 1);
        client.call(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
        let key = master.client().key("users", &user(1));
        eventually("the entry is here", || client.exists(&key).then_some(()));
        for _ in 0..3 {
            assert_eq!(client.read("users", &user(1)).text(), old);
        }
        assert_eq!(inspect(&mut client, 1, "stale"), Reply::Integer(1));
        assert_eq!((client.figure("stale_served"), client.figure("refreshed")), (3, 0));
        assert_eq!(client.figure("statements"), 0);
    });
}

#[test]
fn an_absent_row_has_no_grace() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).setting("negative_ttl", "1").start();
        let mut client = server.client();
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        database.execute("INSERT INTO users VALUES (99, 'x', 'new')");
        eventually("the row appears", || (client.read("users", &user(99)) != Reply::Nil).then_some(()));
        assert_eq!((client.figure("stale_served"), client.figure("refreshed")), (0, 0));
    });
}

#[test]
fn a_row_that_is_gone_does_not_stay() {
    for negative_ttl in [LONG, "0"] {
        on_every_server(|kind| {
            let database = users();
            let server = graceful(&kind, &database).setting("negative_ttl", negative_ttl).start();
            let mut client = server.client();
            client.read("users", &user(1));
            grow_old(&mut client, "users", &user(1));
            database.execute("DELETE FROM users WHERE id = 1");
            eventually("the row is gone", || (client.read("users", &user(1)) == Reply::Nil).then_some(()));
        });
    }
}

#[test]
fn a_row_that_has_become_too_large_is_not_served_as_it_was() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).setting("max_entry_bytes", "1000").start();
        let mut client = server.client();
        client.read("users", &user(1));
        grow_old(&mut client, "users", &user(1));
        database.execute("UPDATE users SET name = repeat('x', 2000) WHERE id = 1");
        eventually("the large row is served", || (client.read("users", &user(1)).text().len() > 2_000).then_some(()));
    });
}

#[test]
fn a_row_that_may_no_longer_be_read_is_not_served_once_postgresql_says_so() {
    on_every_server(|kind| {
        let database = users();
        let role = format!("reader_{}", database.name);
        database.execute(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON users TO {role}"));
        let server = graceful(&kind, &database).setting("pg_user", &role).start();
        let mut client = server.client();
        old_row(&database, &mut client, 1);
        database.execute(&format!("REVOKE SELECT ON users FROM {role}"));
        eventually("the refusal is told", || {
            let reply = client.read("users", &user(1));
            matches!(&reply, Reply::Error(text) if text.starts_with("PGERR 42501")).then_some(())
        });
    });
}

#[test]
fn a_stale_row_that_was_found_by_another_spelling_is_loaded_anew() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE notes (at timestamptz PRIMARY KEY, what text);
             INSERT INTO notes VALUES ('2024-01-01T00:00:00Z', 'old');",
        );
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        let spelling = r#"{"at":"1 Jan 2024 01:00:00+01"}"#;
        assert_eq!(client.read("notes", spelling).json()["what"], "old");
        grow_old(&mut client, "notes", spelling);
        database.execute("UPDATE notes SET what = 'new'");
        assert_eq!(client.read("notes", spelling).json()["what"], "old");
        for spelling in [spelling, r#"{"at":"2024-01-01T00:00:00+00:00"}"#] {
            eventually("the new row is served", || {
                (client.read("notes", spelling).json()["what"] == "new").then_some(())
            });
        }
    });
}

#[test]
fn a_hit_on_a_stale_row_is_told_as_such() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).start();
        let mut client = server.client();
        old_row(&database, &mut client, 1);
        let lock = Lock::on(&database, "users");
        let mut listener = server.client();
        listener.call(&["SUBSCRIBE", "pg_cache_events"]);
        client.read("users", &user(1));
        client.multiread("users", r#"[{"id":1}]"#);
        for _ in 0..2 {
            let Reply::Array(message) = listener.receive() else { panic!("no message") };
            let event = message[2].json();
            assert_eq!((&event["type"], &event["reason"]), (&"cache_hit".into(), &"stale".into()));
            assert_eq!(event["key"]["id"], 1);
        }
        lock.release();
    });
}

#[test]
fn no_refresh_is_started_while_readers_wait_in_line() {
    on_every_server(|kind| {
        let database = users();
        let server = graceful(&kind, &database).setting("pool_size", "1").setting("queue_limit", "4").start();
        let mut client = server.client();
        let old = old_row(&database, &mut client, 1);
        let mut lock = Lock::on(&database, "users");
        let mut waiting = vec![];
        for (id, queued) in [(2, 0), (3, 1), (4, 2), (5, 3)] {
            let mut reader = server.client();
            reader.send(&["PGCACHE.READ", "users", &user(id)]);
            // The first has to be with PostgreSQL, or the second joins its statement and nothing stands in line.
            lock.await_arrivals(1);
            eventually("the load waits", || (client.figure("queued_tasks") == queued).then_some(()));
            waiting.push((id, reader));
        }
        assert_eq!(client.read("users", &user(1)).text(), old);
        assert_eq!(client.figure("refreshed"), 0);
        lock.release();
        for (id, reader) in &mut waiting {
            assert_eq!(reader.receive().json()["id"], *id);
        }
        await_new(&mut client, 1);
    });
}

#[test]
fn refreshes_of_a_locked_table_leave_the_connections_to_readers() {
    on_every_server(|kind| {
        let database = users();
        database.execute("CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1), (2)");
        let server = graceful(&kind, &database).setting("pool_size", "2").start();
        let mut client = server.client();
        for id in 1..=10 {
            old_row(&database, &mut client, id);
        }
        client.key("orders", r#"{"id":1}"#);
        let lock = Lock::on(&database, "users");
        for id in 1..=10 {
            client.read("users", &user(id));
        }
        assert_eq!(client.figure("refreshed"), 10);
        for id in [1, 2] {
            assert_eq!(client.read("orders", &user(id)).json()["id"], id);
        }
        lock.release();
        for id in 1..=10 {
            await_new(&mut client, id);
        }
    });
}

#[test]
fn a_row_that_is_read_near_its_end_is_loaded_anew() {
    on_every_server(|kind| {
        let database = users();
        let server = looking_ahead(&kind, &database).start();
        let mut client = server.client();
        client.read("users", &user(2));
        client.read("users", &user(2));
        assert_eq!(client.figure("refreshed"), 0, "a young one is not");
        let old = old_row(&database, &mut client, 1);
        let lock = Lock::on(&database, "users");
        for _ in 0..3 {
            assert_eq!(client.read("users", &user(1)).text(), old);
        }
        assert_eq!((client.figure("refreshed"), client.figure("stale_served")), (1, 0));
        assert_eq!(inspect(&mut client, 1, "stale"), Reply::Integer(0));
        lock.release();
        await_new(&mut client, 1);
        assert_about(pttl(&mut client, 1), LONG_MS);
        client.read("users", &user(1));
        assert_eq!(client.figure("refreshed"), 1);
    });
}

#[test]
fn what_is_near_the_end_is_measured_by_the_ttl_that_was_asked_for() {
    on_every_server(|kind| {
        let database = users();
        let server = looking_ahead(&kind, &database).start();
        let mut client = server.client();
        old_row(&database, &mut client, 1);
        // A thousand seconds are left: all of this reader's, and more than the last tenth of the next one's.
        for ttl in ["1000", "9000"] {
            client.call(&["PGCACHE.READ", "users", &user(1), ttl]);
        }
        assert_eq!(client.figure("refreshed"), 0);
        client.call(&["PGCACHE.READ", "users", &user(1), "20000"]);
        assert_eq!(client.figure("refreshed"), 1);
        await_new(&mut client, 1);
    });
}

#[test]
fn an_outage_starts_no_refresh() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        let server = looking_ahead(&kind, &database).start();
        let mut client = server.client();
        let old = old_row(&database, &mut client, 1);
        take_away(&postgres, &mut client);
        assert_eq!(client.read("users", &user(1)).text(), old);
        assert_eq!(client.figure("refreshed"), 0);
        bring_back(&postgres, &mut client);
        await_new(&mut client, 1);
    });
}
