//! Queries that are refused: hostile SQL and arguments, limits, and what a user or a role may not read.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::queries::{any, define, inspect, is_stored, query, store};
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

const MEGABYTE: usize = 1 << 20;

fn database() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10).execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, item text); INSERT INTO orders VALUES (1, 'pen');
         CREATE SEQUENCE numbers",
    );
    database
}

/// Runs `test`; then the server must still serve, and PostgreSQL must be as it was.
fn with_any(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = database();
        let mut server = any(&kind, &database).start();
        test(&database, &server, &mut server.client());
        server.assert_alive();
        assert_eq!(database.number("SELECT count(*) FROM users WHERE name LIKE 'User %'"), 10);
        assert_eq!(database.number("SELECT count(*) FROM pg_class WHERE relname IN ('made', 'users', 'orders')"), 2);
        assert_eq!(database.text("SELECT is_called::text FROM numbers"), Some("false".into()));
        assert_eq!(query(&mut server.client(), &["SELECT item FROM orders"]).json(), json!([{"item": "pen"}]));
    });
}

/// Sends words to which there is no right answer: one line of a typed error, and the server in step.
fn refused<W: AsRef<[u8]>>(client: &mut Client, words: &[W]) -> String {
    let shown = |word: &W| String::from_utf8_lossy(&word.as_ref()[..word.as_ref().len().min(60)]).into_owned();
    let shown = words.iter().map(shown).collect::<Vec<_>>();
    let reply = query(client, words);
    let Reply::Error(text) = &reply else { panic!("{shown:?} -> {:.300}", format!("{reply:?}")) };
    assert!(["ERR", "NOPERM", "PGNOTABLE", "PGBADVALUE", "PGERR"].contains(&reply.code()), "{shown:?} -> {text:.300}");
    assert!(!text.contains("internal error") && !text.starts_with("PGERR XX"), "{shown:?} -> {text}");
    assert!(text.len() <= 1100 && !text.contains(char::is_control), "{shown:?} -> {text:.300}");
    assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()), "out of step: {shown:?}");
    text.clone()
}

#[test]
fn whatever_is_no_single_query_is_refused() {
    with_any(|_, _, client| {
        for sql in [
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE users",
            "SELECT 1) q, (SELECT 2",
            "SELECT 1) q --",
            "SELECT 1) q; DROP TABLE users; SELECT 1 FROM (SELECT 1",
            "(SELECT 1",
            "SELECT 1)",
            "SELECT 'no end",
            "SELECT 1 /* no end",
            "SELECT $$ no end",
            "",
            " \n\t",
            "-- nothing",
            ";",
            "SELEC 1",
        ] {
            let error = refused(client, &[sql]);
            assert!(error.starts_with("PGERR 42601 ") || error.starts_with("ERR "), "{sql}: {error}");
        }
    });
}

#[test]
fn nothing_is_written_through_a_query() {
    with_any(|_, _, client| {
        for sql in [
            "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone",
            "WITH made AS (INSERT INTO users VALUES (99) RETURNING id) SELECT * FROM made",
            "DELETE FROM users RETURNING id",
            "UPDATE users SET name = 'x' RETURNING id",
            "INSERT INTO users VALUES (99)",
            "SELECT nextval('numbers')",
            "SELECT setval('numbers', 5)",
            "SELECT set_config('transaction_read_only', 'off', true)",
            "SELECT set_config('transaction_read_only', 'off', false), nextval('numbers')",
            "SELECT id FROM users FOR UPDATE",
            "SELECT id INTO made FROM users",
            "CREATE TABLE made AS SELECT 1",
            "CREATE TEMP TABLE made (id int)",
            "DROP TABLE users",
            "TRUNCATE users",
            "ALTER TABLE users ADD COLUMN x int",
            "COPY users TO STDOUT",
            "COPY users FROM STDIN",
            "COPY users FROM PROGRAM 'echo 99'",
            "COMMIT",
            "COMMIT AND CHAIN",
            "ROLLBACK",
            "BEGIN READ WRITE",
            "SET TRANSACTION READ WRITE",
            "SET search_path = nowhere",
            "RESET ALL",
            "DISCARD ALL",
            "LISTEN cache_invalidation",
            "NOTIFY cache_invalidation",
            "LOCK TABLE users IN ACCESS SHARE MODE",
            "PREPARE p AS SELECT 1",
            "DECLARE c CURSOR FOR SELECT 1",
            "DO $$ BEGIN DELETE FROM users; END $$",
            "VACUUM",
            "CHECKPOINT",
            "CALL nothing()",
        ] {
            refused(client, &[sql]);
        }
    });
}

#[test]
fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
    with_any(|_, _, client| {
        let all = "SELECT $1::text AS t";
        let garbage: [&[u8]; 6] = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"a\0b", b"\0", b"x\xf0\x9f"];
        for bytes in garbage {
            let quoted = [b"SELECT '", bytes, b"' AS t"].concat();
            let parameter = [b"[\"", bytes, b"\"]"].concat();
            let cases: [&[&[u8]]; 8] = [
                &[bytes],
                &[&quoted],
                &[all.as_bytes(), bytes],
                &[all.as_bytes(), &parameter],
                &[b"NAME", bytes],
                &[all.as_bytes(), b"[1]", b"TAGS", b"1", bytes],
                &[all.as_bytes(), b"[1]", b"SOURCE", bytes],
                &[all.as_bytes(), b"[1]", bytes],
            ];
            for words in cases {
                refused(client, words);
                assert!(matches!(inspect(client, words), Reply::Error(_) | Reply::Array(_)));
                assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()));
            }
            let tag: [&[u8]; 3] = [b"PGCACHE.FLUSH", b"TAG", bytes];
            assert!(matches!(client.call(&tag), Reply::Error(_) | Reply::Integer(0)));
        }
        // PostgreSQL's texts have no such character, however it is spelled.
        refused(client, &[all, r#"["\u0000"]"#]);
        refused(client, &[all, r#"["\ud800"]"#]);
    });
}

#[test]
fn parameters_that_are_no_list_are_refused() {
    with_any(|_, _, client| {
        let all = "SELECT $1::text AS t";
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let open = "[".repeat(MEGABYTE);
        let many = format!("[{}]", vec!["1"; 70_000].join(","));
        for parameters in [
            "{}", "1", "null", "\"x\"", "", " ", "[", "[1]]", "[1,]", "[,1]", "['x']", "[1] x", "[01]", "NaN", "[nul]",
            &deep, &open, &many,
        ] {
            refused(client, &[all, parameters]);
            refused(client, &["SELECT $1::json AS j", parameters]);
        }
        let wanted = json!([{"t": "x".repeat(MEGABYTE)}]);
        let large = format!("[\"{}\"]", "x".repeat(MEGABYTE));
        match query(client, &[all, &large]) {
            // There may be a limit, and then it is said.
            Reply::Error(text) => assert!(text.starts_with("ERR "), "{text}"),
            answer => assert_eq!(answer.json(), wanted),
        }
    });
}

#[test]
fn options_that_make_no_sense_are_refused() {
    with_any(|_, _, client| {
        let cases: [&[&str]; 27] = [
            &["TAGS"],
            &["TAGS", "-1"],
            &["TAGS", "-1", "a"],
            &["TAGS", "99999999999", "a"],
            &["TAGS", "18446744073709551617", "a"],
            &["TAGS", "2", "a"],
            &["TAGS", "x", "a"],
            &["TAGS", "", "a"],
            &["TAGS", "1", "a", "b"],
            &["TAGS", "1.0", "a"],
            &["TTL"],
            &["TTL", "0"],
            &["TTL", "-1"],
            &["TTL", "x"],
            &["TTL", ""],
            &["TTL", "1.5"],
            &["TTL", "1e3"],
            &["TTL", " 60"],
            &["TTL", "2147483648"],
            &["TTL", "99999999999999999999"],
            &["SOURCE"],
            &["SOURCE", ""],
            &["SOURCE", "nothing"],
            &["BOGUS", "1"],
            &["[]", "BOGUS"],
            &["[]", "[]"],
            &["[]", "60"],
        ];
        for options in cases {
            refused(client, &[&["SELECT 1 AS one"], options].concat());
        }
        for words in [&["NAME"][..], &["NAME", ""], &["NAME", "nothing"], &["NAME", "nothing", "[]", "TTL", "5"]] {
            assert!(refused(client, words).starts_with("ERR "), "{words:?}");
        }
        assert_eq!(query::<&str>(client, &[]).code(), "ERR");
        for words in [&[][..], &["NAME"], &["SELECT 1", "TAGS", "2", "a"], &["SELECT 1", "{}"], &["NAME", "nothing"]] {
            assert_eq!(inspect(client, words).code(), "ERR", "{words:?}");
        }
    });
}

#[test]
fn a_megabyte_of_sql_is_told_in_a_line() {
    with_any(|_, _, client| {
        for sql in [
            "x".repeat(MEGABYTE),
            format!("SELECT {}1", "(".repeat(MEGABYTE)),
            format!("SELECT '{}", "x".repeat(10 * MEGABYTE)),
            format!("SELECT {}", vec!["1"; 2000].join(",")),
        ] {
            refused(client, &[&sql]);
        }
        let long = format!("SELECT length('{}') AS n", "x".repeat(100_000));
        match query(client, &[&long]) {
            Reply::Error(text) => assert!(text.starts_with("ERR "), "{text}"),
            answer => assert_eq!(answer.json(), json!([{"n": 100_000}])),
        }
    });
}

#[test]
fn max_query_rows_bounds_a_result() {
    with_any(|_, _, client| {
        let numbers = "SELECT n FROM generate_series(1, $1::int) n";
        assert_eq!(query(client, &[numbers, "[10000]"]).json().as_array().unwrap().len(), 10_000);
        let refusal = refused(client, &[numbers, "[10001]"]);
        assert!(refusal.starts_with("ERR ") && refusal.contains("max_query_rows"), "{refusal}");
        client.set("max_query_rows", "3");
        assert_eq!(query(client, &[numbers, "[3]"]).json(), json!([{"n": 1}, {"n": 2}, {"n": 3}]));
        refused(client, &[numbers, "[4]"]);
        refused(client, &["SELECT generate_series(1, 1000000) AS n"]);
        client.set("max_query_rows", "4");
        assert_eq!(query(client, &[numbers, "[4]"]).json().as_array().unwrap().len(), 4);
    });
}

#[test]
fn max_entry_bytes_bounds_what_is_stored() {
    with_any(|_, _, client| {
        client.set("max_entry_bytes", "1000");
        let words = &["SELECT repeat('x', 2000) AS t"];
        for _ in 0..3 {
            assert_eq!(query(client, words).json(), json!([{"t": "x".repeat(2000)}]));
            assert!(!is_stored(client, words));
        }
        assert!(client.figure("fills_skipped") > 0);
        client.set("max_entry_bytes", "10000");
        store(client, words);
    });
}

#[test]
fn a_query_that_takes_too_long_is_a_timeout() {
    with_any(|database, _, client| {
        client.set("statement_timeout_ms", "100");
        let sleepy = "SELECT 1 AS n FROM pg_sleep(600)";
        assert_eq!(query(client, &[sleepy]).code(), "PGTIMEOUT");
        client.set("statement_timeout_ms", "600000");
        let lock = Lock::on(database, "users");
        client.set("load_timeout_ms", "50");
        assert_eq!(query(client, &["SELECT id FROM users"]).code(), "PGTIMEOUT");
        client.set("load_timeout_ms", "600000");
        lock.release();
        eventually("it is answered again", || (query(client, &["SELECT id FROM users"]).code() == "").then_some(()));
    });
}

/// What PostgreSQL works at for this database, beside whoever asks.
const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";

#[test]
fn a_query_that_would_not_end_is_a_timeout_and_leaves_postgresql_idle() {
    with_any(|database, _, client| {
        database.execute(
            "CREATE FUNCTION patient() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM set_config('statement_timeout', '0', false); LOOP PERFORM pg_sleep(1); END LOOP; END $$;
             CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
                 RAISE LOG 'stubborn in %.', current_database();
                 LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
             CREATE FUNCTION planned() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT patient()';
             CREATE FUNCTION planned_stubborn() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT stubborn()'",
        );
        client.set("statement_timeout_ms", "200");
        for sql in [
            "SELECT n FROM generate_series(1, 1000000000) n",
            "SELECT n FROM generate_series(1, 1000000000) n ORDER BY 1 LIMIT 1",
            "SELECT count(*) AS n FROM users a, users b, users c, users d, users e, users f, users g, users h, users i, users j",
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT count(*) AS n FROM c",
            "SELECT patient() AS n",
            "SELECT stubborn() AS n",
            "SELECT planned() AS n",
            "SELECT planned_stubborn() AS n",
        ] {
            assert_eq!(query(client, &[sql]).code(), "PGTIMEOUT", "{sql}");
            eventually("PostgreSQL has ended it", || (database.number(AT_WORK) == 0).then_some(()));
        }
        client.set("statement_timeout_ms", FOREVER_MS);
        // Each was run once, although its connection had to be closed.
        let begun = format!("stubborn in {}.", database.name);
        assert_eq!(database.postgres.log().matches(&begun).count(), 2);
    });
}

fn allowing(kind: &Kind, database: &Database<'_>, tables: &str) -> Server {
    any(kind, database).setting("allow_tables", tables).start()
}

#[test]
fn what_reads_a_table_that_is_not_allowed_is_refused() {
    on_every_server(|kind| {
        let database = database();
        database.execute(
            "CREATE FUNCTION opaque() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN
                 RETURN (SELECT string_agg(name, ',') FROM users); END $$;
             CREATE FUNCTION inlined() RETURNS SETOF text STABLE LANGUAGE sql AS 'SELECT name FROM users';
             CREATE FUNCTION hiding() RETURNS text STABLE LANGUAGE plpgsql AS $$
             DECLARE found text; BEGIN
                 BEGIN SELECT string_agg(name, ',') INTO found FROM users; RAISE 'x'; EXCEPTION WHEN OTHERS THEN END;
                 RETURN found; END $$;
             CREATE TABLE order2 (name text);
             CREATE TABLE child () INHERITS (order2); INSERT INTO child SELECT name FROM users",
        );
        let server = allowing(&kind, &database, "order?");
        let mut client = server.client();
        assert_eq!(query(&mut client, &["SELECT item FROM orders"]).json(), json!([{"item": "pen"}]));
        for sql in [
            "SELECT * FROM users",
            "SELECT o.id FROM orders o JOIN users u ON u.id = o.id",
            "SELECT id FROM orders WHERE EXISTS (SELECT FROM public.users)",
            "SELECT id FROM orders WHERE false AND EXISTS (SELECT FROM users)",
            "SELECT item FROM orders UNION ALL SELECT name FROM users",
            "SELECT opaque()",
            "SELECT hiding()",
            "SELECT * FROM inlined()",
            "SELECT c.* FROM order2 p, child c",
            "SELECT * FROM child",
            "SELECT query_to_xml('SELECT name FROM users', false, false, '')::text",
        ] {
            for _ in 0..2 {
                let reply = query(&mut client, &[sql]);
                assert_eq!(reply.code(), "NOPERM", "{sql}: {reply:?}");
                assert!(!format!("{reply:?}").contains("User 1"), "{reply:?}");
            }
        }
    });
}

#[test]
fn catalogs_are_closed_whatever_allow_tables_says() {
    on_every_server(|kind| {
        let database = database();
        for tables in ["", "*", "*.*, pg_authid, pg_catalog.*"] {
            let server = allowing(&kind, &database, tables);
            let mut client = server.client();
            for sql in [
                "SELECT rolname FROM pg_authid",
                r#"SELECT rolname FROM "pg_catalog"."pg_authid""#,
                "SELECT usename FROM pg_shadow",
                "SELECT table_name FROM information_schema.tables",
                "SELECT id FROM users WHERE EXISTS (SELECT FROM pg_authid)",
                "SELECT query_to_xml('SELECT rolname FROM pg_authid', false, false, '')::text",
            ] {
                let reply = query(&mut client, &[sql]);
                assert_eq!(reply.code(), "NOPERM", "{tables}: {sql}: {reply:?}");
            }
        }
    });
}

#[test]
fn a_user_may_ask_what_its_keys_allow_and_nothing_else() {
    with_any(|_, server, client| {
        let items = "SELECT item FROM orders WHERE id = $1";
        for name in ["top", "topmost", "other", "top2"] {
            define(client, &[name, items]);
        }
        // What looks like one of top's own results; it may be no name at all.
        client.call(&["PGCACHE.DEFINE", "top:secret", items]);
        client.call(&["ACL", "SETUSER", "eve", "reset", "on", "nopass", "+@all", "~pg_cache:@query:top:*"]);
        let mut eve = server.client();
        eve.call(&["AUTH", "eve", "x"]);
        let others: [&[&str]; 6] = [
            &["NAME", "other", "[1]"],
            &["NAME", "topmost", "[1]"],
            &["NAME", "top2", "[1]"],
            &["SELECT item FROM orders"],
            &["SELECT item FROM orders", "[]", "TAGS", "1", "pg_cache:@query:top:x"],
            &["NAME", "top:secret", "[1]"],
        ];
        // Cold, and where the result is there for the taking.
        for _ in 0..2 {
            assert_eq!(query(&mut eve, &["NAME", "top", "[1]"]).json(), json!([{"item": "pen"}]));
            assert!(matches!(inspect(&mut eve, &["NAME", "top", "[1]"]), Reply::Array(_)));
            for words in others {
                let codes: &[&str] = if words.contains(&"top:secret") { &["NOPERM", "ERR"] } else { &["NOPERM"] };
                for reply in [query(&mut eve, words), inspect(&mut eve, words)] {
                    assert!(codes.contains(&reply.code()), "{words:?}: {reply:?}");
                }
                query(client, words);
            }
        }
        for command in [
            &["PGCACHE.READ", "orders", r#"{"id":1}"#][..],
            &["PGCACHE.FLUSH", "TAG", "x"],
            &["PGCACHE.FLUSH", "ALL"],
            &["PGCACHE.DEFINE", "top", "SELECT * FROM users"],
            &["PGCACHE.DEFINE", "mine", "SELECT 1"],
            &["PGCACHE.DEFINE", "DEL", "top"],
        ] {
            assert_eq!(eve.call(command).code(), "NOPERM", "{command:?}");
        }
        // Who may not use the command may not ask, whatever the keys.
        client.call(&["ACL", "SETUSER", "eve", "reset", "on", "nopass", "~*", "+@all", "-pgcache.query"]);
        eve.call(&["AUTH", "eve", "x"]);
        assert_eq!(query(&mut eve, &["NAME", "top", "[1]"]).code(), "NOPERM");
    });
}

#[test]
fn errors_and_logs_hold_no_values() {
    with_any(|_, server, client| {
        const SECRET: &str = "hunter2";
        let by_id = "SELECT id FROM users WHERE id = $1";
        for parameters in [format!("[\"{SECRET}\"]"), format!("[{{\"{SECRET}\":1}}]"), format!("[{SECRET}]")] {
            let error = refused(client, &[by_id, &parameters]);
            assert!(!error.contains(SECRET), "{error}");
        }
        assert!(!server.log().contains(SECRET));
    });
}
