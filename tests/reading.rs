//! READ as a client meets it: hits, misses, absent rows, times to live, keys and values.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

/// Runs `test` on each server, on a database with ten users.
fn with_users(test: impl Fn(&Database<'_>, &mut Client)) {
    with_settings(&[], test);
}

/// The same with module arguments.
fn with_settings(settings: &[(&str, &str)], test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let setup = Server::setup(&kind).on(&database);
        let server = settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value)).start();
        test(&database, &mut server.client());
    });
}

/// What PostgreSQL says the row is.
fn row(database: &Database<'_>, table: &str, condition: &str) -> String {
    database.text(&format!("SELECT row_to_json(t)::text FROM {table} t WHERE {condition}")).unwrap()
}

/// How long the entry for user `id` lives, in milliseconds; -1: for ever, -2: there is none.
fn pttl(client: &mut Client, id: u32) -> i64 {
    let key = client.key("users", &user(id));
    match client.call(&["PTTL", &key]) {
        Reply::Integer(ms) => ms,
        other => panic!("{other:?}"),
    }
}

fn user(id: u32) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// Far from now, so that the time the test itself takes does not matter.
const LONG: i64 = 1_000_000;

fn assert_lives(pttl: i64, seconds: i64) {
    assert!(((seconds - 1000) * 1000..=seconds * 1000).contains(&pttl), "{pttl} ms, not {seconds} s");
}

#[test]
fn a_miss_loads_the_row_and_a_hit_does_not() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 7");
        assert_eq!(client.read("users", &user(7)).text(), expected);
        database.execute("DROP TABLE users");
        assert_eq!(client.read("users", &user(7)).text(), expected);
        assert_eq!((client.figure("misses"), client.figure("hits")), (1, 1));
    });
}

#[test]
fn an_absent_row_is_nil_and_remembered() {
    with_settings(&[("negative_ttl", "1000000")], |_, client| {
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        assert_eq!((client.figure("misses"), client.figure("negative_hits")), (1, 1));
        // The TTL of rows is the shorter one here.
        assert!((1..=3_600_000).contains(&pttl(client, 99)));
    });
}

#[test]
fn an_absent_row_lives_for_negative_ttl() {
    with_settings(&[("negative_ttl", "1000000"), ("default_ttl", "0")], |_, client| {
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        assert_lives(pttl(client, 99), LONG);
    });
}

#[test]
fn an_absent_row_is_asked_for_again_when_negative_ttl_is_0() {
    with_settings(&[("negative_ttl", "0")], |database, client| {
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        assert_eq!(pttl(client, 99), -2);
        database.execute("INSERT INTO users VALUES (99, 'x', 'y')");
        assert_eq!(client.read("users", &user(99)).text(), row(database, "users", "id = 99"));
    });
}

#[test]
fn an_absent_row_that_appears_is_seen_when_negative_ttl_has_passed() {
    with_settings(&[("negative_ttl", "1")], |database, client| {
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        database.execute("INSERT INTO users VALUES (99, 'x', 'y')");
        let seen = eventually("the row is seen", || {
            Some(client.read("users", &user(99))).filter(|reply| *reply != Reply::Nil)
        });
        assert_eq!(seen.text(), row(database, "users", "id = 99"));
    });
}

#[test]
fn a_changed_row_is_seen_when_its_time_to_live_has_passed() {
    with_users(|database, client| {
        client.call(&["PGCACHE.READ", "users", &user(1), "1"]);
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        let expected = row(database, "users", "id = 1");
        eventually("the new row is seen", || (client.read("users", &user(1)).text() == expected).then_some(()));
    });
}

#[test]
fn a_row_lives_for_default_ttl() {
    with_settings(&[("default_ttl", "1000000")], |_, client| {
        client.read("users", &user(1));
        assert_lives(pttl(client, 1), LONG);
    });
}

#[test]
fn default_ttl_0_means_no_expiry() {
    with_settings(&[("default_ttl", "0")], |_, client| {
        client.read("users", &user(1));
        assert_eq!(pttl(client, 1), -1);
        client.call(&["PGCACHE.READ", "users", &user(2), "1000000"]);
        assert_lives(pttl(client, 2), LONG);
    });
}

#[test]
fn the_ttl_of_a_read_wins_and_a_hit_leaves_it() {
    with_users(|_, client| {
        client.call(&["PGCACHE.READ", "users", &user(1), "1000000"]);
        assert_lives(pttl(client, 1), LONG);
        client.call(&["PGCACHE.READ", "users", &user(1), "5"]);
        assert_lives(pttl(client, 1), LONG);
    });
}

#[test]
fn default_ttl_changes_while_the_server_runs() {
    with_users(|_, client| {
        assert_eq!(client.call(&["CONFIG", "SET", "pgcache.default_ttl", "1000000"]).text(), "OK");
        client.read("users", &user(1));
        assert_lives(pttl(client, 1), LONG);
    });
}

#[test]
fn jitter_shortens_each_life_by_its_own_share() {
    let settings = [("default_ttl", "1000000"), ("ttl_jitter_percent", "50")];
    with_settings(&settings, |database, client| {
        database.execute("INSERT INTO users SELECT n, 'u' || n, '' FROM generate_series(11, 100) n");
        let lives: Vec<i64> = (1..=100)
            .map(|id| {
                client.read("users", &user(id));
                pttl(client, id)
            })
            .collect();
        let (shortest, longest) = (*lives.iter().min().unwrap(), *lives.iter().max().unwrap());
        assert!(shortest >= (LONG / 2 - 1000) * 1000 && longest <= LONG * 1000, "{shortest} {longest}");
        // All within a fifth of the range: once in 10^60 runs.
        assert!(longest - shortest > LONG / 10 * 1000, "{shortest} {longest}");
    });
}

#[test]
fn every_spelling_of_a_key_is_one_entry() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 7");
        let spellings = [
            r#"{"id":7}"#,
            r#"{"id": 7}"#,
            " {\t\"id\" :\r\n7 } ",
            r#"{"id":"7"}"#,
            r#"{"id":"+7"}"#,
            r#"{"id":" 7 "}"#,
            r#"{"id":"007"}"#,
            r#"{"\u0069d":7}"#,
            r#"{"id":"\u0037"}"#,
        ];
        for spelling in spellings {
            assert_eq!(client.read("users", spelling).text(), expected, "{spelling}");
        }
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(1));
        assert_eq!(client.figure("keys_loaded"), 1);
    });
}

#[test]
fn every_spelling_of_a_tables_name_is_one_table() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 7");
        for name in ["users", "USERS", "public.users", r#""users""#, r#"public."users""#, "default:users"] {
            assert_eq!(client.read(name, &user(7)).text(), expected, "{name}");
        }
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(1));
        assert_eq!(client.read(r#""USERS""#, &user(7)).code(), "PGNOTABLE");
    });
}

#[test]
fn a_composite_key_may_come_in_any_order() {
    with_users(|database, client| {
        database.execute(
            "CREATE TABLE lines (user_id int, line_no int, note text, PRIMARY KEY (user_id, line_no));
             INSERT INTO lines VALUES (1, 2, 'one two'), (2, 1, 'two one')",
        );
        let expected = row(database, "lines", "user_id = 1");
        assert_eq!(client.read("lines", r#"{"user_id":1,"line_no":2}"#).text(), expected);
        assert_eq!(client.read("lines", r#"{"line_no":2,"user_id":1}"#).text(), expected);
        assert_eq!(client.figure("keys_loaded"), 1);
        assert_eq!(client.read("lines", r#"{"line_no":1,"user_id":1}"#), Reply::Nil);
    });
}

#[test]
fn a_unique_key_other_than_the_primary_one_is_a_key() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 3");
        assert_eq!(client.read("users", r#"{"email":"user3@example.com"}"#).text(), expected);
        assert_eq!(client.read("users", r#"{"email":"user3@example.com"}"#).text(), expected);
        assert_eq!(client.figure("hits"), 1);
        assert_eq!(client.read("users", r#"{"email":"nobody"}"#), Reply::Nil);
    });
}

#[test]
fn columns_that_are_not_unique_serve_while_they_match_one_row() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 3");
        assert_eq!(client.read("users", r#"{"name":"User 3"}"#).text(), expected);
        database.execute("UPDATE users SET name = 'twin' WHERE id IN (4, 5)");
        assert_eq!(client.read("users", r#"{"name":"twin"}"#).code(), "PGNOTUNIQUE");
        assert_eq!(client.read("users", r#"{"name":"nobody"}"#), Reply::Nil);
        let expected = row(database, "users", "id = 4");
        assert_eq!(client.read("users", r#"{"name":"twin","id":4}"#).text(), expected);
    });
}

#[test]
fn views_serve_like_tables() {
    with_users(|database, client| {
        database.execute(
            "CREATE VIEW names AS SELECT id, upper(name) AS name FROM users;
             CREATE VIEW pairs AS SELECT id / 2 AS half, name FROM users;
             CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM users",
        );
        assert_eq!(client.read("names", &user(3)).text(), row(database, "names", "id = 3"));
        assert_eq!(client.read("counted", r#"{"n":10}"#).text(), r#"{"n":10}"#);
        assert_eq!(client.read("pairs", r#"{"half":0}"#).text(), row(database, "pairs", "half = 0"));
        assert_eq!(client.read("pairs", r#"{"half":1}"#).code(), "PGNOTUNIQUE");
    });
}

#[test]
fn a_row_of_every_type_is_what_postgresql_writes() {
    with_users(|database, client| {
        database.execute(
            r#"CREATE TYPE mood AS ENUM ('sad', 'so "so"');
               CREATE TYPE inner_t AS (a int, b text[]);
               CREATE TYPE outer_t AS (i inner_t, at timestamptz);
               CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
               CREATE TABLE wide (
                 id int PRIMARY KEY, n30 numeric, n2 numeric(10, 2), nan numeric, big bigint, small smallint,
                 f4 real, f8 double precision, inf double precision, yes boolean, c char(5), v varchar(9),
                 t text, empty text, nothing text, j json, jb jsonb, ints int[], texts text[], nested int[][],
                 bytes bytea, d date, ti time, titz timetz, ts timestamp, tstz timestamptz, iv interval,
                 u uuid, ip inet, net cidr, mac macaddr, m money, b bit(4), vb bit varying, r int4range,
                 tr tstzrange, mood mood, o outer_t, os outer_t[], p percent, x xml, "Odd ""col""" int, pt point, k int DEFAULT 1, ord int DEFAULT 2, c1 text DEFAULT 'c',
                 always text GENERATED ALWAYS AS ('é' || id) STORED);
               INSERT INTO wide (id, n30, n2, nan, big, small, f4, f8, inf, yes, c, v, t, empty, j, jb, ints, texts,
                 nested, bytes, d, ti, titz, ts, tstz, iv, u, ip, net, mac, m, b, vb, r, tr, mood, o, os, p, x,
                 "Odd ""col""", pt)
               VALUES (1, 123456789012345678901234567890.123456789012345678901234567890, 1.10, 'NaN',
                 9223372036854775807, -32768, 0.1, 1e-300, '-Infinity', true, 'ab', 'vé', E'q"b\\s\n\t\u0001/€😀\u2028</x>', '',
                 '{"a" :  1, "a": [1.10, null]}', '{"b": 1.10, "a": {"é": "\u20ac"}}', '{1,NULL,3}',
                 ARRAY['a"b', NULL, '', 'é,{}'], '{{1,2},{3,4}}', '\x00ff0a', '2024-02-29', '23:59:59.999999',
                 '12:00:00+05:30', '2024-02-29 12:00:00.5', '2024-02-29 12:00:00+05:30',
                 '1 year 2 mons 3 days 04:05:06.7', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '10.0.0.1/8',
                 '10.0.0.0/8', '08:00:2b:01:02:03', 1234.5, B'1010', B'10', '[1,5)',
                 '[2024-01-01 00:00:00+02,)', 'so "so"', ROW(ROW(1, '{x,"y z"}'), '2024-01-01 00:00:00+02'),
                 ARRAY[ROW(NULL, NULL)::outer_t, NULL], 50, '<a b="c"/>', 5, '(1,2)'),
                 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                 NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"#,
        );
        // What the product pins, whatever the database says.
        let expected = |id: i32| {
            let mut connection = database.connect();
            connection
                .batch_execute(
                    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'; SET extra_float_digits = 1",
                )
                .unwrap();
            let sql = "SELECT row_to_json(w.*)::text FROM wide w WHERE id = $1";
            connection.query_one(sql, &[&id]).unwrap().get::<_, String>(0)
        };
        database.execute(&format!(
            "ALTER DATABASE {0} SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE {0} SET DateStyle = 'SQL, DMY';
             ALTER DATABASE {0} SET bytea_output = 'escape'; ALTER DATABASE {0} SET extra_float_digits = 0",
            database.name
        ));
        for id in [1, 2] {
            let key = format!(r#"{{"id":{id}}}"#);
            assert_eq!(client.read("wide", &key).text(), expected(id), "from PostgreSQL");
            assert_eq!(client.read("wide", &key).text(), expected(id), "from the cache");
            assert_eq!(client.multiread("wide", &format!("[{key}]")).text(), format!("[{}]", expected(id)));
        }
    });
}

#[test]
fn a_row_larger_than_max_entry_bytes_is_answered_and_not_stored() {
    with_settings(&[("max_entry_bytes", "100")], |database, client| {
        database.execute("UPDATE users SET name = repeat('é', 5000) WHERE id = 2");
        assert_eq!(client.read("users", &user(1)).text(), row(database, "users", "id = 1"));
        for _ in 0..2 {
            assert_eq!(client.read("users", &user(2)).text(), row(database, "users", "id = 2"));
        }
        assert_eq!((pttl(client, 1) > 0, pttl(client, 2)), (true, -2));
        assert_eq!((client.figure("fills"), client.figure("fills_skipped")), (1, 2));
    });
}

#[test]
fn a_row_of_ten_megabytes_is_answered() {
    with_users(|database, client| {
        database.execute("UPDATE users SET name = repeat('x', 10000000) WHERE id = 1");
        assert_eq!(client.read("users", &user(1)).text(), row(database, "users", "id = 1"));
    });
}

#[test]
fn a_value_of_somebody_elses_under_a_cache_key_is_replaced() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 1");
        let key = client.key("users", &user(1));
        let foreign: [&[&str]; 5] = [
            &["SET", &key, "hello"],
            &["SET", &key, ""],
            &["SET", &key, "[1]"],
            &["RPUSH", &key, "a", "b"],
            &["HSET", &key, "a", "b"],
        ];
        for (before, command) in foreign.iter().enumerate() {
            client.call(&["DEL", &key]);
            client.call(command);
            assert_eq!(client.read("users", &user(1)).text(), expected, "{command:?}");
            assert_eq!(client.figure("foreign_values"), before as u64 + 1);
            assert_eq!(client.call(&["GET", &key]).text(), expected, "{command:?}");
        }
        assert_eq!(client.read("users", &user(1)).text(), expected);
        assert_eq!(client.figure("hits"), 1);
    });
}

#[test]
fn the_cache_is_in_database_0_whichever_the_client_has_selected() {
    with_users(|database, client| {
        let expected = row(database, "users", "id = 1");
        assert_eq!(client.call(&["SELECT", "3"]).text(), "OK");
        assert_eq!(client.read("users", &user(1)).text(), expected);
        assert_eq!(client.read("users", &user(1)).text(), expected);
        assert_eq!(client.figure("hits"), 1);
        client.call(&["PGCACHE.WRITE", "users", &user(2), "{}"]);
        client.call(&["SET", "mine", "1"]);
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(1), "the client is still in database 3");
        client.call(&["SELECT", "0"]);
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(2));
        client.call(&["SELECT", "3"]);
        client.invalidate("users", &user(1));
        assert_eq!(client.read("users", &user(2)).text(), "{}");
        client.call(&["SELECT", "0"]);
        assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(1));
    });
}

#[test]
fn a_table_that_changes_is_read_as_it_is_now() {
    with_users(|database, client| {
        client.read("users", &user(1));
        database.execute("ALTER TABLE users RENAME COLUMN name TO title; ALTER TABLE users ADD extra int DEFAULT 5");
        assert_eq!(client.read("users", &user(2)).text(), row(database, "users", "id = 2"));
        database.execute("DROP TABLE users");
        assert_eq!(client.read("users", &user(3)).code(), "PGNOTABLE");
        database.with_users(3);
        assert_eq!(client.read("users", &user(3)).text(), row(database, "users", "id = 3"));
    });
}

#[test]
fn what_does_not_exist_has_an_error_of_its_own() {
    with_users(|_, client| {
        assert_eq!(client.read("nothing", &user(1)).code(), "PGNOTABLE");
        assert_eq!(client.read("nowhere.users", &user(1)).code(), "PGNOTABLE");
        assert_eq!(client.read("nosource:users", &user(1)).code(), "PGNOTABLE");
        assert_eq!(client.read("users", r#"{"colour":1}"#).code(), "PGNOCOLUMN");
        assert_eq!(client.read("users", r#"{"ID":1}"#).code(), "PGNOCOLUMN");
        assert_eq!(client.read("users", r#"{"id":"abc"}"#).code(), "PGBADVALUE");
        assert_eq!(client.read("users", r#"{"id":9223372036854775808}"#).code(), "PGBADVALUE");
        assert_eq!(client.read("pg_catalog.pg_class", r#"{"relname":"users"}"#).code(), "NOPERM");
        assert_eq!(client.read("pg_authid", r#"{"rolname":"postgres"}"#).code(), "NOPERM");
        assert_eq!(client.read("information_schema.tables", r#"{"table_name":"users"}"#).code(), "NOPERM");
    });
}

#[test]
fn readers_of_one_cold_row_share_one_statement() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", &user(1));
        // The row cannot be read before all have asked.
        let lock = Lock::on(&database, "users");
        let mut readers: Vec<Client> = (0..50).map(|_| server.client()).collect();
        readers.iter_mut().for_each(|reader| reader.send(&["PGCACHE.READ", "users", &user(2)]));
        eventually("all wait", || (client.figure("waiting_clients") == 50).then_some(()));
        lock.release();
        let expected = row(&database, "users", "id = 2");
        readers.iter_mut().for_each(|reader| assert_eq!(reader.receive().text(), expected));
        assert_eq!((client.figure("keys_loaded"), client.figure("coalesced")), (2, 49));
    });
}
