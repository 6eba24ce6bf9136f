//! MULTIREAD against direct SQL: order, duplicates, absent rows, composite keys, every type.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

fn with_server(test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        test(&database, &mut server.client());
    });
}

/// What PostgreSQL has for each of `keys`, an array of JSON objects with the columns `columns`.
fn expected(database: &Database<'_>, table: &str, columns: &str, keys: &str) -> String {
    let sql = format!(
        "SELECT '[' || coalesce(string_agg(coalesce(row_to_json(t)::text, 'null'), ',' ORDER BY k.n), '') || ']'
         FROM json_array_elements($1::text::json) WITH ORDINALITY AS k(key, n)
         LEFT JOIN {table} t ON ({columns}) = (SELECT {columns} FROM json_populate_record(NULL::{table}, k.key))"
    );
    let mut connection = database.connect();
    connection.batch_execute("SET TimeZone = 'UTC'; SET extra_float_digits = 1").unwrap();
    connection.query_one(&sql, &[&keys]).unwrap().get(0)
}

/// `count` random numbers below `below`, always the same ones for one seed.
fn numbers(seed: u8, count: usize, below: usize) -> Vec<usize> {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    proptest::collection::vec(0..below, count).new_tree(&mut runner).unwrap().current()
}

fn array(keys: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", keys.into_iter().collect::<Vec<_>>().join(","))
}

#[test]
fn rows_come_in_the_order_asked_with_duplicates_and_absent_ones() {
    with_server(|database, client| {
        let keys = r#"[{"id":9},{"id":1},{"id":99},{"id":9},{"id":"1"},{ "id" : 2 },{"id":99}]"#;
        for _ in 0..2 {
            assert_eq!(client.multiread("users", keys).text(), expected(database, "users", "id", keys));
        }
        assert_eq!(client.figure("keys_loaded"), 4);
    });
}

#[test]
fn no_keys_are_no_rows() {
    with_server(|_, client| {
        assert_eq!(client.multiread("users", "[]").text(), "[]");
        assert_eq!(client.multiread("users", " [ ] ").text(), "[]");
        assert_eq!(client.figure("keys_loaded"), 0);
        assert_eq!(client.multiread("nothing", "[]").code(), "PGNOTABLE");
    });
}

#[test]
fn only_the_misses_are_loaded_and_in_one_statement() {
    with_server(|database, client| {
        client.read("users", r#"{"id":3}"#);
        client.read("users", r#"{"id":98}"#);
        let before = (client.figure("statements"), client.figure("keys_loaded"), client.figure("hits"));
        let keys = array((1..=10).chain(90..100).map(|id| format!(r#"{{"id":{id}}}"#)));
        assert_eq!(client.multiread("users", &keys).text(), expected(database, "users", "id", &keys));
        let after = (client.figure("statements"), client.figure("keys_loaded"), client.figure("hits"));
        assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (1, 18, 2));
    });
}

#[test]
fn what_one_multiread_loaded_others_find() {
    with_server(|database, client| {
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":99}]"#);
        database.execute("DROP TABLE users");
        assert_eq!(client.read("users", r#"{"id":2}"#).json()["name"], "User 2");
        assert_eq!(client.read("users", r#"{"id":99}"#), Reply::Nil);
        assert_eq!(client.multiread("users", r#"[{"id":2}]"#).json()[0]["name"], "User 2");
        assert_eq!(client.figure("hits"), 3);
    });
}

#[test]
fn the_ttl_is_for_each_row() {
    with_server(|_, client| {
        client.call(&["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":2}]"#, "1000000"]);
        for id in [1, 2] {
            let key = client.key("users", &format!(r#"{{"id":{id}}}"#));
            assert!(matches!(client.call(&["TTL", &key]), Reply::Integer(999_000..=1_000_000)));
        }
    });
}

#[test]
fn one_bad_key_fails_the_whole_with_its_error() {
    with_server(|database, client| {
        for (keys, code) in [
            (r#"[{"id":1},{"id":"abc"}]"#, "PGBADVALUE"),
            (r#"[{"id":1},{"colour":1}]"#, "PGNOCOLUMN"),
            (r#"[{"id":1},{"id":null}]"#, "ERR"),
            (r#"[{"id":1},{}]"#, "ERR"),
            (r#"[{"id":1},1]"#, "ERR"),
            (r#"[{"id":1},[{"id":2}]]"#, "ERR"),
            (r#"[{"id":1},]"#, "ERR"),
            (r#"[{"id":1}] 1"#, "ERR"),
            (r#"{"id":1}"#, "ERR"),
            ("null", "ERR"),
            ("", "ERR"),
        ] {
            assert_eq!(client.multiread("users", keys).code(), code, "{keys}");
        }
        for keys in [r#"[{"id":1},{"id":"abc"}]"#, r#"[{"id":1},{"colour":1}]"#, r#"[{"id":1},{"id":true}]"#] {
            let Reply::Error(text) = client.multiread("users", keys) else { panic!("{keys}") };
            assert!(text.contains("lookup key at index 1 (the first is 0): "), "{text}");
        }
        database.execute("UPDATE users SET name = 'twin'");
        assert_eq!(client.multiread("users", r#"[{"id":1},{"name":"twin"}]"#).code(), "PGNOTUNIQUE");
        let keys = r#"[{"id":2}]"#;
        assert_eq!(client.multiread("users", keys).text(), expected(database, "users", "id", keys));
    });
}

#[test]
fn keys_of_one_multiread_may_name_different_columns() {
    with_server(|database, client| {
        let row =
            |id: u32| database.text(&format!("SELECT row_to_json(t)::text FROM users t WHERE id = {id}")).unwrap();
        let keys = r#"[{"id":1},{"email":"user2@example.com"},{"name":"User 3"},{"email":"user1@example.com","id":1}]"#;
        let rows = array([row(1), row(2), row(3), row(1)]);
        assert_eq!(client.multiread("users", keys).text(), rows);
        assert_eq!(client.multiread("users", keys).text(), rows);
        assert_eq!(client.figure("keys_loaded"), 4);
    });
}

#[test]
fn more_than_max_multiread_keys_are_refused() {
    with_server(|database, client| {
        client.call(&["CONFIG", "SET", "pgcache.max_multiread_keys", "5"]);
        let keys = |count: u32| array((1..=count).map(|id| format!(r#"{{"id":{id}}}"#)));
        assert_eq!(client.multiread("users", &keys(5)).text(), expected(database, "users", "id", &keys(5)));
        let refusal = client.multiread("users", &keys(6));
        assert_eq!(refusal.code(), "ERR");
        assert!(format!("{refusal:?}").contains("max_multiread_keys"), "{refusal:?}");
    });
}

#[test]
fn a_reply_of_more_than_max_multiread_bytes_is_refused() {
    with_server(|database, client| {
        let keys = r#"[{"id":1},{"id":2},{"id":1},{"id":999}]"#;
        let rows = expected(database, "users", "id", keys);
        let cached: [&[&str]; 3] = [&[], &[r#"{"id":1}"#], &[r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":999}"#]];
        for cached in cached {
            for (max, is_allowed) in [(rows.len(), true), (rows.len() - 1, false), (rows.len() / 2, false)] {
                client.call(&["PGCACHE.FLUSH"]);
                for key in cached {
                    client.read("users", key);
                }
                client.set("max_multiread_bytes", &max.to_string());
                let reply = client.multiread("users", keys);
                if is_allowed {
                    assert_eq!(reply.text(), rows, "with {cached:?}");
                } else {
                    assert_eq!(reply.code(), "ERR", "{max} bytes with {cached:?}");
                    assert!(format!("{reply:?}").contains("max_multiread_bytes"), "{reply:?}");
                }
            }
        }
    });
}

#[test]
fn a_large_row_asked_for_many_times_takes_no_memory() {
    with_server(|database, client| {
        database.execute("UPDATE users SET name = repeat('x', 4000000) WHERE id = 1");
        let keys = array((0..400).map(|_| r#"{"id":1}"#.to_owned()));
        for _ in 0..3 {
            assert_eq!(client.multiread("users", &keys).code(), "ERR");
            assert_eq!(client.read("users", r#"{"id":1}"#).json()["id"], 1);
        }
        let peak: u64 = client.info("memory", "used_memory_peak").parse().unwrap();
        assert!(peak < 400_000_000, "{peak} bytes");
    });
}

#[test]
fn ten_thousand_keys_are_one_statement() {
    with_server(|database, client| {
        database.execute("INSERT INTO users SELECT n, 'e' || n, 'name ' || n FROM generate_series(11, 8000) n");
        client.read("users", r#"{"id":1}"#);
        client.invalidate("users", r#"{"id":1}"#);
        let before = client.figure("statements");
        let keys = array((1..=10_000).rev().map(|id| format!(r#"{{"id":{id}}}"#)));
        let rows = expected(database, "users", "id", &keys);
        assert_eq!(client.multiread("users", &keys).text(), rows);
        assert_eq!(client.figure("statements") - before, 1);
        assert_eq!(client.multiread("users", &keys).text(), rows);
        assert_eq!(client.figure("hits"), 10_000);
        assert_eq!(client.multiread("users", &keys.replacen('[', r#"[{"id":1},"#, 1)).code(), "ERR");
    });
}

fn ids(ids: impl IntoIterator<Item = i64>) -> String {
    array(ids.into_iter().map(|id| format!(r#"{{"id":{id}}}"#)))
}

#[test]
fn any_number_of_whole_numbers_names_the_same_rows() {
    with_server(|database, client| {
        for (table, kind, rest, first) in [
            ("k_int2", "int2", "", i64::from(i16::MIN)),
            ("k_int4", "int4", "", i64::from(i32::MAX) - 199),
            ("k_int8", "int8", "", i64::MIN),
            ("k_parts", "int8", "PARTITION BY HASH (id)", i64::MAX - 199),
        ] {
            database.execute(&format!("CREATE TABLE {table} (note text, id {kind} PRIMARY KEY) {rest}"));
            if !rest.is_empty() {
                for part in 0..3 {
                    database.execute(&format!(
                        "CREATE TABLE {table}_{part} PARTITION OF {table} FOR VALUES WITH (MODULUS 3, REMAINDER {part})"
                    ));
                }
            }
            database.execute(&format!(
                "INSERT INTO {table} SELECT 'row ' || n, {first} + n FROM generate_series(0, 199, 2) AS n"
            ));
            for (seed, count) in (1..).zip([1, 15, 16, 17, 100]) {
                // Some are absent, and some asked for twice.
                let keys = ids(numbers(seed, count, 200).into_iter().map(|n| first + n as i64));
                assert_eq!(client.multiread(table, &keys).text(), expected(database, table, "id", &keys));
            }
        }
    });
}

#[test]
fn one_key_with_two_rows_fails_many_as_it_fails_few() {
    with_server(|database, client| {
        // A unique index does not reach the tables that inherit.
        database.execute(
            "CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child () INHERITS (parent);
             INSERT INTO parent SELECT n, 'parent' FROM generate_series(1, 50) AS n; INSERT INTO child VALUES (7, 'child')",
        );
        for last in [8, 40] {
            assert_eq!(client.multiread("parent", &ids(1..=last)).code(), "PGNOTUNIQUE");
        }
        assert_eq!(client.multiread("parent", &ids(8..=40)), client.multiread("parent", &ids(8..=40)));
        assert_eq!(client.multiread("parent", &ids(8..=40)).json()[32]["id"], 40);
    });
}

#[test]
fn a_key_column_that_changes_its_type_or_name_between_two_multireads() {
    with_server(|database, client| {
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 200) AS n",
        );
        for (first, change) in [
            (1, "SELECT"),
            (31, "ALTER TABLE t ALTER id TYPE int8"),
            (61, "ALTER TABLE t ALTER id TYPE numeric"),
            (91, "ALTER TABLE t ALTER id TYPE int2"),
            (121, "ALTER TABLE t RENAME id TO was; ALTER TABLE t RENAME v TO id; ALTER TABLE t ADD UNIQUE (id)"),
            (151, "DROP TABLE t; CREATE TABLE t (v bool, id int PRIMARY KEY); INSERT INTO t VALUES (true, 170)"),
        ] {
            database.execute(change);
            let keys = ids(first..first + 30);
            assert_eq!(client.multiread("t", &keys).text(), expected(database, "t", "id", &keys), "{change}");
        }
    });
}

/// A table, its key columns in SQL's order, and how to write the key of its row `n` as SQL's JSON.
struct Keyed {
    table: &'static str,
    columns: &'static str,
    definition: &'static str,
    rows: &'static str,
}

const ROWS: usize = 200;

const TABLES: [Keyed; 12] = [
    Keyed { table: "k_int", columns: "id", definition: "id int", rows: "n - 100" },
    Keyed { table: "k_pair", columns: "b, a", definition: "b int, a text", rows: "n / 7, 'é\"{' || n % 7" },
    Keyed {
        table: "k_numeric",
        columns: "id",
        definition: "id numeric",
        rows: "123456789012345678901234567890 + n / 1000.0",
    },
    Keyed { table: "k_float", columns: "id", definition: "id float8", rows: "n / 3.0::float8" },
    Keyed { table: "k_uuid", columns: "id", definition: "id uuid", rows: "md5(n::text)::uuid" },
    Keyed {
        table: "k_time",
        columns: "id",
        definition: "id timestamptz",
        rows: "timestamptz '2024-01-01+00' + n * interval '1 hour 0.001 s'",
    },
    Keyed {
        table: "k_date_bool",
        columns: "d, yes, c",
        definition: "d date, yes bool, c char(5)",
        rows: "date '2024-01-01' + n / 2, n % 2 = 0, 'c' || n % 3",
    },
    Keyed { table: "k_bytea", columns: "id", definition: "id bytea", rows: "decode(md5(n::text), 'hex')" },
    Keyed { table: "k_array", columns: "id", definition: "id int[]", rows: "ARRAY[n, NULL, n * 2]" },
    Keyed {
        table: "k_jsonb",
        columns: "id",
        definition: "id jsonb",
        rows: "jsonb_build_object('n', n, 'a', ARRAY['x'])",
    },
    Keyed { table: "k_range", columns: "id", definition: "id int4range", rows: "int4range(n, n + 5)" },
    Keyed {
        table: "k_interval_inet",
        columns: "iv, ip",
        definition: "iv interval, ip inet",
        rows: "n * interval '1 h', inet '10.0.0.0' + n",
    },
];

#[test]
fn random_sets_of_keys_are_what_sql_says() {
    with_server(|database, client| {
        for (seed, Keyed { table, columns, definition, rows }) in (1..).zip(TABLES) {
            // The odd rows are deleted: absent, though of the right type.
            database.execute(&format!(
                "CREATE TABLE {table} ({definition}, note text, PRIMARY KEY ({columns}));
                 INSERT INTO {table} SELECT {rows}, 'row ' || n FROM generate_series(0, {ROWS} - 1) n"
            ));
            let sql = format!("SELECT row_to_json(k)::text FROM (SELECT {columns} FROM {table}) k ORDER BY 1");
            let mut connection = database.connect();
            connection.batch_execute("SET TimeZone = 'UTC'").unwrap();
            let keys: Vec<String> = connection.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
            assert_eq!(keys.len(), ROWS);
            database.execute(&format!(
                "DELETE FROM {table} WHERE ctid IN
                 (SELECT ctid FROM (SELECT ctid, row_number() OVER () AS n FROM {table}) t WHERE n % 5 = 0)"
            ));
            for round in 0..6 {
                let picks = numbers(seed * 10 + round, 1 + usize::from(round) * 17, ROWS);
                let asked = array(picks.into_iter().map(|pick| keys[pick].clone()));
                let answer = client.multiread(table, &asked);
                assert_eq!(answer.text(), expected(database, table, columns, &asked), "{table} {asked}");
            }
        }
    });
}

#[test]
fn a_multiread_shares_the_loads_of_other_readers() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", r#"{"id":1}"#);
        let before = client.figure("keys_loaded");
        let lock = Lock::on(&database, "users");
        let (mut single, mut many) = (server.client(), server.client());
        single.send(&["PGCACHE.READ", "users", r#"{"id":2}"#]);
        eventually("one waits", || (client.figure("waiting_clients") == 1).then_some(()));
        let keys = r#"[{"id":2},{"id":3},{"id":2}]"#;
        many.send(&["PGCACHE.MULTIREAD", "users", keys]);
        eventually("both wait", || (client.figure("waiting_clients") == 2).then_some(()));
        lock.release();
        assert_eq!(single.receive().json()["id"], 2);
        assert_eq!(many.receive().text(), expected(&database, "users", "id", keys));
        assert_eq!(client.figure("keys_loaded") - before, 2);
    });
}
