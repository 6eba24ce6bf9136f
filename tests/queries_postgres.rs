//! Queries against a real PostgreSQL: what they bring, what they read, and that they leave nothing behind.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcache::cache::error::Error;
use pgcache::postgres::query::{
    describe, describe_relations, run, run_together, QueryDescription, QueryLimits, QueryPlan, QueryRows,
};
use pgcache::postgres::{Session, Source};
use pgcache::settings::{self, Invalidation};
use proptest::prelude::*;
use serde_json::json;
use support::server::FOREVER_MS;
use support::{Database, Postgres};

const LIMITS: QueryLimits = QueryLimits { max_rows: 1000, max_bytes: 1 << 20 };

/// A database that `sql` made, and the one connection of a source to it.
fn with(sql: &str, test: impl Fn(&Database<'_>, &mut Session)) {
    let database = Postgres::shared().database();
    database.execute(sql);
    let source = open(&database, "postgres");
    test(&database, &mut session(&source));
}

fn open(database: &Database<'_>, user: &str) -> Arc<Source> {
    let port = database.postgres.port().to_string();
    let args = [
        ("pg_host", "127.0.0.1"),
        ("pg_port", &port),
        ("pg_database", &database.name),
        ("pg_user", user),
        ("pool_size", "1"),
        ("connect_timeout_ms", FOREVER_MS),
    ];
    let args: Vec<String> = args.iter().flat_map(|(name, value)| [name.to_string(), value.to_string()]).collect();
    let settings = settings::load(&args, []).unwrap().settings;
    Source::open(Arc::clone(&settings.sources[0]), Box::new(|_| {})).unwrap()
}

fn session(source: &Arc<Source>) -> pgcache::postgres::PooledSession {
    source.session(Instant::now() + Duration::from_secs(60)).unwrap()
}

fn plan(sql: &str) -> QueryPlan {
    QueryPlan { sql: sql.into(), title: "the query".into() }
}

/// Runs `sql`; an error is told as the engine tells it.
fn query(session: &mut Session, sql: &str, params: &str) -> Result<QueryRows, Error> {
    limited(session, sql, params, LIMITS)
}

fn limited(session: &mut Session, sql: &str, params: &str, limits: QueryLimits) -> Result<QueryRows, Error> {
    let mut nothing_early = |rows| panic!("{rows:?} were handed over early");
    match run(session, &plan(sql), params, limits, false, &mut nothing_early) {
        Ok(rows) => rows.map(Option::unwrap),
        Err(error) => Err(pgcache::postgres::error_from(&error, "the query")),
    }
}

/// What a query that was described as plain hands over, each time that it does, and what it returns.
fn early(session: &mut Session, sql: &str, params: &str) -> (Vec<String>, Result<Option<QueryRows>, Error>) {
    let mut early = Vec::new();
    let ran = run(session, &plan(sql), params, LIMITS, true, &mut |rows| early.push(text(&rows)));
    (early, ran.unwrap())
}

fn text(rows: &QueryRows) -> String {
    String::from_utf8(rows.json.to_vec()).unwrap()
}

fn rows(session: &mut Session, sql: &str, params: &str) -> String {
    text(&query(session, sql, params).unwrap_or_else(|error| panic!("{sql} {params}: {error}")))
}

fn error(session: &mut Session, sql: &str, params: &str) -> String {
    let error = query(session, sql, params).expect_err(sql).to_string();
    assert!(!session.is_closed(), "{sql}: {error}");
    error
}

fn described(session: &mut Session, sql: &str) -> QueryDescription {
    describe(session, sql, Invalidation::Notify).unwrap().unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The names of the tables that `sql` reads, and that running it shows nothing that describing did not.
fn tables(session: &mut Session, sql: &str) -> Vec<String> {
    let description = described(session, sql);
    let ran = query(session, sql, "[]").unwrap();
    for oid in &ran.relations {
        assert!(description.relations.contains(oid), "{sql}: {oid} was read");
    }
    names(&description)
}

fn names(description: &QueryDescription) -> Vec<String> {
    let mut names: Vec<String> = description.tables.iter().map(|table| table.display.clone()).collect();
    names.sort();
    names
}

fn untracked(session: &mut Session, sql: &str) -> Vec<String> {
    described(session, sql).untracked
}

fn oid(database: &Database<'_>, relation: &str) -> u32 {
    u32::try_from(database.number(&format!("SELECT '{relation}'::regclass::oid::int8"))).unwrap()
}

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text, age int);
    INSERT INTO users VALUES (1, 'Ann', 30), (2, 'Bob', NULL), (3, 'Cid', 50);
    CREATE TABLE orders (id int PRIMARY KEY, user_id bigint REFERENCES users, total numeric(10, 2));
    INSERT INTO orders VALUES (1, 1, 10), (2, 1, 2.50), (3, 3, 7);";

// What a query brings.

#[test]
fn rows_are_what_row_to_json_writes() {
    with(USERS, |database, session| {
        for sql in [
            "SELECT * FROM users ORDER BY id",
            "SELECT name, sum(total) AS total FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY name ORDER BY name DESC",
            "SELECT 1 AS q, 2 AS q, 'x' AS \"a \"\"b\"\"\", NULL, ARRAY[1, 2], now() - now() AS i, '2024-01-01'::date AS d",
            "SELECT q FROM (SELECT 1 AS q) AS q",
            "VALUES (1, 'a'), (2, 'b')",
            "TABLE orders ORDER BY total",
            "WITH u AS (SELECT * FROM users) SELECT u FROM u ORDER BY id",
            "SELECT FROM users",
            "SELECT 1 UNION ALL SELECT 2",
        ] {
            let expected = format!(
                "SELECT '[' || coalesce(string_agg(row_to_json(x.*)::text, ','), '') || ']' FROM ({sql}) AS x"
            );
            assert_eq!(rows(session, sql, "[]"), database.text(&expected).unwrap(), "{sql}");
        }
    });
}

#[test]
fn the_order_is_that_of_the_statement() {
    with("CREATE TABLE t AS SELECT n, md5(n::text) AS h FROM generate_series(1, 900) AS n", |_, session| {
        let json: Vec<serde_json::Value> =
            serde_json::from_str(&rows(session, "SELECT h FROM t ORDER BY h DESC", "[]")).unwrap();
        let told: Vec<&str> = json.iter().map(|row| row["h"].as_str().unwrap()).collect();
        let mut sorted = told.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!((told.len(), &told), (900, &sorted));
    });
}

#[test]
fn no_rows_are_an_empty_array() {
    with(USERS, |_, session| {
        assert_eq!(rows(session, "SELECT * FROM users WHERE false", "[]"), "[]");
        assert_eq!(rows(session, "SELECT * FROM users WHERE id = $1", "[99]"), "[]");
    });
}

#[test]
fn rows_of_a_plain_query_are_handed_over_once_and_never_when_it_fails() {
    with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)", |_, session| {
        let sql = "SELECT 2 / id AS half FROM t WHERE id >= $1 ORDER BY id";
        for _ in 0..2 {
            let (handed_over, returned) = early(session, sql, "[1]");
            assert_eq!((handed_over, returned), (vec![r#"[{"half":2},{"half":1}]"#.to_owned()], Ok(None)));
        }
        for (sql, params) in [
            ("SELECT 1 / (id - 2) AS none FROM t ORDER BY id", "[]"),
            ("SELECT * FROM generate_series(1, 1001)", "[]"),
            (sql, r#"["x"]"#),
        ] {
            let (handed_over, returned) = early(session, sql, params);
            assert!(handed_over.is_empty() && returned.is_err(), "{sql}: {handed_over:?}");
        }
        assert!(!session.is_closed(), "the transaction has ended");
    });
}

#[test]
fn runs_in_one_transaction_hand_over_what_went_well_at_once() {
    with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)", |_, session| {
        let (plan, mut early) = (plan("SELECT id FROM t WHERE id = $1"), Vec::new());
        let all = ["[2]", "[]", "[1]", "[3]", r#"["x"]"#, "[1]"];
        let mut hand_over = |rows: Vec<(usize, QueryRows)>| {
            early.push(rows.iter().map(|(index, rows)| (*index, text(rows))).collect::<Vec<_>>());
        };
        run_together(session, &plan, &all, LIMITS, &mut hand_over).unwrap();
        let expected = [(0, r#"[{"id":2}]"#), (2, r#"[{"id":1}]"#), (3, "[]")];
        assert_eq!(early, [expected.map(|(index, rows)| (index, rows.to_owned()))]);
        assert!(!session.is_closed(), "the transaction has ended");
    });
}

#[test]
fn comments_and_semicolons_may_stand_at_the_end() {
    with(USERS, |_, session| {
        for end in [";", " ; \n ;", " -- all of it", " /* all */", " -- all; of it;", "\n-- 'all'\n;"] {
            assert_eq!(rows(session, &format!("SELECT 1 AS n{end}"), "[]"), r#"[{"n":1}]"#, "{end}");
        }
    });
}

#[test]
fn too_many_rows_or_bytes_are_refused() {
    with(USERS, |_, session| {
        let sql = "SELECT n FROM generate_series(1, $1) AS n";
        let few = QueryLimits { max_rows: 10, max_bytes: 1 << 20 };
        assert!(limited(session, sql, "[10]", few).is_ok());
        let error = limited(session, sql, "[11]", few).unwrap_err();
        assert_eq!(error.to_string(), "ERR the query returns more than 10 rows: add a LIMIT or raise max_query_rows");
        let small = QueryLimits { max_rows: 100_000, max_bytes: 17 };
        assert_eq!(text(&limited(session, sql, "[2]", small).unwrap()), r#"[{"n":1},{"n":2}]"#);
        let smaller = QueryLimits { max_rows: 100_000, max_bytes: 16 };
        let error = limited(session, sql, "[100000]", smaller).unwrap_err();
        assert_eq!(error.to_string(), "ERR the query returns more than 16 bytes");
        assert_eq!(rows(session, "SELECT 1 AS n", "[]"), r#"[{"n":1}]"#);
        let none = QueryLimits { max_rows: 0, max_bytes: 100 };
        assert_eq!(limited(session, "SELECT 1", "[]", none).unwrap_err().code(), "ERR");
        assert_eq!(text(&limited(session, "SELECT 1 LIMIT 0", "[]", none).unwrap()), "[]");
    });
}

// Parameters.

#[test]
fn values_that_read_the_clock_are_told() {
    with("CREATE DOMAIN day AS date; CREATE TYPE span AS (a date, b int)", |_, session| {
        for (kind, value, reads) in [
            ("date", json!("today"), true),
            ("date", json!("2024-01-01"), false),
            ("timestamptz", json!(" NOW "), true),
            ("day[]", json!(["2024-01-01", "tomorrow"]), true),
            ("daterange", json!("[yesterday,]"), true),
            ("span", json!("(today,1)"), true),
            ("timetz", json!("12:00 CET"), true),
            ("timetz", json!("12:00+01"), false),
            ("text", json!("now"), false),
            ("date", json!(null), false),
        ] {
            let ran = query(session, &format!("SELECT $1::{kind} AS v"), &json!([value]).to_string()).unwrap();
            assert_eq!(ran.reads_clock, reads, "{kind} {value}");
        }
    });
}

#[test]
fn parameters_of_many_types() {
    let sql =
        "CREATE TYPE mood AS ENUM ('sad', 'so \"so\"'); CREATE DOMAIN tags AS text[] CHECK (cardinality(value) < 5);
        CREATE DOMAIN positive AS int NOT NULL CHECK (value > 0); CREATE TYPE pair AS (a int, b text)";
    with(sql, |_, session| {
        for (kind, value, printed) in [
            ("int4", json!(-7), "-7"),
            ("int4", json!("42"), "42"),
            ("int8", json!(9_007_199_254_740_993_i64), "9007199254740993"),
            ("numeric", json!("1e-3"), "0.001"),
            ("numeric", json!(1.50), "1.5"),
            ("float8", json!(0.1), "0.1"),
            ("bool", json!(true), "true"),
            ("bool", json!("off"), "false"),
            ("text", json!("it's \"é😀\" \\ \n{}"), "it's \"é😀\" \\ \n{}"),
            ("text", json!(12), "12"),
            ("text", json!({ "a": [1] }), r#"{"a":[1]}"#),
            (
                "text[]",
                json!(["a\"b", "c\\d", "e,f", "{g}", "NULL", "", " ", null, "é😀"]),
                r#"{"a\"b","c\\d","e,f","{g}","NULL",""," ",NULL,é😀}"#,
            ),
            ("text[]", json!([]), "{}"),
            ("text[]", json!("{x,y}"), "{x,y}"),
            ("text[]", json!([["a", "b"], ["c", null]]), "{{a,b},{c,NULL}}"),
            ("int4[]", json!([[1, 2], [3, 4]]), "{{1,2},{3,4}}"),
            ("bool[]", json!([true, false, null]), "{t,f,NULL}"),
            ("box[]", json!(["(1,1),(0,0)", "(2,2),(1,1)"]), "{(1,1),(0,0);(2,2),(1,1)}"),
            ("jsonb", json!({ "a": [1, null, "x"] }), r#"{"a": [1, null, "x"]}"#),
            ("jsonb", json!("x"), r#""x""#),
            ("json", json!([1, 2]), "[1,2]"),
            ("jsonb[]", json!([{ "a": 1 }, [1], "x", null]), r#"{"{\"a\": 1}",[1],"\"x\"",NULL}"#),
            ("uuid", json!("A0EEBC999C0B4EF8BB6D6BB9BD380A11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ("timestamptz", json!("2024-07-01 12:00:00+02"), "2024-07-01 10:00:00+00"),
            ("date", json!("2024-02-29"), "2024-02-29"),
            ("bytea", json!("\\xff00"), "\\xff00"),
            ("mood", json!("so \"so\""), "so \"so\""),
            ("mood[]", json!(["sad", "so \"so\""]), r#"{sad,"so \"so\""}"#),
            ("tags", json!(["a,b", null]), r#"{"a,b",NULL}"#),
            ("positive", json!(3), "3"),
            ("pair", json!("(1,\"a b\")"), "(1,\"a b\")"),
            ("int4range", json!("[1,5)"), "[1,5)"),
            ("regclass", json!("pg_class"), "pg_class"),
        ] {
            let sql = format!("SELECT $1::{kind}::text AS v, $1 IS NULL AS n");
            let told = rows(session, &sql, &json!([value]).to_string());
            assert_eq!(told, format!("[{{\"v\":{},\"n\":false}}]", json!(printed)), "{kind} {value}");
            if kind != "positive" {
                assert_eq!(rows(session, &sql, "[null]"), r#"[{"v":null,"n":true}]"#, "{kind}");
            }
            let relations = query(session, &sql, &json!([value]).to_string()).unwrap().relations;
            assert_eq!(relations.len(), 0, "{kind}: looking for a type is no reading");
        }
    });
}

#[test]
fn values_that_do_not_fit_are_not_named() {
    with(USERS, |_, session| {
        for (kind, value) in [
            ("int4", "\"secret\""),
            ("int4", "99999999999"),
            ("int4", "1.5"),
            ("int2", "{\"secret\":1}"),
            ("bool", "\"secret\""),
            ("uuid", "\"secret\""),
            ("date", "\"2024-13-01\""),
            ("int4[]", "[\"secret\"]"),
            ("int4[]", "[[1],[2,3]]"),
            ("text", "\"secret\\u0000\""),
            ("jsonb", "\"secret\\u0000\""),
            ("text[]", "[\"secret\\u0000\"]"),
            ("regclass", "\"secret\""),
            ("tsquery", "\"secret &\""),
        ] {
            let error = error(session, &format!("SELECT $1::{kind} AS v"), &format!("[{value}]"));
            assert!(error.starts_with("PGBADVALUE the query: a parameter "), "{kind}: {error}");
            assert!(!error.contains("secret") && !error.contains("99999"), "{kind}: {error}");
        }
    });
}

#[test]
fn the_number_of_parameters_is_checked() {
    with(USERS, |_, session| {
        let sql = "SELECT * FROM users WHERE id = $1 AND name = $2";
        let told = error(session, sql, "[1]");
        assert_eq!(
            told,
            "ERR wrong number of parameters: the query takes 2, 1 given; they are a JSON array, such as [1,\"a\"]"
        );
        assert_eq!(error(session, sql, "[1,2,3]").split(' ').next(), Some("ERR"));
        assert_eq!(error(session, "SELECT 1", "[null]").split(' ').next(), Some("ERR"));
        for params in ["", "{}", "1", "[1", "[1,\"a\"] x"] {
            assert!(error(session, sql, params).starts_with("ERR the query: the parameters"), "{params}");
        }
    });
}

#[test]
fn errors_of_expressions_are_no_errors_of_values() {
    let positive = format!("{USERS}; CREATE DOMAIN positive AS int CHECK (VALUE > 0)");
    with(&positive, |_, session| {
        for (sql, params, code) in [
            ("SELECT 1 / $1::int AS v", "[0]", "PGERR 22012"),
            ("SELECT 1 / 0 AS v", "[]", "PGERR 22012"),
            ("SELECT 1 / (id - 1) AS v FROM users", "[]", "PGERR 22012"),
            ("SELECT name::int AS v FROM users WHERE name > $1", "[\"A\"]", "PGERR 22P02"),
            ("SELECT ln(age - $1::int) FROM users", "[50]", "PGERR 2201E"),
            ("SELECT 1 LIMIT $1", "[-1]", "PGERR 2201W"),
            ("SELECT 'secret'::int", "[]", "PGERR 22P02"),
            ("SELECT (-1)::positive", "[]", "PGERR 23514"),
            ("SELECT (age - 1000)::positive FROM users", "[]", "PGERR 23514"),
        ] {
            let error = error(session, sql, params);
            assert!(error.starts_with(code) && !error.contains("Ann") && !error.contains("secret"), "{error}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1) })]
    #[test]
    fn arrays_at_random(arrays in prop::collection::vec(prop::collection::vec(prop::option::of("[^\\x00]{0,12}"), 0..6), 200)) {
        with("SELECT", |_, session| {
            for array in &arrays {
                let params = json!([array]).to_string();
                let told = rows(session, "SELECT $1::text[] AS v", &params);
                let told: serde_json::Value = serde_json::from_str(&told).unwrap();
                assert_eq!(told[0]["v"], json!(array));
            }
        });
    }
}

// What a query reads.

#[test]
fn tables_joins_and_views_are_found() {
    let sql = format!(
        "{USERS} CREATE VIEW rich AS SELECT user_id, sum(total) FROM orders GROUP BY user_id;
         CREATE VIEW richest AS SELECT u.name FROM rich JOIN users u ON u.id = user_id"
    );
    with(&sql, |_, session| {
        assert_eq!(tables(session, "SELECT 1"), [""; 0]);
        assert_eq!(tables(session, "SELECT * FROM users"), ["users"]);
        assert_eq!(tables(session, "SELECT * FROM users JOIN orders ON user_id = users.id"), ["orders", "users"]);
        assert_eq!(tables(session, "SELECT * FROM richest"), ["orders", "rich", "richest", "users"]);
        assert_eq!(tables(session, "SELECT (SELECT count(*) FROM orders)"), ["orders"]);
        assert_eq!(tables(session, "WITH o AS (SELECT * FROM orders) SELECT * FROM users"), ["orders", "users"]);
        assert_eq!(tables(session, "SELECT * FROM users WHERE false"), ["users"]);
        assert_eq!(
            tables(session, "SELECT id FROM users WHERE false AND id IN (SELECT user_id FROM orders)"),
            ["orders", "users"]
        );
        assert_eq!(
            tables(session, "SELECT id FROM users UNION SELECT id FROM orders WHERE 1 = 2"),
            ["orders", "users"]
        );
        // The second time the plan is at hand, and nothing is locked for planning.
        assert_eq!(tables(session, "SELECT * FROM richest"), ["orders", "rich", "richest", "users"]);
    });
}

#[test]
fn a_prepared_query_reads_what_it_read_at_first() {
    let sql =
        format!("{USERS} CREATE VIEW both_of AS SELECT u.id, o.total FROM users u JOIN orders o ON o.user_id = u.id");
    with(&sql, |database, session| {
        let sql = "WITH o AS (SELECT * FROM orders) SELECT * FROM both_of WHERE id = $1";
        let views = ["both_of", "users", "orders"].map(|name| oid(database, name));
        for _ in 0..3 {
            let relations = query(session, sql, "[1]").unwrap().relations;
            assert!(views.iter().all(|oid| relations.contains(oid)), "{relations:?}");
        }
    });
}

#[test]
fn functions_show_what_they_read() {
    let sql = format!(
        "{USERS} CREATE FUNCTION inlined() RETURNS SETOF users STABLE LANGUAGE sql AS 'SELECT * FROM users';
         CREATE FUNCTION counted() RETURNS bigint STABLE LANGUAGE plpgsql PARALLEL SAFE AS 'BEGIN RETURN (SELECT count(*) FROM orders); END'"
    );
    with(&sql, |database, session| {
        assert_eq!(tables(session, "SELECT * FROM inlined()"), ["users"]);
        let sql = "SELECT id, counted() FROM users";
        let description = described(session, sql);
        let reason = "counted() is not one of PostgreSQL's own functions".to_owned();
        assert_eq!((names(&description), description.untracked), (vec!["users".into()], vec![reason]));
        let ran = query(session, sql, "[]").unwrap();
        let orders = oid(database, "orders");
        assert!(ran.relations.contains(&orders) && !description.relations.contains(&orders));
        let shown = describe_relations(session, &ran.relations, Invalidation::Notify).unwrap();
        assert_eq!(names(&shown), ["orders", "users"]);
        assert!(ran.relations.iter().all(|oid| shown.relations.contains(oid)));
    });
}

/// Only what does nothing but read what planning shows may be run without a look at its locks.
#[test]
fn queries_that_only_read_tables_are_plain() {
    let sql = format!(
        "{USERS} CREATE VIEW people AS SELECT id, lower(name) AS name FROM users;
         CREATE FUNCTION inlined() RETURNS SETOF users STABLE LANGUAGE sql AS 'SELECT * FROM users';
         CREATE FUNCTION one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
         CREATE FUNCTION app_sum(numeric, numeric) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RETURN $1 + $2; END';
         CREATE AGGREGATE total_of(numeric) (SFUNC = app_sum, STYPE = numeric, INITCOND = 0);
         CREATE VIEW hidden AS SELECT * FROM inlined()"
    );
    with(&sql, |_, session| {
        for plain in [
            "SELECT 1",
            "SELECT count(*), max(upper(name)) FROM people WHERE id = ANY ($1::bigint[])",
            "WITH u AS (SELECT * FROM users) SELECT row_number() OVER (ORDER BY id) FROM u WHERE name LIKE $1",
            "SELECT to_char(id, '999'), coalesce(name, '') FROM users",
        ] {
            assert!(described(session, plain).is_plain, "{plain}");
        }
        for other in [
            "SELECT * FROM inlined()",
            "SELECT * FROM Inlined ( )",
            "SELECT * FROM hidden",
            "SELECT one() FROM users",
            "SELECT total_of(id) FROM users",
            "SELECT random()",
            "SELECT set_config('TimeZone', 'UTC', false)",
            "SELECT pg_advisory_lock(1)",
            "SELECT table_to_xml('users', false, false, '')",
            "SELECT query_to_xml('SELECT 1', false, false, '')",
        ] {
            assert!(!described(session, other).is_plain, "{other}");
        }
        let sql = "SELECT id, name FROM users WHERE id = $1 ORDER BY id";
        assert_eq!(early(session, sql, "[1]").0, [rows(session, sql, "[1]")]);
        assert_eq!(early(session, sql, r#"["x"]"#).1.unwrap_err().code(), "PGBADVALUE");
    });
}

#[test]
fn no_query_is_plain_that_runs_functions_without_calling_them() {
    let reads = "BEGIN RETURN EXISTS (SELECT FROM orders); END";
    let function = format!("CREATE FUNCTION f(text, text) RETURNS bool STABLE LANGUAGE plpgsql AS '{reads}';");
    for (hidden, sql) in [
        (
            format!("{function} CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = f)"),
            "SELECT id FROM users WHERE name === name",
        ),
        (
            "CREATE TYPE pair AS (a int, b int);
             CREATE FUNCTION f(pair) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1.a::text';
             CREATE CAST (pair AS text) WITH FUNCTION f(pair)"
                .to_owned(),
            "SELECT (1, 2)::pair::text AS p FROM users",
        ),
        (
            "CREATE TYPE pair AS (a int, b int);
             CREATE FUNCTION f(pair) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT to_json($1.a)';
             CREATE CAST (pair AS json) WITH FUNCTION f(pair)"
                .to_owned(),
            "SELECT (1, 2)::pair AS p FROM users",
        ),
        (
            format!("{function} CREATE DOMAIN name_of AS text CHECK (f(VALUE, VALUE))"),
            "SELECT name::name_of AS n FROM users",
        ),
    ] {
        with(&format!("{USERS} {hidden}"), |_, session| {
            let description = described(session, sql);
            assert!(!description.is_plain && !description.untracked.is_empty(), "{sql}");
            assert!(described(session, "SELECT * FROM users").is_plain, "{hidden}");
        });
    }
}

/// The locks of parallel workers end with these.
#[test]
fn what_functions_read_is_found_where_workers_would_run_them() {
    let sql = format!(
        "{USERS} CREATE TABLE large AS SELECT n FROM generate_series(1, 20000) AS n; ANALYZE large;
         CREATE FUNCTION total(int) RETURNS numeric STABLE PARALLEL SAFE LANGUAGE plpgsql
           AS 'BEGIN RETURN (SELECT sum(o.total) FROM orders o WHERE id > $1); END'"
    );
    let database = Postgres::shared().database();
    database.execute(&sql);
    for setting in ["parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"] {
        database.execute(&format!("ALTER DATABASE {} SET {setting} = 0", database.name));
    }
    database.execute(&format!("ALTER DATABASE {} SET parallel_leader_participation = off", database.name));
    let source = open(&database, "postgres");
    let mut session = session(&source);
    let sql = "SELECT max(total(n)) AS most FROM large WHERE n > $1";
    let would_be = database.connect().simple_query(&format!("EXPLAIN {}", sql.replace("$1", "19990"))).unwrap();
    assert!(format!("{would_be:?}").contains("Workers Planned"), "{would_be:?}");
    for _ in 0..2 {
        let ran = query(&mut session, sql, "[19990]").unwrap();
        assert!(ran.relations.contains(&oid(&database, "orders")));
    }
}

#[test]
fn partitions_belong_to_their_table() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100);
        CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
        CREATE TABLE t_2_1 PARTITION OF t_2 FOR VALUES FROM (100) TO (150);
        CREATE TABLE base (id int); CREATE TABLE child () INHERITS (base);
        INSERT INTO t SELECT n, repeat('x', 10) FROM generate_series(1, 140) AS n";
    with(sql, |database, session| {
        assert_eq!(tables(session, "SELECT * FROM t"), ["t"]);
        assert_eq!(tables(session, "SELECT * FROM base"), ["base"]);
        let one = described(session, "SELECT * FROM t WHERE id = 1");
        // Another parameter needs no other account.
        for name in ["t", "t_1", "t_2", "t_2_1", "t_pkey", "t_2_1_pkey"] {
            assert!(one.relations.contains(&oid(database, name)), "{name}");
        }
        assert!(!one.relations.contains(&oid(database, "base")));
        assert!(names(&described(session, "SELECT * FROM child")).contains(&"child".to_owned()));
    });
}

#[test]
fn long_values_and_indexes_need_no_account() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
        INSERT INTO t SELECT n, repeat('x', 10000) FROM generate_series(1, 20) AS n; CREATE INDEX ON t (md5(v))";
    with(sql, |_, session| {
        assert_eq!(tables(session, "SELECT v FROM t WHERE id = 3"), ["t"]);
        assert_eq!(tables(session, "SELECT id FROM t WHERE md5(v) = 'x'"), ["t"]);
    });
}

#[test]
fn system_catalogs_are_told() {
    with(USERS, |_, session| {
        assert_eq!(tables(session, "SELECT relname FROM pg_class LIMIT 1"), ["pg_class"]);
        assert_eq!(tables(session, "SELECT datname FROM pg_database LIMIT 1"), ["pg_database"]);
        assert!(tables(session, "SELECT * FROM pg_stat_user_tables LIMIT 1").contains(&"pg_class".to_owned()));
    });
}

#[test]
fn what_keeps_no_account_of_changes_is_told() {
    let sql = format!(
        "{USERS} CREATE MATERIALIZED VIEW kept AS SELECT * FROM users; CREATE SEQUENCE counter;
         CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
         CREATE FOREIGN TABLE abroad (id int) SERVER far"
    );
    with(&sql, |_, session| {
        let kept = described(session, "SELECT * FROM kept");
        assert_eq!((names(&kept), kept.untracked), (vec!["kept".into()], vec!["kept is a materialised view".into()]));
        assert_eq!(untracked(session, "SELECT * FROM abroad"), ["abroad is a foreign table"]);
        assert_eq!(untracked(session, "SELECT last_value FROM counter"), ["counter is a sequence"]);
        assert_eq!(
            untracked(session, "SELECT * FROM users TABLESAMPLE system (50)"),
            ["TABLESAMPLE takes some rows of users"]
        );
        assert_eq!(untracked(session, "SELECT * FROM users WHERE id = $1"), [""; 0]);
    });
}

/// Why a literal of a date or a time is not trusted.
const MOMENT: &str = "a text becomes a date or a time in it, which may mean the moment";

#[test]
fn volatile_functions_and_the_clock_are_seen() {
    let sql = format!(
        "{USERS} CREATE VIEW dice AS SELECT id, random() AS die FROM users;
         CREATE VIEW young AS SELECT id FROM users WHERE now() > '2024-01-01';
         CREATE SCHEMA app; CREATE FUNCTION app.\"Odd\"(int) RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
         CREATE FUNCTION many() RETURNS SETOF int VOLATILE LANGUAGE plpgsql AS 'BEGIN END';
         CREATE FUNCTION inlined() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT now()';
         CREATE FUNCTION liar() RETURNS timestamptz STABLE LANGUAGE plpgsql AS 'BEGIN -- it''s\n RETURN Current_Timestamp; END';
         CREATE FUNCTION outer_liar() RETURNS timestamptz STABLE LANGUAGE plpgsql AS 'BEGIN RETURN liar (); END';
         CREATE FUNCTION honest(x int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN x; END'"
    );
    with(&sql, |_, session| {
        for (sql, reason) in [
            ("SELECT random()", "random() is volatile"),
            ("SELECT * FROM users ORDER BY random()", "random() is volatile"),
            ("SELECT * FROM users WHERE age > random() * $1", "random() is volatile"),
            ("SELECT die FROM dice", "random() is volatile"),
            ("SELECT gen_random_uuid()", "gen_random_uuid() is volatile"),
            ("SELECT clock_timestamp() AS c", "clock_timestamp() is volatile"),
            ("SELECT app.\"Odd\"(id::int) FROM users", "Odd() is volatile"),
            ("SELECT * FROM many()", "many() is volatile"),
            ("SELECT * FROM users, many() AS m WHERE m = age", "many() is volatile"),
            ("SELECT now()", "now() reads the clock"),
            ("SELECT statement_timestamp()", "statement_timestamp() reads the clock"),
            ("SELECT * FROM young", "now() reads the clock"),
            ("SELECT inlined()", "inlined() is not one of PostgreSQL's own functions"),
            ("SELECT liar()", "liar() is not one of PostgreSQL's own functions"),
            ("SELECT outer_liar()", "outer_liar() is not one of PostgreSQL's own functions"),
            ("SELECT current_date AS d", "CURRENT_DATE reads the clock"),
            ("SELECT id FROM users WHERE localtime(0) > '12:00'", "LOCALTIME reads the clock"),
            ("SELECT age('2024-01-01'::timestamptz)", "age() reads the clock"),
            ("SELECT honest(age) FROM users", "honest() is not one of PostgreSQL's own functions"),
            ("SELECT 'today'::date AS d", MOMENT),
            ("SELECT id FROM users WHERE timestamp ' Now ' > '2024-01-01'", MOMENT),
            ("SELECT date U&'\\006eow' AS d", MOMENT),
            ("SELECT txid_current()", "txid_current() tells of the server's state, or may"),
            ("VALUES (random(), 1), (2, 3)", "random() is volatile"),
            ("SELECT id FROM users LIMIT (SELECT random() * 3)", "random() is volatile"),
            ("SELECT id FROM users WHERE random() IN (SELECT age FROM users)", "random() is volatile"),
            ("SELECT current_user AS u", "it tells of the role or the schema of its session"),
        ] {
            assert_eq!(untracked(session, sql), [reason], "{sql}");
        }
        for sql in [
            "SELECT 'random() now() CURRENT_DATE', name AS \"random()\" FROM users",
            "SELECT id FROM (SELECT 1 AS id, 'x' AS \"CURRENT_DATE\") AS \"now(\" WHERE \"CURRENT_DATE\" = $1",
            "SELECT id FROM users WHERE name = 'Now' OR name = 'today'",
            "SELECT upper(name), coalesce(age, 1), extract(year FROM date '2024-01-01') FROM users",
            "SELECT count(*), sum(age)::numeric(10, 2), string_agg(name, ',') FROM users WHERE id = ANY ($1)",
        ] {
            assert_eq!(untracked(session, sql), [""; 0], "{sql}");
        }
    });
}

// What a query must not do.

#[test]
fn writes_are_refused() {
    let sql = format!(
        "{USERS} CREATE SEQUENCE counter; CREATE FUNCTION make() RETURNS int LANGUAGE plpgsql AS 'BEGIN CREATE TABLE made (); RETURN 1; END';
         CREATE FUNCTION change() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM orders; RETURN 1; END';
         CREATE FUNCTION finish() RETURNS int LANGUAGE plpgsql AS 'BEGIN COMMIT; RETURN 1; END'"
    );
    with(&sql, |database, session| {
        for (sql, code) in [
            ("WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d", "PGERR 0A000"),
            ("DELETE FROM orders RETURNING *", "PGERR 42601"),
            ("INSERT INTO orders VALUES (9)", "PGERR 42601"),
            ("SELECT * INTO copied FROM users", "PGERR 42601"),
            ("SELECT * FROM users FOR UPDATE", "PGERR 25006"),
            ("SELECT nextval('counter')", "PGERR 25006"),
            ("SELECT make()", "PGERR 25006"),
            ("SELECT change()", "PGERR 25006"),
            ("SELECT finish()", "PGERR 2D000"),
            ("SELECT set_config('transaction_read_only', 'off', false), change()", "PGERR 25001"),
            ("SELECT set_config('transaction_read_only', 'off', true)", "PGERR 25001"),
        ] {
            let error = error(session, sql, "[]");
            assert!(error.starts_with(code), "{sql}: {error}");
            assert_eq!(rows(session, "SELECT 1 AS n", "[]"), r#"[{"n":1}]"#);
        }
        assert_eq!(database.number("SELECT count(*) FROM orders"), 3);
    });
}

#[test]
fn only_one_statement_that_brings_rows_is_taken() {
    with(&format!("{USERS} CREATE PROCEDURE done() LANGUAGE plpgsql AS 'BEGIN END'"), |database, session| {
        for sql in [
            "",
            ";",
            "-- nothing",
            "SELECT 1; SELECT 2",
            "SELECT 1) AS q; DROP TABLE users; SELECT (1",
            "SELECT 1) q, (SELECT 2",
            "SELECT 1) AS q, LATERAL (SELECT 2",
            "SELECT 1) q; --",
            "SELECT (1",
            "SELECT 1)",
            "SELECT 1 /*",
            "SELECT 'a",
            "SHOW server_version",
            "SET work_mem = '1MB'",
            "EXPLAIN SELECT 1",
            "COPY users TO STDOUT",
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "DEALLOCATE ALL",
            "EXECUTE pgcache_described",
            "PREPARE x AS SELECT 1",
            "LISTEN x",
            "CREATE TABLE x ()",
            "DO 'BEGIN END'",
            "CALL done()",
            "SELEC 1",
            "SELECT 1\0",
            "SELECT '\0'",
        ] {
            let told = error(session, sql, "[]");
            assert!(told.starts_with("PGERR 42601"), "{sql}: {told}");
            let refused = describe(session, sql, Invalidation::Off).unwrap().expect_err(sql).to_string();
            assert!(refused.starts_with("PGERR 42601"), "{sql}: {refused}");
            assert!(!session.is_closed(), "{sql}");
        }
        assert_eq!(database.number("SELECT count(*) FROM users"), 3);
    });
}

#[test]
fn a_wrong_statement_is_explained_without_its_literals() {
    with(USERS, |_, session| {
        let told = error(session, "SELECT * FORM users", "[]");
        assert_eq!(told, "PGERR 42601 the query: syntax error at or near \"FORM\"");
        assert!(error(session, "SELECT nosuch(1)", "[]").starts_with("PGERR 42883 the query: function nosuch"));
        assert!(error(session, "SELECT * FROM nosuch", "[]").starts_with("PGNOTABLE "));
        assert!(error(session, "SELECT nosuch FROM users", "[]").starts_with("PGNOCOLUMN "));
        assert!(!error(session, "SELECT 1 'secret'", "[]").contains("secret"));
        assert!(!error(session, "SELECT 1 4711", "[]").contains("4711"));
    });
}

#[test]
fn a_function_that_is_broken_is_no_error_of_values() {
    let sql = format!(
        "{USERS} CREATE FUNCTION broken(x int) RETURNS SETOF int STABLE LANGUAGE sql AS 'SELECT id FROM orders WHERE id = x';
         CREATE FUNCTION ill(x int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT id FROM orders WHERE id = x); END';
         CREATE FUNCTION raise(x int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RAISE ''secret''; END'; DROP TABLE orders"
    );
    with(&sql, |_, session| {
        assert!(error(session, "SELECT * FROM broken($1)", "[1]").starts_with("PGNOTABLE"));
        assert!(error(session, "SELECT ill($1)", "[1]").starts_with("PGNOTABLE"));
        assert!(error(session, "SELECT * FROM users WHERE id = ill($1)", "[1]").starts_with("PGNOTABLE"));
        let told = error(session, "SELECT raise($1)", "[1]");
        assert!(told.starts_with("PGERR P0001") && !told.contains("secret"), "{told}");
    });
}

#[test]
fn nothing_is_left_in_the_session() {
    with(USERS, |database, session| {
        let settings = [
            "default_transaction_read_only",
            "TimeZone",
            "statement_timeout",
            "search_path",
            "role",
            "max_parallel_workers_per_gather",
            "transaction_isolation",
        ];
        let state = settings.map(|name| format!("current_setting('{name}')")).join(" || '|' || ");
        let state = |session: &mut Session| {
            let rows = session.query(&format!("SELECT {state}"), &[]).unwrap();
            rows[0].get::<_, String>(0)
        };
        session.use_statement_timeout(Duration::from_secs(7)).unwrap();
        let before = state(session);
        for sql in [
            "SELECT set_config('default_transaction_read_only', 'off', false)",
            "SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
            "SELECT set_config('statement_timeout', '0', false)",
            "SELECT set_config('search_path', 'nowhere', false)",
            "SELECT set_config('client_encoding', 'LATIN1', false)",
            "SELECT set_config('role', 'pg_monitor', false)",
            "SELECT pg_advisory_lock(1)",
        ] {
            for failing in ["", ", 1 / (SELECT count(*) FROM users WHERE false)"] {
                let _ = query(session, &format!("{sql}{failing}"), "[]");
                assert!(!session.is_closed());
                assert_eq!(state(session), before, "{sql}{failing}");
            }
        }
        assert_eq!(database.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
        assert_eq!(database.number(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"), 0);
    });
}

#[test]
fn a_statement_that_takes_too_long_is_ended() {
    with(USERS, |_, session| {
        session.use_statement_timeout(Duration::from_millis(200)).unwrap();
        let sql = "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)";
        assert_eq!(error(session, sql, "[]").split(' ').next(), Some("PGTIMEOUT"));
        session.use_statement_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(rows(session, "SELECT 1 AS n", "[]"), r#"[{"n":1}]"#);
    });
}

#[test]
fn a_connection_that_ends_meanwhile_is_lost() {
    with(USERS, |_, session| {
        let plan = plan("SELECT pg_terminate_backend(pg_backend_pid())");
        let result = run(session, &plan, "[]", LIMITS, false, &mut |_| {});
        assert!(pgcache::postgres::is_lost(&result.unwrap_err()));
        assert!(session.is_closed());
    });
}

// What changes between two runs.

#[test]
fn a_table_is_altered_between_two_runs() {
    with("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 2)", |database, session| {
        let sql = "SELECT * FROM t WHERE v = $1";
        for (change, params, expected) in [
            ("SELECT", "[2]", r#"[{"id":1,"v":2}]"#),
            ("ALTER TABLE t ADD w text DEFAULT 'x'", "[2]", r#"[{"id":1,"v":2,"w":"x"}]"#),
            ("ALTER TABLE t ALTER v TYPE text", "[\"2\"]", r#"[{"id":1,"v":"2","w":"x"}]"#),
            ("ALTER TABLE t DROP w", "[\"2\"]", r#"[{"id":1,"v":"2"}]"#),
            ("CREATE TYPE mood AS ENUM ('2'); ALTER TABLE t ALTER v TYPE mood USING v::mood", "[\"2\"]", r#"[{"id":1,"v":"2"}]"#),
            ("DROP TABLE t; DROP TYPE mood; CREATE TYPE mood AS ENUM ('2', '3'); CREATE TABLE t (v mood); INSERT INTO t VALUES ('3')",
             "[\"3\"]", r#"[{"v":"3"}]"#),
        ] {
            database.execute(change);
            assert_eq!(rows(session, sql, params), expected, "{change}");
        }
        let relations = query(session, sql, "[\"3\"]").unwrap().relations;
        assert!(relations.contains(&oid(database, "t")));
        database.execute("DROP TABLE t");
        assert!(error(session, sql, "[\"3\"]").starts_with("PGNOTABLE"));
    });
}

#[test]
fn statements_that_the_server_has_forgotten_are_prepared_again() {
    with(USERS, |_, session| {
        let sql = "SELECT name FROM users WHERE id = $1";
        let first = query(session, sql, "[1]").unwrap();
        session.batch("DEALLOCATE ALL").unwrap();
        assert_eq!(query(session, sql, "[1]").unwrap(), first);
    });
}

#[test]
fn relations_that_are_gone_are_left_out() {
    with(USERS, |database, session| {
        let (users, gone) = (oid(database, "users"), oid(database, "orders"));
        database.execute("DROP TABLE orders");
        let description = describe_relations(session, &[users, gone], Invalidation::Notify).unwrap();
        assert_eq!(names(&description), ["users"]);
        assert!(description.relations.contains(&users) && !description.relations.contains(&gone));
    });
}

#[test]
fn a_description_that_fails_leaves_nothing_behind() {
    let sql = "CREATE DOMAIN positive AS int NOT NULL CHECK (value > 0); CREATE TABLE t (v positive, w positive[])";
    with(sql, |_, session| {
        assert!(describe(session, "SELECT 1 / 0", Invalidation::Off).unwrap().is_err());
        assert_eq!(names(&described(session, "SELECT * FROM t WHERE v = $1::positive AND w = $2")), ["t"]);
        assert_eq!(names(&described(session, "SELECT * FROM t WHERE v = $1;")), ["t"]);
        let left = session.query("SELECT name FROM pg_prepared_statements WHERE from_sql", &[]).unwrap();
        assert_eq!(left.len(), 0);
    });
}

#[test]
fn a_table_that_may_not_be_read_is_refused() {
    with(&format!("{USERS} DROP ROLE IF EXISTS query_reader; CREATE ROLE query_reader LOGIN; GRANT SELECT ON users TO query_reader"), |database, _| {
        let source = open(database, "query_reader");
        let mut session = session(&source);
        assert_eq!(tables(&mut session, "SELECT id FROM users"), ["users"]);
        assert!(error(&mut session, "SELECT id FROM orders", "[]").starts_with("PGERR 42501"));
        assert!(error(&mut session, "SELECT set_config('role', 'postgres', false)", "[]").starts_with("PGERR 42501"));
    });
}
