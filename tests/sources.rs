//! Several sources next to each other.
#![allow(clippy::unwrap_used)]

mod support;

use support::server::Setup;
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

const ONE: &str = r#"{"id":1}"#;

/// A database whose users are called after it.
fn users_of<'p>(postgres: &'p Postgres, owner: &str) -> Database<'p> {
    let database = postgres.database();
    database.with_users(20).execute(&format!("UPDATE users SET name = '{owner}'"));
    database
}

/// A server whose second source is called `analytics`.
fn with_two(kind: &Kind, first: &Database<'_>, second: &Database<'_>) -> Setup {
    Server::setup(kind)
        .on(first)
        .setting("analytics.pg_host", "127.0.0.1")
        .setting("analytics.pg_port", &second.postgres.port().to_string())
        .setting("analytics.pg_database", &second.name)
        .setting("analytics.pg_sslmode", "disable")
        .setting("analytics.connect_timeout_ms", FOREVER_MS)
}

fn two_databases() -> (Database<'static>, Database<'static>) {
    (users_of(Postgres::shared(), "first"), users_of(Postgres::shared(), "second"))
}

fn health(client: &mut Client) -> String {
    client.call(&["PGCACHE.HEALTH"]).field("status").text()
}

fn of_source(client: &mut Client, source: &str, field: &str) -> Reply {
    client.call(&["PGCACHE.HEALTH"]).field("sources").field(source).field(field)
}

#[test]
fn each_source_answers_its_own_rows() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        for _ in 0..2 {
            assert_eq!(client.read("users", ONE).json()["name"], "first");
            assert_eq!(client.read("analytics:users", ONE).json()["name"], "second");
            let rows = client.multiread("analytics:users", r#"[{"id":1},{"id":2},{"id":99}]"#).json();
            assert_eq!((&rows[0]["name"], &rows[1]["name"]), (&"second".into(), &"second".into()));
            assert!(rows[2].is_null());
        }
    });
}

#[test]
fn each_source_hears_of_its_own_changes_in_its_own_way() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).setting("analytics.invalidation", "outbox").start();
        let mut client = server.client();
        for (table, source) in [("users", "default"), ("analytics:users", "analytics")] {
            eventually("it is live", || (of_source(&mut client, source, "freshness").text() == "live").then_some(()));
            assert_eq!(client.call(&["PGCACHE.WATCH", "ADD", table]), Reply::Simple("OK".into()));
        }
        let Reply::Array(listed) = client.call(&["PGCACHE.WATCH", "LIST"]) else { panic!("no list") };
        let told: Vec<_> = listed.iter().map(|it| (it.field("source").text(), it.field("mode").text())).collect();
        let told: Vec<_> = told.iter().map(|(source, mode)| (source.as_str(), mode.as_str())).collect();
        assert_eq!(told.len(), 2);
        assert!(told.contains(&("default", "notify")) && told.contains(&("analytics", "outbox")), "{told:?}");
        for (database, table, other) in [(&first, "users", "analytics:users"), (&second, "analytics:users", "users")] {
            eventually("both are cached", || {
                [table, other].iter().all(|name| is_cached(&mut client, name)).then_some(())
            });
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            eventually("the change is seen", || (client.read(table, ONE).json()["name"] == "new").then_some(()));
            assert!(is_cached(&mut client, other), "the other source's row is as it was");
            database.execute("UPDATE users SET name = 'old' WHERE id = 1");
        }
    });
}

/// Reads the row, and says whether it stays.
fn is_cached(client: &mut Client, table: &str) -> bool {
    client.read(table, ONE);
    client.call(&["PGCACHE.INSPECT", table, ONE]).field("cached") == Reply::Integer(1)
}

#[test]
fn a_standby_is_no_source() {
    on_every_server(|kind| {
        let primary = Postgres::start();
        let database = users_of(&primary, "first");
        let standby = primary.standby();
        let setup = Server::setup(&kind).on(&database);
        let server = setup.setting("pg_port", &standby.port().to_string()).start();
        let mut client = server.client();
        eventually("it is refused", || {
            let reason = of_source(&mut client, "default", "reason");
            (reason != Reply::Nil && reason.text().contains("standby")).then_some(())
        });
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        standby.promote();
        eventually("it reads", || {
            let row = client.read("users", ONE);
            (row.code() != "PGDOWN" && row.json()["name"] == "first").then_some(())
        });
    });
}

#[test]
fn each_source_has_cache_keys_of_its_own() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        let key = r#"pg_cache:analytics:users:{"id":1}"#;
        assert_eq!(client.key("analytics:users", ONE), key);
        assert_eq!(client.key("users", ONE), r#"pg_cache:users:{"id":1}"#);
        let row = client.read("analytics:users", ONE).text();
        assert_eq!(client.call(&["GET", key]).text(), row);
        assert_eq!(client.call(&["PGCACHE.INSPECT", "analytics:users", ONE]).field("source").text(), "analytics");
        client.read("users", ONE);
        assert_eq!(client.invalidate("analytics:users", ONE).text(), "OK");
        assert!(!client.exists(key) && client.exists(r#"pg_cache:users:{"id":1}"#));
    });
}

#[test]
fn a_write_to_one_source_leaves_the_other() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        client.call(&["PGCACHE.WRITE", "analytics:users", ONE, r#"{"name":"written"}"#]);
        assert_eq!(client.read("analytics:users", ONE).json()["name"], "written");
        assert_eq!(client.read("users", ONE).json()["name"], "first");
    });
}

#[test]
fn a_colon_inside_a_quoted_name_is_no_source() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        first.execute(
            r#"CREATE TABLE "analytics:users" (id bigint PRIMARY KEY, name text); INSERT INTO "analytics:users" VALUES (1, 'quoted')"#,
        );
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        for _ in 0..2 {
            assert_eq!(client.read("analytics:users", ONE).json()["name"], "second");
            assert_eq!(client.read(r#""analytics:users""#, ONE).json()["name"], "quoted");
        }
    });
}

#[test]
fn the_first_source_may_be_called_by_its_name() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        assert_eq!(client.key("default:users", ONE), client.key("users", ONE));
        assert_eq!(client.read("default:users", ONE).json()["name"], "first");
    });
}

#[test]
fn an_unknown_source_is_no_table() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        for table in ["nothing:users", "analytic:users", "analytics:nothing"] {
            assert_eq!(client.read(table, ONE).code(), "PGNOTABLE", "{table}");
            assert_eq!(client.multiread(table, r#"[{"id":1}]"#).code(), "PGNOTABLE", "{table}");
            assert_eq!(client.invalidate(table, ONE).code(), "PGNOTABLE", "{table}");
        }
    });
}

#[test]
fn a_source_can_come_from_the_environment() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = Server::setup(&kind)
            .on(&first)
            .env("PGCACHE_ANALYTICS_PG_HOST", "127.0.0.1")
            .env("PGCACHE_ANALYTICS_PG_PORT", second.postgres.port().to_string())
            .env("PGCACHE_ANALYTICS_PG_DATABASE", "is overridden")
            .setting("analytics.pg_database", &second.name)
            .setting("analytics.connect_timeout_ms", FOREVER_MS)
            .start();
        let mut client = server.client();
        assert_eq!(client.read("analytics:users", ONE).json()["name"], "second");
        assert_eq!(client.read("users", ONE).json()["name"], "first");
    });
}

#[test]
fn a_further_source_inherits_nothing_from_the_first() {
    on_every_server(|kind| {
        let first = users_of(Postgres::shared(), "first");
        let server = Server::setup(&kind)
            .on(&first)
            .setting("pg_options", "-c application_name=of_the_first")
            .setting("analytics.pg_host", "127.0.0.1")
            .setting("analytics.pg_port", &first.postgres.port().to_string())
            .setting("analytics.connect_timeout_ms", FOREVER_MS)
            .start();
        let mut client = server.client();
        assert_eq!(client.read("users", ONE).json()["name"], "first");
        // Its database is the built-in default, which has no such table.
        assert_eq!(client.read("analytics:users", ONE).code(), "PGNOTABLE");
    });
}

#[test]
fn each_source_has_a_pool_of_its_own() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server =
            with_two(&kind, &first, &second).setting("pool_size", "1").setting("analytics.pool_size", "3").start();
        let mut client = server.client();
        for database in [&first, &second] {
            database.execute("CREATE VIEW people AS SELECT * FROM users");
        }
        client.read("people", ONE);
        client.read("analytics:people", ONE);
        let mut lock = Lock::on(&second, "users");
        let mut waiting: Vec<Client> = (2..=9).map(|_| server.client()).collect();
        for (id, one) in (2..).zip(&mut waiting) {
            one.send(&["PGCACHE.READ", "analytics:people", &format!(r#"{{"id":{id}}}"#)]);
        }
        // All of its connections are busy.
        lock.await_arrivals(3);
        // The other source has its own, and its own queue.
        assert_eq!(client.read("people", r#"{"id":2}"#).json()["name"], "first");
        assert_eq!(of_source(&mut client, "default", "connections"), Reply::Integer(1));
        assert_eq!(of_source(&mut client, "analytics", "connections"), Reply::Integer(3));
        assert_eq!(of_source(&mut client, "default", "queued"), Reply::Integer(0));
        lock.release();
        for (id, one) in (2..).zip(&mut waiting) {
            assert_eq!(one.receive().json()["id"], id);
        }
        // Whoever notifies may wait for the others that do: a lock, too, and none of ours.
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = 'pgcache/load' AND wait_event_type = 'Lock'";
        assert_eq!(second.number(busy), 0);
    });
}

#[test]
fn one_source_that_is_down_leaves_the_other_working() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let (first, second) = (users_of(Postgres::shared(), "first"), users_of(&postgres, "second"));
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        client.read("analytics:users", ONE);
        eventually("both are up", || (health(&mut client) == "healthy").then_some(()));
        postgres.kill();
        eventually("one is down", || (health(&mut client) == "degraded").then_some(()));
        assert_eq!(of_source(&mut client, "analytics", "status").text(), "down");
        assert_eq!(of_source(&mut client, "default", "status").text(), "up");
        assert_eq!(client.read("users", ONE).json()["name"], "first");
        assert_eq!(client.read("analytics:users", r#"{"id":2}"#).code(), "PGDOWN");
        assert_eq!(client.read("analytics:users", ONE).json()["name"], "second", "hits go on");
        postgres.start_again();
        eventually("both are up", || (health(&mut client) == "healthy").then_some(()));
        assert_eq!(client.read("analytics:users", r#"{"id":2}"#).json()["name"], "second");
    });
}

#[test]
fn the_first_source_may_be_the_one_that_is_down() {
    on_every_server(|kind| {
        let second = users_of(Postgres::shared(), "second");
        let closed = support::port::free().to_string();
        let server = with_two(&kind, &second, &second).setting("pg_port", &closed).start();
        let mut client = server.client();
        eventually("one is down", || (health(&mut client) == "degraded").then_some(()));
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        assert_eq!(client.read("analytics:users", ONE).json()["name"], "second");
    });
}

#[test]
fn all_sources_down_is_unhealthy() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let closed = support::port::free().to_string();
        let server = with_two(&kind, &database, &database)
            .setting("pg_port", &closed)
            .setting("analytics.pg_port", &closed)
            .start();
        let mut client = server.client();
        let down = |client: &mut Client, source| of_source(client, source, "status").text() == "down";
        eventually("both are down", || (down(&mut client, "default") && down(&mut client, "analytics")).then_some(()));
        assert_eq!(health(&mut client), "unhealthy");
    });
}

#[test]
fn a_source_that_is_silent_does_not_hold_up_the_other() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let (first, second) = (users_of(Postgres::shared(), "first"), users_of(&postgres, "second"));
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        client.read("analytics:users", ONE);
        postgres.freeze();
        let mut waiting: Vec<Client> = (2..=20).map(|_| server.client()).collect();
        for (id, one) in (2..).zip(&mut waiting) {
            one.send(&["PGCACHE.READ", "analytics:users", &format!(r#"{{"id":{id}}}"#)]);
        }
        for id in 1..=20 {
            assert_eq!(client.read("users", &format!(r#"{{"id":{id}}}"#)).json()["name"], "first");
        }
        postgres.thaw();
        for one in &mut waiting {
            let reply = one.receive();
            assert!(matches!(reply, Reply::Bulk(_)) || ["PGDOWN", "PGTIMEOUT"].contains(&reply.code()), "{reply:?}");
        }
    });
}

#[test]
fn allow_tables_is_each_sources_own() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        for database in [&first, &second] {
            database.execute("CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1)");
        }
        let server = with_two(&kind, &first, &second)
            .setting("allow_tables", "users")
            .setting("analytics.allow_tables", "orders")
            .start();
        let mut client = server.client();
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        assert_eq!(client.read("orders", ONE).code(), "NOPERM");
        assert_eq!(client.read("analytics:orders", ONE).json()["id"], 1);
        assert_eq!(client.read("analytics:users", ONE).code(), "NOPERM");
        assert_eq!(client.read("analytics:pg_authid", r#"{"oid":10}"#).code(), "NOPERM");
    });
}

#[test]
fn the_acl_tells_sources_apart() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let rules = ["ACL", "SETUSER", "bob", "on", "nopass", "~pg_cache:analytics:*", "+pgcache.read"];
        server.client().call(&rules);
        let mut bob = server.client();
        bob.call(&["AUTH", "bob", "any"]);
        assert_eq!(bob.read("analytics:users", ONE).json()["name"], "second");
        assert_eq!(bob.read("users", ONE).code(), "NOPERM");
    });
}

#[test]
fn events_name_the_source() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut listener = server.client();
        listener.call(&["SUBSCRIBE", "pg_cache_events"]);
        server.client().read("analytics:users", ONE);
        let Reply::Array(message) = listener.receive() else { panic!("no message") };
        let event = message[2].json();
        assert_eq!((&event["type"], &event["source"]), (&"cache_miss".into(), &"analytics".into()));
        assert_eq!(event["key"]["id"], 1);
    });
}

#[test]
fn a_password_of_a_further_source_is_not_shown() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second)
            .env("PGCACHE_ANALYTICS_PG_PASSWORD", "open-sesame")
            .config("slowlog-log-slower-than", "0")
            .start();
        let mut client = server.client();
        client.read("analytics:users", ONE);
        for command in [&["CONFIG", "GET", "*"][..], &["INFO", "everything"], &["PGCACHE.HEALTH"], &["MODULE", "LIST"]]
        {
            client.send(command);
            let reply = client.receive();
            let shown = format!("{reply:?}");
            // As Debug shows the bytes of a bulk string.
            let secret = format!("{:?}", b"open-sesame");
            assert!(!shown.contains(secret.trim_matches(['[', ']'])) && !shown.contains("open-sesame"), "{command:?}");
        }
        assert!(!server.log().contains("open-sesame"));
    });
}

#[test]
fn both_sources_come_back_after_a_restart() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        client.read("users", ONE);
        client.read("analytics:users", ONE);
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        assert_eq!(client.read("users", ONE).json()["name"], "first");
        assert_eq!(client.read("analytics:users", ONE).json()["name"], "second");
        assert_eq!((client.figure("hits"), client.figure("misses")), (2, 0));
    });
}

#[test]
fn a_table_that_is_called_like_a_source_is_warned_about() {
    on_every_server(|kind| {
        let (first, second) = two_databases();
        first.execute(
            "CREATE TABLE analytics (id bigint PRIMARY KEY); CREATE TABLE analytics_of (id bigint PRIMARY KEY)",
        );
        second.execute("CREATE TABLE analytics (id bigint PRIMARY KEY)");
        let server = with_two(&kind, &first, &second).start();
        let mut client = server.client();
        for table in ["users", "analytics:users", "analytics:analytics", "analytics_of"] {
            client.read(table, ONE);
        }
        let warning = "table analytics is called like source analytics";
        assert!(!server.log().contains(warning), "{}", server.log());
        for _ in 0..3 {
            client.read("analytics", ONE);
        }
        assert_eq!(server.log().matches(warning).count(), 1, "{}", server.log());
    });
}
