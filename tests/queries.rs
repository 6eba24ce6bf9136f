//! QUERY as a client meets it: results, parameters, hits, times to live, and what INSPECT says of them.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::queries::{any, by_postgresql, define, inspect, is_stored, key_of, list, query, rows, store};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const ALL: &str = "SELECT id, name FROM users ORDER BY id DESC";
const ONE: &str = "SELECT id, name FROM users WHERE id = $1";

/// On every server: a database with ten users whom nobody watches, a server that takes any SQL, a client of it.
fn with_any(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let mut server = any(&kind, &database).start();
        let mut client = server.client();
        test(&database, &server, &mut client);
        server.assert_alive();
    });
}

#[test]
fn a_result_is_what_postgresql_writes_in_the_order_of_the_statement() {
    with_any(|database, _, client| {
        database.execute(
            r#"CREATE TABLE odd (id int, text text, at timestamptz, n numeric, a int[], j jsonb, b bytea, "Mixed ""Name""" text);
               INSERT INTO odd VALUES
                   (1, E'line\r\n"quoted" \\ \u0001\t%s $1 ü 💩', '2024-05-01 12:00+02', 1.50, '{1,2}', '{"b": 1, "a": [null]}', '\x00ff', ''),
                   (2, NULL, NULL, 'NaN', '{}', 'null', '', '}],[{')"#,
        );
        let statements = [
            ALL,
            "SELECT * FROM odd ORDER BY id",
            "SELECT id FROM users ORDER BY name || '', id LIMIT 3 OFFSET 2",
            "SELECT u.id, o.text FROM users u LEFT JOIN odd o ON o.id = u.id ORDER BY u.id",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n ORDER BY i DESC",
            "SELECT 1, 2, NULL AS nothing",
            "SELECT count(*), sum(id) FROM users",
            "VALUES (1, 'a'), (2, 'b')",
            "SELECT id, row_number() OVER (ORDER BY id DESC) FROM users ORDER BY 2",
            "SELECT 1 AS n -- a comment to the end",
            "SELECT id FROM users ORDER BY id /* a ) comment */",
            "SELECT ') q, (SELECT 1' AS n",
        ];
        for sql in statements {
            // As PostgreSQL answers a session of the module's: its time zone is pinned.
            let wanted = by_postgresql(database, sql).iter().map(|row| zoned(row)).collect::<Vec<_>>();
            for _ in 0..3 {
                let found = query(client, &[sql]);
                assert_eq!(rows(&found).iter().map(|row| zoned(row)).collect::<Vec<_>>(), wanted, "{sql}");
            }
        }
    });
}

/// Whatever the session's time zone is, UTC is written in one way.
fn zoned(row: &str) -> String {
    row.replace("2024-05-01T10:00:00+00:00", "UTC").replace("2024-05-01T12:00:00+02:00", "UTC")
}

#[test]
fn no_row_is_an_empty_list_and_is_kept_as_well() {
    with_any(|database, _, client| {
        let none = &["SELECT id FROM users WHERE id > 1000"];
        assert_eq!(store(client, none), json!([]));
        database.execute("INSERT INTO users VALUES (2000, 'x', 'x')");
        assert_eq!(query(client, none), Reply::Bulk(b"[]".to_vec()));
    });
}

#[test]
fn a_result_is_a_bulk_string_in_resp3_too() {
    with_any(|_, server, client| {
        let two = query(client, &[ALL]);
        let mut client = server.client3();
        assert_eq!(query(&mut client, &[ALL]), two, "a hit");
        assert_eq!(query(&mut client, &["SELECT 1 AS one"]).json(), json!([{"one": 1}]), "a miss");
        let Reply::Map(_) = inspect(&mut client, &[ALL]) else { panic!("no map") };
        assert_eq!(inspect(&mut client, &[ALL]).field("cached"), Reply::Bool(true));
        assert_eq!(inspect(&mut client, &[ALL]).field("tracked"), Reply::Bool(false));
    });
}

#[test]
fn the_second_query_is_answered_from_memory() {
    with_any(|database, _, client| {
        let first = store(client, &[ALL]);
        database.execute("UPDATE users SET name = 'new'");
        let (hits, statements) = (client.figure("hits"), client.figure("statements"));
        assert_eq!(query(client, &[ALL]).json(), first);
        assert_eq!((client.figure("hits"), client.figure("statements")), (hits + 1, statements));
    });
}

#[test]
fn a_result_with_other_parameters_is_another_entry() {
    with_any(|database, _, client| {
        assert_eq!(store(client, &[ONE, "[1]"]), json!([{"id": 1, "name": "User 1"}]));
        assert_eq!(store(client, &[ONE, "[2]"]), json!([{"id": 2, "name": "User 2"}]));
        assert_ne!(key_of(client, &[ONE, "[1]"]), key_of(client, &[ONE, "[2]"]));
        database.execute("UPDATE users SET name = 'new'");
        assert_eq!(query(client, &[ONE, "[3]"]).json()[0]["name"], "new");
        assert_eq!(query(client, &[ONE, "[1]"]).json()[0]["name"], "User 1");
    });
}

#[test]
fn other_spellings_of_the_same_parameters_are_one_entry() {
    with_any(|database, _, client| {
        let between = "SELECT id FROM users WHERE id BETWEEN $1 AND $2 AND name <> $3 ORDER BY id";
        store(client, &[ONE, "[1]"]);
        store(client, &[between, r#"[1,3,"User 2"]"#]);
        database.execute("DELETE FROM users");
        for spelling in ["[1]", "[ 1 ]", " [\t1\n] "] {
            assert_eq!(query(client, &[ONE, spelling]).json()[0]["name"], "User 1", "{spelling}");
        }
        let spelled = r#" [ 1 , 3 ,"User 2" ]"#;
        assert_eq!(query(client, &[between, spelled]).json(), json!([{"id": 1}, {"id": 3}]));
        let name = r#"["User  2"]"#;
        assert_ne!(key_of(client, &[ONE, name]), key_of(client, &[ONE, r#"["User 2"]"#]), "inside of a text");
    });
}

#[test]
fn parameters_of_every_kind_arrive_as_values() {
    with_any(|database, _, client| {
        database.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')");
        let cases = [
            ("SELECT $1::bigint + 1 AS v", "[9007199254740993]", json!(9007199254740994_i64)),
            ("SELECT $1::text AS v", r#"["a\r\n\"b\\ ü💩"]"#, json!("a\r\n\"b\\ ü💩")),
            ("SELECT $1::text AS v", "[null]", json!(null)),
            ("SELECT NOT $1::boolean AS v", "[true]", json!(false)),
            ("SELECT $1::numeric * 2 AS v", "[1.25]", json!(2.5)),
            ("SELECT $1::float8 AS v", "[0.5]", json!(0.5)),
            ("SELECT extract(year FROM $1::date)::int AS v", r#"["2024-05-01"]"#, json!(2024)),
            ("SELECT $1::jsonb -> 'a' AS v", r#"[{"a":[1]}]"#, json!([1])),
            ("SELECT 5 = ANY ($1::int[]) AS v", "[[1,5]]", json!(true)),
            (
                "SELECT $1::uuid AS v",
                r#"["00000000-0000-0000-0000-00000000000A"]"#,
                json!("00000000-0000-0000-0000-00000000000a"),
            ),
            ("SELECT $1::mood AS v", r#"["happy"]"#, json!("happy")),
            ("SELECT $2::text || $1::text || $2::text AS v", r#"["a","b"]"#, json!("bab")),
        ];
        for (sql, parameters, wanted) in cases {
            for _ in 0..2 {
                let reply = query(client, &[sql, parameters]);
                assert!(matches!(reply, Reply::Bulk(_)), "{sql} {parameters}: {reply:?}");
                assert_eq!(reply.json()[0]["v"], wanted, "{sql} {parameters}");
            }
        }
        let injected = r#"["x' OR true; DROP TABLE users --"]"#;
        assert_eq!(query(client, &["SELECT id FROM users WHERE name = $1", injected]).text(), "[]");
    });
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    with_any(|_, _, client| {
        for parameters in ["[]", "[1,2]"] {
            assert_eq!(query(client, &[ONE, parameters]).code(), "ERR", "{parameters}");
        }
        assert_eq!(query(client, &[ONE]).code(), "ERR", "none at all");
        assert_eq!(query(client, &[ALL, "[1]"]).code(), "ERR", "too many");
        for parameters in [r#"["x"]"#, "[1.5]", "[99999999999999999999]", "[true]", "[{}]"] {
            assert_eq!(query(client, &[ONE, parameters]).code(), "PGBADVALUE", "{parameters}");
        }
        assert_eq!(query(client, &[ONE, "[1]"]).json()[0]["id"], 1);
        assert_eq!(query(client, &[ALL, "[]"]).json()[0]["id"], 10);
    });
}

#[test]
fn the_setting_says_who_may_write_the_sql() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let named: &[&str] = &["NAME", "one", "[1]"];
        for (mode, free, by_name) in [("off", "NOPERM", "NOPERM"), ("named", "NOPERM", ""), ("any", "", "")] {
            let server = Server::setup(&kind).on(&database).setting("query", mode).start();
            let mut client = server.client();
            // Where nobody may ask, it does not matter whether there is such a query.
            client.call(&["PGCACHE.DEFINE", "one", ONE]);
            assert_eq!(query(&mut client, &[ALL]).code(), free, "{mode}");
            assert_eq!(query(&mut client, named).code(), by_name, "{mode}");
            let refusal = client.call(&["CONFIG", "SET", "pgcache.query", "any"]);
            assert!(matches!(refusal, Reply::Error(_)), "it must not change at run time: {refusal:?}");
        }
        let by_default = Server::start(&kind, &database);
        let mut client = by_default.client();
        define(&mut client, &["one", ONE]);
        assert_eq!(query(&mut client, &[ALL]).code(), "NOPERM");
        assert_eq!(query(&mut client, named).json(), json!([{"id": 1, "name": "User 1"}]));
        assert_eq!(inspect(&mut client, &[ALL]).code(), "NOPERM", "what may not be asked is not described");
    });
}

/// The milliseconds that the entry has left, by the server's own word.
fn left_ms(client: &mut Client, words: &[&str]) -> i64 {
    let key = key_of(client, words);
    match client.call(&["PTTL", &key]) {
        Reply::Integer(left) => left,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_time_to_live_is_that_of_the_call_or_of_the_definition_or_the_default() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = any(&kind, &database).setting("default_ttl", "7000").start();
        let mut client = server.client();
        define(&mut client, &["mine", ALL, "TTL", "500"]);
        define(&mut client, &["brief", ALL, "TTL", "500"]);
        define(&mut client, &["plain", ALL]);
        let cases: [(&[&str], &[&str], i64); 5] = [
            (&[ONE, "[1]"], &["TTL", "60"], 60),
            (&[ONE, "[2]"], &[], 7000),
            (&["NAME", "plain"], &[], 7000),
            (&["NAME", "mine"], &[], 500),
            (&["NAME", "brief"], &["TTL", "60"], 60),
        ];
        for (words, ttl, seconds) in cases {
            eventually("it is stored", || {
                query(&mut client, &[words, ttl].concat());
                is_stored(&mut client, words).then_some(())
            });
            let left = left_ms(&mut client, words);
            assert!(left <= seconds * 1000 && left > seconds * 1000 - 50_000, "{words:?}: {left} ms");
            let Reply::Integer(said) = inspect(&mut client, words).field("ttl_ms") else { panic!("no number") };
            assert!(said <= left && said > seconds * 1000 - 50_000, "{words:?}: {said} ms");
        }
    });
}

#[test]
fn an_entry_ends_with_its_time_to_live() {
    with_any(|database, _, client| {
        let brief = &[ALL, "TTL", "1"];
        assert_eq!(query(client, brief).json()[0]["name"], "User 10");
        database.execute("UPDATE users SET name = 'new'");
        eventually("it has ended", || (query(client, brief).json()[0]["name"] == "new").then_some(()));
        assert!(client.figure("expired") > 0);
    });
}

#[test]
fn what_is_not_watched_is_kept_until_it_ends_and_inspect_says_why() {
    with_any(|database, _, client| {
        let before = inspect(client, &[ALL]);
        assert_eq!((before.field("cached"), before.field("bytes")), (Reply::Integer(0), Reply::Integer(0)));
        let answer = query(client, &[ALL]);
        database.execute("UPDATE users SET name = 'new'");
        assert_eq!(query(client, &[ALL]), answer);
        let after = inspect(client, &[ALL]);
        assert_eq!(after.field("cached"), Reply::Integer(1));
        assert_eq!(after.field("tracked"), Reply::Integer(0));
        let (reasons, tables) = (list(&after, "untracked"), list(&after, "tables"));
        assert!(reasons.iter().any(|reason| reason.contains("users")), "{reasons:?}");
        assert!(tables.len() == 1 && tables[0].ends_with("users"), "{tables:?}");
        let Reply::Integer(bytes) = after.field("bytes") else { panic!("no number") };
        assert!(bytes >= answer.text().len() as i64, "{bytes}");
        assert_eq!((after.field("in_flight"), after.field("waiters")), (Reply::Integer(0), Reply::Integer(0)));
        assert_eq!((after.field("stale"), after.field("source").text()), (Reply::Integer(0), "default".into()));
        assert!(after.field("sql").text().contains("FROM users"), "{after:?}");
    });
}

#[test]
fn the_key_is_the_one_that_acls_are_written_for() {
    with_any(|_, _, client| {
        define(client, &["one", ONE]);
        query(client, &["NAME", "one", "[1]"]);
        query(client, &[ONE, "[1]"]);
        let named = key_of(client, &["NAME", "one", "[1]"]);
        assert!(named.starts_with("pg_cache:@query:one"), "{named}");
        let free = key_of(client, &[ONE, "[1]"]);
        let hash: String = free.strip_prefix("pg_cache:@sql:").unwrap().chars().take(64).collect();
        assert!(hash.len() == 64 && hash.chars().all(|digit| digit.is_ascii_hexdigit()), "{free}");
        for key in [named, free] {
            assert!(client.exists(&key), "{key}");
        }
    });
}

#[test]
fn what_a_client_puts_under_the_key_is_replaced_by_a_load() {
    with_any(|database, _, client| {
        let put: [&[&str]; 4] = [
            &["SET", "{key}", "not ours"],
            &["SET", "{key}", ""],
            &["RPUSH", "{key}", "a"],
            &["HSET", "{key}", "a", "b"],
        ];
        for command in put {
            let old = store(client, &[ALL]);
            let key = key_of(client, &[ALL]);
            assert_eq!(client.call(&["DEL", &key]), Reply::Integer(1));
            let command: Vec<&str> = command.iter().map(|word| if *word == "{key}" { &*key } else { word }).collect();
            assert!(!matches!(client.call(&command), Reply::Error(_)), "{command:?}");
            database.execute("UPDATE users SET name = name || '+'");
            let new = query(client, &[ALL]).json();
            assert_ne!(new, old, "{command:?}");
            assert_eq!(store(client, &[ALL]), new, "{command:?}");
            assert_eq!(query(client, &[ALL]).json(), new);
        }
        assert!(client.figure("foreign_values") > 0);
    });
}

#[test]
fn a_deleted_entry_is_asked_for_again() {
    with_any(|database, _, client| {
        store(client, &[ALL]);
        database.execute("UPDATE users SET name = 'new'");
        let key = key_of(client, &[ALL]);
        assert_eq!(client.call(&["DEL", &key]), Reply::Integer(1));
        assert_eq!(query(client, &[ALL]).json()[0]["name"], "new");
    });
}

#[test]
fn whatever_database_a_client_has_selected_it_meets_the_same_entries() {
    with_any(|database, server, client| {
        let old = store(client, &[ALL]);
        database.execute("UPDATE users SET name = 'new'");
        let mut elsewhere = server.client();
        elsewhere.call(&["SELECT", "3"]);
        assert_eq!(query(&mut elsewhere, &[ALL]).json(), old);
        assert!(query(&mut elsewhere, &[ONE, "[1]"]).json()[0]["name"] == "new" && is_stored(client, &[ONE, "[1]"]));
        assert_eq!(elsewhere.call(&["DBSIZE"]), Reply::Integer(0));
    });
}

#[test]
fn a_table_called_query_is_inspected_by_its_schema_or_in_quotes() {
    with_any(|database, _, client| {
        database.execute("CREATE TABLE query (id bigint PRIMARY KEY); INSERT INTO query VALUES (1)");
        assert_eq!(client.read("query", r#"{"id":1}"#).json()["id"], 1);
        for name in ["public.query", r#""query""#] {
            let told = client.call(&["PGCACHE.INSPECT", name, r#"{"id":1}"#]);
            assert_eq!(told.field("key").text(), r#"pg_cache:query:{"id":1}"#, "{name}");
            assert_eq!(told.field("cached"), Reply::Integer(1), "{name}");
        }
    });
}
