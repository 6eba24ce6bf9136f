//! The feed by write-ahead log, as a reader of a watched table and a DBA see it. `changes` has every way in which rows change.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::process::{freeze, kill};
use support::replication::{await_replayed, end_walsenders, slots, walsenders, while_stopped};
use support::server::Setup;
use support::watched::{await_freshness, await_name, cache, gaps, health, is_cached, start_listening, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Proxy, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;
const SLOT: (&str, &str) = ("wal_slot", "mine");

fn setup(kind: &Kind, database: &Database<'_>, further: &[(&str, &str)]) -> Setup {
    let setup = Server::setup(kind).on(database).setting("invalidation", "wal");
    further.iter().fold(setup, |setup, (name, value)| setup.setting(name, value))
}

/// A server that watches `users`, and a client of it.
fn watching(kind: &Kind, database: &Database<'_>, further: &[(&str, &str)]) -> (Server, Client) {
    let server = start_listening(setup(kind, database, further));
    let mut client = server.client();
    watch(&mut client, "users");
    (server, client)
}

/// Row 1 gets this name, which is told.
fn assert_hears(client: &mut Client, database: &Database<'_>, name: &str) {
    await_freshness(client, "live");
    cache(client, "users", ONE);
    database.execute(&format!("UPDATE users SET name = '{name}' WHERE id = 1"));
    await_name(client, "users", ONE, name);
}

/// Waits until HEALTH says something of the feed that contains `words`.
fn await_reason(client: &mut Client, words: &str) {
    eventually(words, || match health(client).field("freshness_reason") {
        Reply::Bulk(reason) => String::from_utf8(reason).unwrap().contains(words).then_some(()),
        _ => None,
    });
}

#[test]
fn a_change_ends_the_entry_of_its_row_and_no_trigger_is_needed() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let (_server, mut client) = watching(&kind, &database, &[]);
        cache(&mut client, "users", TWO);
        assert_hears(&mut client, &database, "new");
        assert!(is_cached(&mut client, "users", TWO), "the other row is as it was");
        assert_eq!(database.number("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"), 0);
    });
}

#[test]
fn a_row_is_followed_by_a_key_whose_old_value_the_log_does_not_carry() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let (_server, mut client) = watching(&kind, &database, &[]);
        let [old, new] = [r#"{"email":"user1@example.com"}"#, r#"{"email":"new@example.com"}"#];
        cache(&mut client, "users", old);
        cache(&mut client, "users", new);
        database.execute("UPDATE users SET email = 'new@example.com' WHERE id = 1");
        eventually("nobody has the old address", || (client.read("users", old) == Reply::Nil).then_some(()));
        await_name(&mut client, "users", new, "User 1");
        cache(&mut client, "users", new);
        database.execute("DELETE FROM users WHERE id = 1");
        eventually("nobody has the new address", || (client.read("users", new) == Reply::Nil).then_some(()));
    });
}

/// What is stored out of line and has not changed does not stand in the log.
#[test]
fn a_long_key_that_is_kept_apart_from_its_row_is_followed() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name text);
             ALTER TABLE users ALTER COLUMN email SET STORAGE EXTERNAL;
             INSERT INTO users SELECT n, repeat(n::text, 2600), 'old' FROM generate_series(1, 3) n",
        );
        let (_server, mut client) = watching(&kind, &database, &[]);
        let long = format!(r#"{{"email":"{}"}}"#, "1".repeat(2600));
        for (change, name) in [("name = 'new'", "new"), ("id = 9, name = 'moved'", "moved")] {
            cache(&mut client, "users", &long);
            database.execute(&format!("UPDATE users SET {change} WHERE id = 1"));
            await_name(&mut client, "users", &long, name);
        }
        cache(&mut client, "users", &long);
        database.execute("DELETE FROM users WHERE id = 9");
        eventually("nobody has it", || (client.read("users", &long) == Reply::Nil).then_some(()));
    });
}

#[test]
fn a_partition_that_comes_later_is_followed_and_one_that_goes_is_gone() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id int, region int, name text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
             CREATE TABLE users_1 PARTITION OF users FOR VALUES IN (1);
             CREATE TABLE users_2 (id int NOT NULL, region int NOT NULL, name text, PRIMARY KEY (id, region));
             INSERT INTO users VALUES (1, 1, 'one'); INSERT INTO users_2 VALUES (2, 2, 'two')",
        );
        let (_server, mut client) = watching(&kind, &database, &[]);
        let [one, two] = [r#"{"id":1,"region":1}"#, r#"{"id":2,"region":2}"#];
        assert_eq!(client.read("users", two), Reply::Nil);
        database.execute("ALTER TABLE users ATTACH PARTITION users_2 FOR VALUES IN (2)");
        await_name(&mut client, "users", two, "two");
        for (table, key, name) in [("users", two, "by the root"), ("users_2", two, "by itself"), ("users", one, "new")]
        {
            cache(&mut client, "users", key);
            let id = &key[6..7];
            database.execute(&format!("UPDATE {table} SET name = '{name}' WHERE id = {id}"));
            await_name(&mut client, "users", key, name);
        }
        cache(&mut client, "users", one);
        database.execute("ALTER TABLE users DETACH PARTITION users_1");
        eventually("it is gone", || (client.read("users", one) == Reply::Nil).then_some(()));
    });
}

/// How many rows the large transaction has; a million with `PGCACHE_ROWS=1000000`.
fn many() -> u64 {
    std::env::var("PGCACHE_ROWS").map_or(100_000, |rows| rows.parse().unwrap())
}

/// The highest use of memory of the server so far, in MB.
fn peak_memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn a_large_transaction_takes_no_memory_and_drops_the_table_once() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let (server, mut client) = watching(&kind, &database, &[]);
        cache(&mut client, "users", ONE);
        let before = peak_memory(&server);
        database.execute(&format!(
            "BEGIN; INSERT INTO users SELECT n, n || '@', 'many' FROM generate_series(10, {}) n; UPDATE users SET name = 'all'; COMMIT",
            many()
        ));
        await_name(&mut client, "users", ONE, "all");
        assert_hears(&mut client, &database, "afterwards");
        let grown = peak_memory(&server) - before;
        assert!(grown < 48, "the server has grown by {grown} MB");
    });
}

#[test]
fn a_temporary_slot_that_is_lost_is_a_gap_and_a_named_one_loses_nothing() {
    on_every_server(|kind| {
        for (further, gap) in [(&[][..], 1), (&[SLOT], 0)] {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.with_users(5);
            let (_server, mut client) = watching(&kind, &database, further);
            cache(&mut client, "users", ONE);
            cache(&mut client, "users", TWO);
            let before = gaps(&mut client, "reconnected");
            let [walsender] = walsenders(&postgres)[..] else { panic!("one walsender") };
            // Changed in the same moment as the connection ends: nobody may be told.
            end_walsenders(&postgres);
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            await_name(&mut client, "users", ONE, "new");
            let another = || walsenders(&postgres).iter().any(|pid| *pid != walsender).then_some(());
            eventually("the log is streamed again", another);
            await_freshness(&mut client, "live");
            eventually("gaps are counted", || (gaps(&mut client, "reconnected") == before + gap).then_some(()));
            assert_eq!(is_cached(&mut client, "users", TWO), gap == 0);
            assert_hears(&mut client, &database, "newer");
        }
    });
}

#[test]
fn a_walsender_that_stands_still_makes_the_source_suspect_until_it_goes_on() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(5);
        let (_server, mut client) = watching(&kind, &database, &[("max_staleness_ms", "500")]);
        cache(&mut client, "users", ONE);
        let counted = gaps(&mut client, "reconnected");
        while_stopped(&walsenders(&postgres), || {
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            await_freshness(&mut client, "suspect");
            await_name(&mut client, "users", ONE, "new");
            assert!(!is_cached(&mut client, "users", ONE), "it is read through");
        });
        await_freshness(&mut client, "live");
        assert_hears(&mut client, &database, "newer");
        assert_eq!(gaps(&mut client, "reconnected"), counted, "nothing was missed");
    });
}

#[test]
fn a_slot_that_postgresql_has_given_up_is_made_anew() {
    on_every_server(|kind| {
        let postgres = Postgres::start_with("max_slot_wal_keep_size=16MB\nmin_wal_size=32MB\nmax_wal_size=32MB");
        let database = postgres.database();
        database.with_users(5);
        let (server, mut client) = watching(&kind, &database, &[SLOT]);
        cache(&mut client, "users", ONE);
        // Whoever reads the slot stands still, so that it keeps the log.
        freeze(server.pid());
        database.execute("CREATE TABLE unrelated (pad text)");
        eventually("the slot is lost", || {
            database.execute("INSERT INTO unrelated SELECT repeat('x', 1000) FROM generate_series(1, 20000)");
            database.execute("UPDATE users SET name = 'new' WHERE id = 1").execute("CHECKPOINT");
            let status = database.text("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'mine'");
            (status.as_deref() == Some("lost")).then_some(())
        });
        kill(server.pid(), libc::SIGCONT);
        eventually("the slot is made anew", || (gaps(&mut client, "trimmed") == 1).then_some(()));
        await_name(&mut client, "users", ONE, "new");
        assert_hears(&mut client, &database, "newer");
    });
}

#[test]
fn a_promoted_standby_is_a_gap_and_tells_of_its_own_changes() {
    on_every_server(|kind| {
        for further in [&[][..], &[SLOT]] {
            let primary = Postgres::start();
            let database = primary.database();
            database.with_users(5);
            let proxy = Proxy::to(primary.port());
            let port = proxy.port().to_string();
            let further = [&[("pg_port", port.as_str()), ("max_staleness_ms", "1000")], further].concat();
            let (_server, mut client) = watching(&kind, &database, &further);
            cache(&mut client, "users", ONE);
            let standby = primary.standby();
            await_replayed(&primary, &standby);
            primary.kill();
            standby.promote();
            proxy.lead_to(standby.port());
            await_freshness(&mut client, "live");
            eventually("the failover is counted", || (gaps(&mut client, "failed_over") > 0).then_some(()));
            cache(&mut client, "users", ONE);
            let mut writer = standby.connect(&database.name).unwrap();
            writer.batch_execute("UPDATE users SET name = 'promoted' WHERE id = 1").unwrap();
            await_name(&mut client, "users", ONE, "promoted");
        }
    });
}

#[test]
fn a_publication_without_the_table_is_repaired_by_watch_add() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(5);
        let (_server, mut client) = watching(&kind, &database, &[]);
        for sql in ["ALTER PUBLICATION pgcache DROP TABLE users", "DROP PUBLICATION pgcache"] {
            cache(&mut client, "users", ONE);
            // What changes before ADD nobody tells.
            database.execute(sql).execute("UPDATE users SET name = 'missed' WHERE id = 1");
            watch(&mut client, "users");
            await_name(&mut client, "users", ONE, "missed");
            assert_hears(&mut client, &database, "told");
        }
    });
}

#[test]
fn two_servers_have_a_slot_each_and_cannot_share_a_named_one() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(5);
        let (_first, mut first) = watching(&kind, &database, &[]);
        let (_second, mut second) = watching(&kind, &database, &[SLOT]);
        assert_eq!(slots(&postgres).len(), 2);
        cache(&mut first, "users", ONE);
        assert_hears(&mut second, &database, "new");
        await_name(&mut first, "users", ONE, "new");
        let third = setup(&kind, &database, &[SLOT]).start();
        await_reason(&mut third.client(), "replication slot mine is in use");
        assert_hears(&mut second, &database, "newer");
    });
}

#[test]
fn health_says_what_the_feed_lacks() {
    on_every_server(|kind| {
        let poor = Postgres::start_with("wal_level=replica");
        let server = setup(&kind, &poor.database(), &[]).start();
        await_reason(&mut server.client(), "ALTER SYSTEM SET wal_level = 'logical', and restart PostgreSQL");
        let postgres = Postgres::start();
        let database = postgres.database();
        database.execute("CREATE PUBLICATION pgcache; CREATE ROLE reader LOGIN");
        let server = setup(&kind, &database, &[("pg_user", "reader")]).start();
        await_reason(&mut server.client(), "ALTER ROLE … REPLICATION, or set pg_replication_user");
        database.execute("ALTER ROLE reader REPLICATION");
        await_freshness(&mut server.client(), "live");
        // A mistake of the installation holds up no read.
        database.execute(
            "CREATE TABLE free (id int PRIMARY KEY); GRANT SELECT ON free TO reader; INSERT INTO free VALUES (1)",
        );
        assert_eq!(server.client().read("free", ONE).json()["id"], 1);
    });
}

/// The role that reads the log has a password of its own, and comes by TLS alone.
#[test]
fn the_role_that_reads_the_log_is_another_one_with_a_password_by_tls() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = certificate.signing_key.serialize_pem();
    on_every_server(|kind| {
        let postgres = Postgres::start_with_tls(&certificate.cert.pem(), &key, "");
        let database = postgres.database();
        database.with_users(5).execute("CREATE ROLE streamer LOGIN REPLICATION PASSWORD 'log'");
        postgres.set_hba(
            "hostssl all streamer 127.0.0.1/32 scram-sha-256\nhost all streamer all reject\nhost all all 127.0.0.1/32 trust\n",
        );
        let file = postgres.write_private("password", "not yet\n");
        let further = [
            ("pg_sslmode", "require"),
            ("pg_replication_user", "streamer"),
            ("pg_replication_password_file", file.to_str().unwrap()),
        ];
        let server = setup(&kind, &database, &further).start();
        let mut client = server.client();
        await_reason(&mut client, "check pg_replication_user, and the password in pg_replication_password_file");
        fs::write(file, "log\n").unwrap();
        await_freshness(&mut client, "live");
        watch(&mut client, "users");
        assert_hears(&mut client, &database, "new");
        let sql = "SELECT r.usename || ' ' || s.ssl FROM pg_stat_replication r JOIN pg_stat_ssl s USING (pid)";
        assert_eq!(database.text(sql).as_deref(), Some("streamer true"));
        assert!(!server.log().contains("'log'"));
    });
}

#[test]
fn the_log_comes_through_a_unix_socket() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let folder = database.postgres.home().to_str().unwrap();
        let (_server, mut client) = watching(&kind, &database, &[("pg_host", folder)]);
        assert_hears(&mut client, &database, "new");
    });
}

/// How many sessions of ours PostgreSQL has.
fn sessions(database: &Database<'_>) -> i64 {
    database.number("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcache/%'")
}

#[test]
fn an_unload_and_the_servers_end_leave_no_temporary_slot_and_no_session() {
    on_every_server(|kind| {
        for end in ["unload", "shutdown", "kill"] {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.with_users(5);
            let server = start_listening(setup(&kind, &database, &[]).config("enable-module-command", "yes"));
            let mut client = server.client();
            watch(&mut client, "users");
            assert_hears(&mut client, &database, "new");
            assert!(slots(&postgres).iter().all(|(_, is_temporary)| *is_temporary));
            match end {
                "unload" => client.unload_module(),
                "shutdown" => client.send(&["SHUTDOWN", "NOSAVE"]),
                _ => drop(server),
            }
            eventually("nothing is left", || (sessions(&database) == 0 && slots(&postgres).is_empty()).then_some(()));
        }
    });
}

/// Commands of the server do not wait for a new slot, which waits for all transactions under way.
#[test]
fn a_slot_that_waits_for_a_transaction_holds_up_nobody() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(5).execute("CREATE PUBLICATION pgcache");
        let mut writer = database.connect();
        writer.batch_execute("BEGIN; UPDATE users SET name = 'open' WHERE id = 2").unwrap();
        let server = setup(&kind, &database, &[]).start();
        let mut client = server.client();
        eventually("the slot waits", || {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event_type = 'Lock'";
            (database.number(waiting) > 0).then_some(())
        });
        assert_eq!(client.read("users", ONE).json()["name"], "User 1");
        writer.batch_execute("COMMIT").unwrap();
        await_freshness(&mut client, "live");
        watch(&mut client, "users");
        assert_hears(&mut client, &database, "new");
    });
}
