//! What may have been missed is not served: lost sessions, restarts, saved entries, promotions; and sources that fall silent.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::process::{freeze, kill};
use support::watched::{
    await_freshness, await_name, gaps, health, is_cached, listening, name_of, start_listening, watch, FEEDS, MODES,
    UNTOLD,
};
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

/// Long for a server that waits for nobody, on a slow machine too, and short beside for ever.
const SOON: Duration = Duration::from_secs(30);

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// The pid of the backend that tells a server of changes.
fn notice_backend(database: &Database<'_>) -> u32 {
    backend(database, "pgcache/notices")
}

/// The pid of the oldest backend whose client calls itself `name`.
fn backend(database: &Database<'_>, name: &str) -> u32 {
    eventually("someone listens", || {
        let sql = "SELECT pid FROM pg_stat_activity
                   WHERE application_name = $1 AND datname = current_database()
                   ORDER BY backend_start LIMIT 1";
        let row = database.connect().query_opt(sql, &[&name]).unwrap()?;
        Some(u32::try_from(row.get::<_, i32>(0)).unwrap())
    })
}

fn cache(client: &mut Client, key: &str) {
    support::watched::cache(client, "users", key);
}

#[test]
fn a_listener_that_was_lost_has_a_gap_and_an_outbox_has_none() {
    on_every_server(|kind| {
        for (mode, wanted) in [("notify", 1), ("outbox", 0)] {
            let database = Postgres::shared().database();
            database.with_users(5);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            let pid = notice_backend(&database);
            // Changed in the same moment as the connection ends: nobody may be told.
            database
                .execute(&format!("SELECT pg_terminate_backend({pid}); UPDATE users SET name = 'new' WHERE id = 1"));
            await_name(&mut client, "users", &user(1), "new");
            eventually("another session listens", || (notice_backend(&database) != pid).then_some(()));
            await_freshness(&mut client, "live");
            eventually("no old reason is left", || {
                (health(&mut client).field("freshness_reason") == Reply::Nil).then_some(())
            });
            eventually("gaps are counted", || (gaps(&mut client, "reconnected") == wanted).then_some(()));
        }
    });
}

#[test]
fn a_stopped_backend_makes_the_source_suspect_and_its_rows_are_read_through() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5);
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let server = start_listening(setup.setting("max_staleness_ms", "500").setting(UNTOLD.0, UNTOLD.1));
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            let (gaps_before, pid) = (client.figure("gaps"), notice_backend(&database));
            freeze(pid);
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            await_freshness(&mut client, "suspect");
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
            assert!(client.figure("bypassed") > 0 && !is_cached(&mut client, "users", &user(2)));
            assert_eq!(client.call(&["PGCACHE.HEALTH"]).field("status").text(), "degraded");
            kill(pid, libc::SIGCONT);
            await_freshness(&mut client, "live");
            assert_eq!(client.figure("gaps"), gaps_before, "nothing was missed, so nothing is flushed");
            cache(&mut client, &user(1));
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
        }
    });
}

#[test]
fn a_catalog_that_cannot_be_compared_makes_the_source_suspect_and_leaves_no_gap() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5);
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let server = start_listening(setup.setting("max_staleness_ms", "500").setting(UNTOLD.0, UNTOLD.1));
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            let (gaps_before, pid) = (client.figure("gaps"), backend(&database, "pgcache/definitions"));
            kill(pid, libc::SIGSTOP);
            await_freshness(&mut client, "suspect");
            kill(pid, libc::SIGCONT);
            await_freshness(&mut client, "live");
            assert_eq!(client.figure("gaps"), gaps_before);
            // Another connection takes over at once where this one is lost.
            kill(backend(&database, "pgcache/definitions"), libc::SIGTERM);
            eventually("another one compares", || (backend(&database, "pgcache/definitions") != pid).then_some(()));
            cache(&mut client, &user(1));
            database.execute("ALTER TABLE users ADD COLUMN extra int DEFAULT 7");
            eventually("the new column is found", || {
                (client.read("users", &user(1)).json()["extra"] == 7).then_some(())
            });
        }
    });
}

#[test]
fn on_gap_serve_goes_on_serving() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let setup = Server::setup(&kind).on(&database).setting("max_staleness_ms", "300");
        let server = start_listening(setup.setting("on_gap", "serve").setting(UNTOLD.0, UNTOLD.1));
        let mut client = server.client();
        watch(&mut client, "users");
        cache(&mut client, &user(1));
        let pid = notice_backend(&database);
        freeze(pid);
        await_freshness(&mut client, "suspect");
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        assert_eq!(name_of(&client.read("users", &user(1))), "User 1");
        kill(pid, libc::SIGCONT);
        await_name(&mut client, "users", &user(1), "new");
    });
}

#[test]
fn within_its_grace_a_suspect_row_is_served_when_the_load_that_went_past_it_fails() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5);
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let setup = setup.setting("max_staleness_ms", "500").setting("statement_timeout_ms", "200");
            let server = start_listening(setup.setting("grace", "3600").setting(UNTOLD.0, UNTOLD.1));
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            let pid = notice_backend(&database);
            kill(pid, libc::SIGSTOP);
            await_freshness(&mut client, "suspect");
            let lock = Lock::on(&database, "users");
            assert_eq!(name_of(&client.read("users", &user(1))), "User 1");
            assert_eq!(client.figure("stale_served"), 1);
            assert_eq!(client.read("users", &user(2)).code(), "PGTIMEOUT", "what is not there cannot be served");
            client.set("grace", "0");
            assert_eq!(client.read("users", &user(1)).code(), "PGTIMEOUT");
            client.set("grace", "3600");
            lock.release();
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            await_name(&mut client, "users", &user(1), "new");
            kill(pid, libc::SIGCONT);
        }
    });
}

#[test]
fn a_table_that_is_not_watched_is_never_suspect() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let setup = Server::setup(&kind).on(&database).setting("max_staleness_ms", "300");
        let server = start_listening(setup.setting(UNTOLD.0, UNTOLD.1));
        let mut client = server.client();
        cache(&mut client, &user(1));
        let pid = notice_backend(&database);
        freeze(pid);
        await_freshness(&mut client, "suspect");
        let hits = client.figure("hits");
        client.read("users", &user(1));
        assert_eq!(client.figure("hits"), hits + 1);
        assert_eq!(client.call(&["PGCACHE.HEALTH"]).field("status").text(), "healthy");
        kill(pid, libc::SIGCONT);
    });
}

#[test]
fn postgresql_restarted_is_a_gap() {
    on_every_server(|kind| {
        for mode in MODES {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.with_users(5);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "users");
            for end in [Postgres::stop, Postgres::kill] {
                cache(&mut client, &user(1));
                end(&postgres);
                postgres.start_again();
                database.execute("UPDATE users SET name = name || '!' WHERE id = 1");
                let now = database.text("SELECT name FROM users WHERE id = 1").unwrap();
                await_name(&mut client, "users", &user(1), &now);
                await_freshness(&mut client, "live");
            }
            eventually("both are counted", || (gaps(&mut client, "restarted") >= 2).then_some(()));
        }
    });
}

#[test]
fn saved_entries_of_a_watched_table_are_not_served_after_a_restart() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5).execute(
                "CREATE TABLE notes (id bigint PRIMARY KEY, name text);
                INSERT INTO notes VALUES (1, 'kept')",
            );
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            client.read("notes", &user(1));
            client.call(&["SAVE"]);
            let (server, _) = server.shutdown_and_restart("SAVE");
            database.execute("UPDATE users SET name = 'new'; UPDATE notes SET name = 'new'");
            let mut client = server.client();
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
            assert_eq!(name_of(&client.read("notes", &user(1))), "kept", "unwatched: its time to live decides");
            await_freshness(&mut client, "live");
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
        }
    });
}

/// Two servers that listen, the second a replica of the first, with a watched row in both.
fn master_and_replica(kind: &Kind, database: &Database<'_>, mode: &str) -> (Server, Server) {
    let master = listening(kind, database, mode);
    let mut client = master.client();
    watch(&mut client, "users");
    cache(&mut client, &user(1));
    let replica = listening(kind, database, mode);
    let mut second = replica.client();
    second.call(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    await_hit(&mut second);
    (master, replica)
}

/// Waits until row 1 is answered from the cache. What a replica copies is in doubt until its master has said how far it is.
fn await_hit(client: &mut Client) {
    eventually("row 1 is a hit", || {
        let hits = client.figure("hits");
        client.read("users", &user(1));
        (client.figure("hits") > hits).then_some(())
    });
}

#[test]
fn a_promoted_replica_starts_anew() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let (_master, replica) = master_and_replica(&kind, &database, "notify");
        let mut second = replica.client();
        second.call(&["REPLICAOF", "NO", "ONE"]);
        assert_eq!(gaps(&mut second, "promoted"), 1);
        let hits = second.figure("hits");
        assert_eq!(name_of(&second.read("users", &user(1))), "User 1");
        assert_eq!(second.figure("hits"), hits, "what its master knew is not known here");
    });
}

#[test]
fn a_replica_does_not_serve_what_it_was_told_is_out_of_date() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = Postgres::shared().database();
            database.with_users(5);
            let (master, replica) = master_and_replica(&kind, &database, mode);
            let mut second = replica.client();
            // The master cannot tell it any more: its own listener has to do.
            freeze(master.pid());
            database.execute("UPDATE users SET name = 'new' WHERE id = 1; DELETE FROM users WHERE id = 2");
            await_name(&mut second, "users", &user(1), "new");
            let hits = second.figure("hits");
            for _ in 0..20 {
                assert_eq!(name_of(&second.read("users", &user(1))), "new");
            }
            assert_eq!(second.figure("hits"), hits, "the master still holds what was before");
            kill(master.pid(), libc::SIGCONT);
            await_name(&mut master.client(), "users", &user(1), "new");
            await_hit(&mut second);
            assert_eq!(name_of(&second.read("users", &user(1))), "new");
        }
    });
}

#[test]
fn a_replica_of_a_replica_hears_what_the_master_says() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let (master, replica) = master_and_replica(&kind, &database, "outbox");
        let last = listening(&kind, &database, "outbox");
        last.follow(&replica);
        let mut third = last.client();
        await_hit(&mut third);
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(&mut third, "users", &user(1), "new");
        await_name(&mut master.client(), "users", &user(1), "new");
        await_hit(&mut third);
        assert_eq!(name_of(&third.read("users", &user(1))), "new");
    });
}

/// The link between them stands still for longer than `max_staleness_ms`, and the replica has missed notices meanwhile.
#[test]
fn what_a_replica_has_missed_is_not_served_until_its_master_has_spoken() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let (master, replica) = master_and_replica(&kind, &database, "notify");
        let mut second = replica.client();
        second.set("max_staleness_ms", "300");
        freeze(master.pid());
        freeze(replica.pid());
        let listeners = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                         WHERE datname = current_database() AND application_name = 'pgcache/notices'";
        assert!(database.number(listeners) > 0);
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        kill(replica.pid(), libc::SIGCONT);
        eventually("the replica has noticed the gap", || (gaps(&mut second, "reconnected") > 0).then_some(()));
        await_freshness(&mut second, "live");
        let reason = health(&mut second).field("freshness_reason").text();
        assert!(reason.contains("until this replica's master"), "{reason}");
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(900) {
            assert_eq!(name_of(&second.read("users", &user(1))), "new");
        }
        second.set("max_staleness_ms", FOREVER_MS);
        kill(master.pid(), libc::SIGCONT);
        await_name(&mut master.client(), "users", &user(1), "new");
        await_hit(&mut second);
        assert_eq!(name_of(&second.read("users", &user(1))), "new");
    });
}

#[test]
fn a_change_during_a_pause_is_not_served_and_removed_after_it() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            let key = client.key("users", &user(1));
            client.call(&["CLIENT", "PAUSE", "3600000", "WRITE"]);
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            await_name(&mut client, "users", &user(1), "new");
            assert!(client.exists(&key), "nothing is written during a pause");
            client.call(&["CLIENT", "UNPAUSE"]);
            eventually("it is removed", || {
                let stored = client.call(&["GET", &key]);
                (stored == Reply::Nil || name_of(&stored) == "new").then_some(())
            });
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
        }
    });
}

#[test]
fn a_notice_that_nobody_can_read_is_no_gap() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let server = listening(&kind, &database, "notify");
        let mut client = server.client();
        watch(&mut client, "users");
        cache(&mut client, &user(1));
        let key = client.key("users", &user(1));
        database.execute("SELECT pg_notify('cache_invalidation', 'something changed')");
        eventually("it is counted", || {
            (health(&mut client).field("foreign_notices") == Reply::Integer(1)).then_some(())
        });
        assert_eq!(gaps(&mut client, "unreadable"), 0);
        assert_eq!(client.key("users", &user(1)), key, "the same epoch");
        assert!(is_cached(&mut client, "users", &user(1)));
    });
}

#[test]
fn a_source_that_was_never_heard_is_read_through() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let server = listening(&kind, &database, "notify");
        watch(&mut server.client(), "users");
        drop(server);
        // Whoever may read, but whose heartbeat never comes back.
        database.execute(
            "GRANT SELECT ON users TO PUBLIC;
             REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC",
        );
        let role = format!("mute_{}", database.name);
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA pgcache TO {role};
             GRANT SELECT ON pgcache.secret TO {role}"
        ));
        let server = Server::setup(&kind).on(&database).setting("pg_user", &role).start();
        let mut client = server.client();
        assert_eq!(name_of(&client.read("users", &user(1))), "User 1");
        database.execute("ALTER TABLE users DISABLE TRIGGER pgcache_update; UPDATE users SET name = 'new'");
        database.execute("ALTER TABLE users ENABLE ALWAYS TRIGGER pgcache_update");
        eventually("it is known as watched", || {
            (health(&mut client).field("watched") == Reply::Integer(1)).then_some(())
        });
        assert_eq!(name_of(&client.read("users", &user(1))), "new");
        assert!(!is_cached(&mut client, "users", &user(1)));
        assert_eq!(health(&mut client).field("freshness").text(), "connecting");
        eventually("a reason is told", || (health(&mut client).field("freshness_reason") != Reply::Nil).then_some(()));
        assert_eq!(client.figure("hits"), 0);
    });
}

/// A connection that is open for ever and says nothing must not be the last one. An outbox keeps what was told meanwhile.
#[test]
fn a_connection_that_is_silent_for_too_long_is_replaced() {
    on_every_server(|kind| {
        for mode in MODES {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.with_users(5);
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let server = start_listening(setup.setting("max_staleness_ms", "300"));
            let mut client = server.client();
            watch(&mut client, "users");
            cache(&mut client, &user(1));
            let pid = notice_backend(&database);
            freeze(pid);
            await_freshness(&mut client, "suspect");
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgcache/notices' AND datname = current_database()";
            eventually("another session", || (database.number(sessions) == 2).then_some(()));
            await_freshness(&mut client, "live");
            let missed = i64::from(mode == "notify");
            assert_eq!(gaps(&mut client, "reconnected"), missed, "{mode}");
            cache(&mut client, &user(1));
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
            // The old session ends.
            kill(pid, libc::SIGCONT);
            let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
            eventually("the old session is gone", || (database.number(&left) == 0).then_some(()));
            await_freshness(&mut client, "live");
            assert_eq!(gaps(&mut client, "reconnected"), missed, "{mode}");
        }
    });
}

#[test]
fn a_silent_postgresql_holds_up_neither_unload_nor_shutdown() {
    on_every_server(|kind| {
        for mode in MODES {
            let postgres = Postgres::start();
            let database = postgres.database();
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let setup = setup.setting("max_staleness_ms", "500").setting(UNTOLD.0, UNTOLD.1);
            let server = start_listening(setup.config("enable-module-command", "yes"));
            let mut client = server.client();
            let pid = notice_backend(&database);
            freeze(pid);
            await_freshness(&mut client, "suspect");
            let began = Instant::now();
            assert_eq!(client.call(&["MODULE", "UNLOAD", "pgcache"]), Reply::Simple("OK".into()));
            // PostgreSQL stays silent for ever, and a slow machine does not.
            assert!(began.elapsed() < SOON, "{mode}: {:?}", began.elapsed());
            let (_again, took) = server.shutdown_and_restart("NOSAVE");
            assert!(took < SOON, "{mode}: {took:?}");
            kill(pid, libc::SIGCONT);
        }
    });
}
