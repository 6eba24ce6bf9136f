//! Poolers between the module and PostgreSQL: what is read is right, and nothing of ours is left in sessions of others.
#![allow(clippy::unwrap_used)]

mod support;

use std::thread;

use support::pgbouncer::PgBouncer;
use support::postgres::SUPERUSER;
use support::queries::{query, rows};
use support::watched::{await_freshness, health, name_of, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply, Server};

/// What sessions have that nobody has touched, all that ours set among it. PgBouncer 1.21 and later prepare statements of
/// their own for those of their clients.
const STATE: &str = "SELECT concat_ws('|', current_setting('TimeZone'), current_setting('DateStyle'),
    current_setting('IntervalStyle'), current_setting('extra_float_digits'), current_setting('bytea_output'),
    current_setting('default_transaction_read_only'), current_setting('statement_timeout'), current_setting('jit'),
    current_setting('plan_cache_mode'), current_setting('client_connection_check_interval'),
    (SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'PGBOUNCER%'),
    (SELECT count(*) FROM pg_listening_channels()),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))";

/// PostgreSQL with a database whose sessions begin otherwise than ours want them.
fn odd(postgres: &Postgres) -> Database<'_> {
    let database = postgres.database();
    database.execute(&format!(
        "ALTER DATABASE {0} SET TimeZone = 'America/New_York'; ALTER DATABASE {0} SET DateStyle = 'SQL, DMY';
         ALTER DATABASE {0} SET IntervalStyle = 'iso_8601'; ALTER DATABASE {0} SET bytea_output = 'escape'",
        database.name
    ));
    database
}

/// A server whose PostgreSQL is behind `pooler`.
fn behind(pooler: &PgBouncer, kind: &Kind, database: &Database<'_>, settings: &[(&str, &str)]) -> Server {
    let port = pooler.port().to_string();
    let setup = Server::setup(kind).on(database).setting("pg_port", &port);
    settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value)).start()
}

/// An application's connection through the pooler.
fn application(pooler: &PgBouncer, database: &Database<'_>) -> postgres::Client {
    let options = format!("host=127.0.0.1 port={} user={SUPERUSER} dbname={}", pooler.port(), database.name);
    postgres::Client::connect(&options, postgres::NoTls).unwrap()
}

/// The first column of what a statement without a name answers.
fn asked(application: &mut postgres::Client, sql: &str) -> String {
    let answers = application.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let found = answers.iter().find_map(|answer| match answer {
        postgres::SimpleQueryMessage::Row(row) => Some(row.try_get(0).unwrap().unwrap_or_default().to_owned()),
        _ => None,
    });
    found.unwrap_or_default()
}

const TABLES: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE TABLE events (at timestamptz PRIMARY KEY, day date, took interval, data bytea, x float8, mood mood);
    INSERT INTO events VALUES ('2024-05-01 12:00+00', '2024-02-01', '1 day 02:03:04', '\\x00ff', 0.1::float8 + 0.2, 'glad');
    CREATE TABLE moods (mood mood PRIMARY KEY, name text);
    INSERT INTO moods VALUES ('sad', 'S'), ('glad', 'G')";

const EVENT: &str = r#"{"at":"2024-05-01T12:00:00+00:00","day":"2024-02-01","took":"1 day 02:03:04","data":"\\x00ff","x":0.30000000000000004,"mood":"glad"}"#;

#[test]
fn rows_are_spelled_as_on_a_connection_of_ones_own() {
    on_every_server(|kind| {
        let database = odd(Postgres::shared());
        database.with_users(1000).execute(TABLES);
        let pooler = PgBouncer::start(database.postgres, 2);
        let server = behind(&pooler, &kind, &database, &[]);
        let mut client = server.client();
        for key in ["2024-05-01T12:00:00Z", "2024-05-01 08:00:00-04"] {
            assert_eq!(client.read("events", &format!(r#"{{"at":"{key}"}}"#)).text(), EVENT);
        }
        assert_eq!(client.read("moods", r#"{"mood":"sad"}"#).text(), r#"{"mood":"sad","name":"S"}"#);
        let keys: Vec<String> = (1..=1000).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let found = client.multiread("users", &format!("[{}]", keys.join(","))).json();
        let ids: Vec<i64> = found.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, (1..=1000).collect::<Vec<_>>());
        assert_eq!(client.read("users", r#"{"id":"x"}"#).code(), "PGBADVALUE");
        assert_eq!(client.read("events", r#"{"at":"2024-13-01"}"#).code(), "PGBADVALUE");
        assert_eq!(client.read("events", r#"{"at":"2024-05-01T12:00:01Z"}"#), Reply::Nil);
        assert_eq!(client.read("nobody", r#"{"id":1}"#).code(), "PGNOTABLE");
        assert!(server.log().contains("through a pooler"), "{}", server.log());
    });
}

#[test]
fn a_statement_that_takes_too_long_is_cancelled() {
    on_every_server(|kind| {
        let database = odd(Postgres::shared());
        database.execute("CREATE VIEW slow AS SELECT 1 AS id, pg_sleep(600)::text AS slept");
        let pooler = PgBouncer::start(database.postgres, 1);
        let settings = [("statement_timeout_ms", "200"), ("query", "any"), ("invalidation", "off")];
        let server = behind(&pooler, &kind, &database, &settings);
        let mut client = server.client();
        assert_eq!(client.read("slow", r#"{"id":1}"#).code(), "PGTIMEOUT");
        assert_eq!(client.call(&["PGCACHE.QUERY", "SELECT pg_sleep(600)"]).code(), "PGTIMEOUT");
        assert_eq!(asked(&mut application(&pooler, &database), "SHOW statement_timeout"), "0");
    });
}

#[test]
fn others_find_their_sessions_as_they_were() {
    on_every_server(|kind| {
        for mode in ["off", "outbox", "notify"] {
            let database = odd(Postgres::shared());
            database.with_users(100).execute(TABLES);
            // Whoever comes next gets the one server process.
            let pooler = PgBouncer::start(database.postgres, 1);
            let untouched = asked(&mut application(&pooler, &database), STATE);
            let server = behind(&pooler, &kind, &database, &[("invalidation", mode), ("query", "any")]);
            let mut client = server.client();
            if mode == "outbox" {
                await_freshness(&mut client, "live");
                watch(&mut client, "users");
                client.call(&["PGCACHE.WATCH", "LIST"]);
            }
            for id in 1..=20 {
                client.read("users", &format!(r#"{{"id":{id}}}"#));
                client.read("users", &format!(r#"{{"email":"user{id}@example.com"}}"#));
            }
            assert_eq!(client.read("events", r#"{"at":"2024-05-01T12:00:00Z"}"#).text(), EVENT);
            assert_eq!(client.read("users", r#"{"id":"x"}"#).code(), "PGBADVALUE");
            for sql in ["SELECT name FROM users WHERE id = $1", "SELECT name FROM users WHERE id = 1 / ($1 - 1)"] {
                client.call(&["PGCACHE.QUERY", sql, "[1]"]);
                client.call(&["PGCACHE.QUERY", sql, "[2]"]);
            }
            let mut application = application(&pooler, &database);
            assert_eq!(asked(&mut application, STATE), untouched, "{mode}");
            application.batch_execute("INSERT INTO users VALUES (1000)").unwrap();
        }
    });
}

#[test]
fn servers_share_a_pooler_and_come_and_go() {
    on_every_server(|kind| {
        let database = odd(Postgres::shared());
        database.with_users(2000).execute(TABLES);
        let pooler = PgBouncer::start(database.postgres, 3);
        for round in 0..2 {
            let servers = [(); 2].map(|()| behind(&pooler, &kind, &database, &[("query", "any")]));
            thread::scope(|scope| {
                for (index, server) in servers.iter().cycle().take(8).enumerate() {
                    let mut client = server.client();
                    scope.spawn(move || read_all(&mut client, index * 200 + 1, &format!("round {round}")));
                }
            });
        }
    });
}

/// Rows and results of 200 users from `first` on.
fn read_all(client: &mut Client, first: usize, what: &str) {
    for id in first..first + 200 {
        let wanted = format!("User {id}");
        assert_eq!(name_of(&client.read("users", &format!(r#"{{"id":{id}}}"#))), wanted, "{what}");
        if id % 20 == 0 {
            let sql = "SELECT u.name, m.name AS mood FROM users u, moods m WHERE u.id = $1 AND m.mood = $2";
            let found = query(client, &[sql, &format!(r#"[{id},"glad"]"#)]);
            assert_eq!(rows(&found), [format!(r#"{{"name":"{wanted}","mood":"G"}}"#)], "{what}");
        }
    }
}

#[test]
fn changes_are_told_by_an_outbox() {
    on_every_server(|kind| {
        let database = odd(Postgres::shared());
        database.with_users(10);
        let pooler = PgBouncer::start(database.postgres, 2);
        let server = behind(&pooler, &kind, &database, &[("invalidation", "outbox"), ("query", "any")]);
        let mut client = server.client();
        await_freshness(&mut client, "live");
        watch(&mut client, "users");
        let mut application = application(&pooler, &database);
        let sql = "SELECT name FROM users WHERE id = $1";
        for round in 0..5 {
            application.batch_execute(&format!("UPDATE users SET name = 'R{round}' WHERE id = 5")).unwrap();
            let wanted = format!("R{round}");
            eventually("the row follows", || (name_of(&client.read("users", r#"{"id":5}"#)) == wanted).then_some(()));
            eventually("the result follows", || {
                (rows(&query(&mut client, &[sql, "[5]"])) == [format!(r#"{{"name":"{wanted}"}}"#)]).then_some(())
            });
            assert_eq!(name_of(&client.read("users", r#"{"id":5}"#)), wanted);
        }
        assert!(client.figure("hits") > 0);
    });
}

#[test]
fn a_pooler_in_session_mode_will_do_for_notify() {
    on_every_server(|kind| {
        let database = odd(Postgres::shared());
        database.with_users(10).execute(TABLES);
        let pooler = PgBouncer::start_in("session", database.postgres, 20, "ignore_startup_parameters=options");
        let server = behind(&pooler, &kind, &database, &[]);
        let mut client = server.client();
        await_freshness(&mut client, "live");
        watch(&mut client, "users");
        assert_eq!(client.read("events", r#"{"at":"2024-05-01T12:00:00Z"}"#).text(), EVENT);
        assert_eq!(name_of(&client.read("users", r#"{"id":5}"#)), "User 5");
        database.execute("UPDATE users SET name = 'new' WHERE id = 5");
        eventually("the row follows", || (name_of(&client.read("users", r#"{"id":5}"#)) == "new").then_some(()));
    });
}

#[test]
fn a_pooler_that_goes_down_is_a_source_that_is_down() {
    on_every_server(|kind| {
        let database = odd(Postgres::shared());
        database.with_users(10);
        let pooler = PgBouncer::start(database.postgres, 2);
        let server = behind(&pooler, &kind, &database, &[("invalidation", "off")]);
        let mut client = server.client();
        assert_eq!(name_of(&client.read("users", r#"{"id":1}"#)), "User 1");
        drop(pooler);
        eventually("the source is down", || (health(&mut client).field("status").text() == "down").then_some(()));
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGDOWN");
        assert_eq!(name_of(&client.read("users", r#"{"id":1}"#)), "User 1");
    });
}
