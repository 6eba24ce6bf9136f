//! WRITE, INVALIDATE and KEY as a client meets them.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

/// Runs `test` on each server, on a database with ten users.
fn with_users(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        test(&database, &server, &mut server.client());
    });
}

fn row(database: &Database<'_>, id: u32) -> String {
    database.text(&format!("SELECT row_to_json(t)::text FROM users t WHERE id = {id}")).unwrap()
}

fn write(client: &mut Client, key: &str, data: &str) -> Reply {
    client.call(&["PGCACHE.WRITE", "users", key, data])
}

const USER_1: &str = r#"{"id":1}"#;

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

#[test]
fn a_write_is_read_back_byte_for_byte_and_never_reaches_postgresql() {
    with_users(|database, _, client| {
        let before = row(database, 1);
        let data = "{\"id\":1, \"n\" : 1.10,\"n\":2,\"t\":\"é\\u20ac\u{7f}\",\"deep\":[{}]}";
        assert_eq!(write(client, USER_1, data), ok());
        assert_eq!(client.read("users", USER_1).text(), data);
        assert_eq!(client.multiread("users", &format!("[{USER_1}]")).text(), format!("[{data}]"));
        let key = client.key("users", USER_1);
        assert_eq!(client.call(&["GET", &key]).text(), data);
        assert_eq!(row(database, 1), before);
        assert_eq!((client.figure("writes"), client.figure("keys_loaded")), (1, 0));
    });
}

#[test]
fn a_write_of_null_says_that_there_is_no_row() {
    with_users(|_, _, client| {
        assert_eq!(write(client, USER_1, " null "), ok());
        assert_eq!(client.read("users", USER_1), Reply::Nil);
        assert_eq!(client.figure("negative_hits"), 1);
    });
}

#[test]
fn a_write_of_data_that_contradicts_its_key_is_refused_and_stores_nothing() {
    with_users(|database, _, client| {
        for (key, data) in [
            (USER_1, r#"{"id":2,"name":"x"}"#),
            (USER_1, r#"{"name":"x","id":null}"#),
            (r#"{"id":1,"email":"a@b"}"#, r#"{"id":1,"email":"A@b"}"#),
            (r#"{"id":"0x1","email":"a@b"}"#, r#"{"id":2,"email":"c@d"}"#),
        ] {
            let refusal = write(client, key, data);
            assert!(matches!(&refusal, Reply::Error(text) if text.contains("contradicts")), "{key} {data} {refusal:?}");
        }
        assert_eq!(client.read("users", USER_1).text(), row(database, 1));
    });
}

#[test]
fn a_write_may_spell_the_values_of_its_key_otherwise_or_leave_them_out() {
    with_users(|database, _, client| {
        database.execute("CREATE TABLE spans (span interval PRIMARY KEY); INSERT INTO spans VALUES ('1 day')");
        for data in [r#"{"id":"1"}"#, r#"{"id":1.0}"#, r#"{"name":"x"}"#, "{}", "null"] {
            assert_eq!(write(client, USER_1, data), ok(), "{data}");
        }
        let span = ["PGCACHE.WRITE", "spans", r#"{"span":"1 day"}"#, r#"{"span":"24:00:00"}"#];
        assert_eq!(client.call(&span), ok());
    });
}

#[test]
fn a_write_may_be_of_a_row_that_does_not_exist() {
    with_users(|_, _, client| {
        assert_eq!(write(client, r#"{"id":99}"#, r#"{"id":99}"#), ok());
        assert_eq!(client.read("users", r#"{"id":99}"#).text(), r#"{"id":99}"#);
    });
}

#[test]
fn a_write_lives_for_its_ttl() {
    with_users(|_, _, client| {
        let key = client.key("users", USER_1);
        client.call(&["PGCACHE.WRITE", "users", USER_1, "{}", "1000000"]);
        assert!(matches!(client.call(&["TTL", &key]), Reply::Integer(999_000..=1_000_000)));
        client.call(&["PGCACHE.WRITE", "users", USER_1, "{}"]);
        assert!(matches!(client.call(&["TTL", &key]), Reply::Integer(1..=3600)));
        client.call(&["CONFIG", "SET", "pgcache.default_ttl", "0"]);
        client.call(&["PGCACHE.WRITE", "users", USER_1, "{}"]);
        assert_eq!(client.call(&["TTL", &key]), Reply::Integer(-1));
        client.call(&["PGCACHE.WRITE", "users", USER_1, "{}", "1"]);
        eventually("the entry ends", || (!client.exists(&key)).then_some(()));
    });
}

#[test]
fn bad_data_is_refused_and_changes_nothing() {
    with_users(|database, _, client| {
        client.read("users", USER_1);
        for data in ["", "{", "1", "[]", "\"x\"", "true", "{} {}", "{}x", "nul", "NULL", "{'a':1}", "{\"a\":NaN}"] {
            assert_eq!(write(client, USER_1, data).code(), "ERR", "{data}");
        }
        let not_utf8 = client.call(&[&b"PGCACHE.WRITE"[..], b"users", USER_1.as_bytes(), b"{\"a\":\"\xff\"}"]);
        assert_eq!(not_utf8.code(), "ERR");
        for ttl in ["0", "-1", "x", "2147483648", "1.5", "", " 1"] {
            assert_eq!(client.call(&["PGCACHE.WRITE", "users", USER_1, "{}", ttl]).code(), "ERR", "{ttl}");
        }
        assert_eq!(client.read("users", USER_1).text(), row(database, 1));
        assert_eq!(client.figure("writes"), 0);
    });
}

#[test]
fn data_larger_than_max_entry_bytes_is_refused() {
    with_users(|_, _, client| {
        client.call(&["CONFIG", "SET", "pgcache.max_entry_bytes", "10"]);
        assert_eq!(write(client, USER_1, r#"{"a":12345}"#).code(), "ERR");
        assert_eq!(write(client, USER_1, r#"{"a":1234}"#), ok());
    });
}

#[test]
fn an_invalidation_ends_what_was_written_or_read() {
    with_users(|database, _, client| {
        write(client, USER_1, "{}");
        assert_eq!(client.invalidate("users", USER_1), ok());
        assert_eq!(client.read("users", USER_1).text(), row(database, 1));
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        assert_eq!(client.invalidate("users", r#"{ "id" : "01" }"#), ok());
        assert_eq!(client.read("users", USER_1).text(), row(database, 1));
        assert_eq!(client.figure("invalidations"), 2);
    });
}

#[test]
fn an_invalidation_ends_the_memory_of_an_absent_row() {
    with_users(|database, _, client| {
        assert_eq!(client.read("users", r#"{"id":99}"#), Reply::Nil);
        database.execute("INSERT INTO users VALUES (99, 'x', 'y')");
        assert_eq!(client.read("users", r#"{"id":99}"#), Reply::Nil);
        client.invalidate("users", r#"{"id":99}"#);
        assert_eq!(client.read("users", r#"{"id":99}"#).text(), row(database, 99));
    });
}

#[test]
fn invalidating_what_is_not_cached_is_ok() {
    with_users(|_, _, client| {
        assert_eq!(client.invalidate("users", USER_1), ok());
        assert_eq!(client.invalidate("users", r#"{"id":12345}"#), ok());
        assert_eq!(client.invalidate("users", r#"{"name":"nobody"}"#), ok());
        assert_eq!(client.invalidate("users", r#"{"colour":1}"#).code(), "PGNOCOLUMN");
        assert_eq!(client.invalidate("nothing", USER_1).code(), "PGNOTABLE");
    });
}

#[test]
fn an_invalidation_of_one_row_leaves_the_others() {
    with_users(|_, _, client| {
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":3}]"#);
        client.invalidate("users", r#"{"id":2}"#);
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":3}]"#);
        assert_eq!((client.figure("hits"), client.figure("misses")), (2, 4));
    });
}

#[test]
fn an_invalidation_with_a_value_that_no_row_can_have_drops_nothing_else() {
    with_users(|database, _, client| {
        database.execute("CREATE TABLE days (id date PRIMARY KEY); INSERT INTO days VALUES ('2024-01-01')");
        for (table, good, bad) in [
            ("users", USER_1, r#"{"id":"abc"}"#),
            ("users", USER_1, r#"{"id":"1.5"}"#),
            ("days", r#"{"id":"2024-01-01"}"#, r#"{"id":"2024-02-31"}"#),
        ] {
            client.read(table, good);
            let (hits, epochs) = (client.figure("hits"), client.figure("epochs"));
            assert_eq!(client.invalidate(table, bad).code(), "PGBADVALUE", "{table} {bad}");
            client.read(table, good);
            assert_eq!((client.figure("hits"), client.figure("epochs")), (hits + 1, epochs), "{table} {bad}");
        }
    });
}

/// Runs `meanwhile` between the start of a load of user 1 and its end; returns what the reader gets.
fn during_a_load(database: &Database<'_>, server: &Server, meanwhile: impl Fn(&mut Client)) -> Reply {
    let (mut client, mut reader) = (server.client(), server.client());
    client.invalidate("users", USER_1);
    database.execute(
        "CREATE OR REPLACE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql VOLATILE AS
         'BEGIN PERFORM pg_advisory_lock_shared(7); PERFORM pg_advisory_unlock_shared(7); RETURN true; END';
         CREATE VIEW gated AS SELECT u.* FROM (SELECT * FROM users OFFSET 0) u WHERE gate()",
    );
    let mut holder = database.connect();
    holder.batch_execute("SELECT pg_advisory_lock(7)").unwrap();
    reader.send(&["PGCACHE.READ", "gated", USER_1]);
    // In this database: the tests beside this one have loads that wait, too.
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                 WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted";
    eventually("the load is under way", || (database.number(waits) > 0).then_some(()));
    meanwhile(&mut client);
    holder.batch_execute("SELECT pg_advisory_unlock(7)").unwrap();
    reader.receive()
}

#[test]
fn a_load_that_an_invalidation_overtakes_is_answered_and_not_stored() {
    with_users(|database, server, client| {
        let old = row(database, 1);
        let reply = during_a_load(database, server, |client| {
            assert_eq!(client.call(&["PGCACHE.INVALIDATE", "gated", USER_1]), ok());
        });
        assert_eq!(reply.text(), old);
        let key = client.key("gated", USER_1);
        assert!(!client.exists(&key));
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        assert_eq!(client.read("gated", USER_1).text(), row(database, 1));
    });
}

#[test]
fn a_load_that_a_write_overtakes_does_not_overwrite_it() {
    with_users(|database, server, client| {
        let reply = during_a_load(database, server, |client| {
            assert_eq!(client.call(&["PGCACHE.WRITE", "gated", USER_1, r#"{"mine":1}"#]), ok());
        });
        assert_eq!(reply.text(), r#"{"mine":1}"#, "what others have been shown");
        assert_eq!(client.read("gated", USER_1).text(), r#"{"mine":1}"#);
    });
}

#[test]
fn a_load_that_flushall_overtakes_is_not_stored() {
    with_users(|database, server, client| {
        let reply = during_a_load(database, server, |client| {
            assert_eq!(client.call(&["FLUSHALL"]), ok());
        });
        assert_eq!(reply.text(), row(database, 1));
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(0));
    });
}

#[test]
fn key_is_where_the_entry_stands() {
    with_users(|database, _, client| {
        database.execute(
            r#"CREATE SCHEMA app; CREATE TABLE app."Mixed Case" (b int, a text, PRIMARY KEY (a, b));
               INSERT INTO app."Mixed Case" VALUES (1, 'x{y}');
               CREATE TABLE seen (at timestamptz PRIMARY KEY);
               INSERT INTO seen VALUES ('2024-01-01 12:00:00+00')"#,
        );
        let cases = [
            ("users", r#"{"id":1}"#, r#"pg_cache:users:{"id":1}"#),
            ("public.USERS", r#"{ "id" : "01" }"#, r#"pg_cache:users:{"id":1}"#),
            ("users", r#"{"email":"user2@example.com"}"#, r#"pg_cache:users:{"email":"user2@example.com"}"#),
            ("app.\"Mixed Case\"", r#"{"b":"1","a":"x{y}"}"#, r#"pg_cache:app."Mixed Case":{"a":"x{y}","b":1}"#),
            ("seen", r#"{"at":"2024-01-01 13:00:00+01"}"#, r#"pg_cache:seen:{"at":"2024-01-01T12:00:00+00:00"}"#),
        ];
        for (table, key, expected) in cases {
            assert_eq!(client.key(table, key), expected);
            client.call(&["FLUSHALL"]);
            let row = client.read(table, key).text();
            assert_eq!(client.call(&["KEYS", "*"]), Reply::Array(vec![Reply::Bulk(expected.into())]));
            assert_eq!(client.call(&["GET", expected]).text(), row);
            assert_eq!(client.key(table, key), expected);
        }
    });
}
