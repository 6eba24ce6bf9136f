//! Functions, operators, casts, types and rights that change: results and rows that were made with what they were are dropped.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::queries::{any, await_result, by_postgresql, inspect, list, query, store};
use support::watched::{await_freshness, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply, Server};

/// What a query uses, the query, and what changes that.
type Change = (&'static str, &'static str, &'static str);

/// Functions that are made anew, called by the query, by each other and by a view.
const FUNCTIONS: [Change; 4] = [
    (
        "CREATE FUNCTION one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
        "SELECT one() AS v",
        "CREATE OR REPLACE FUNCTION one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2'",
    ),
    (
        "CREATE FUNCTION inner_one() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
         CREATE FUNCTION outer_one() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner_one(); END'",
        "SELECT outer_one() AS v",
        "CREATE OR REPLACE FUNCTION inner_one() RETURNS int STABLE LANGUAGE sql AS 'SELECT 2'",
    ),
    (
        "CREATE FUNCTION zone() RETURNS text STABLE LANGUAGE sql SET TimeZone = 'UTC'
             AS $$SELECT current_setting('TimeZone')$$",
        "SELECT zone() AS v",
        "ALTER FUNCTION zone() SET TimeZone = 'Europe/Berlin'",
    ),
    (
        "CREATE FUNCTION two() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE VIEW twos AS SELECT 1 AS id, two() AS v",
        "SELECT v FROM twos",
        "CREATE OR REPLACE FUNCTION two() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2'",
    ),
];

/// Functions that take over calls of others, which fit less well or stand in later schemas: PostgreSQL's own too.
const NAMES: [Change; 3] = [
    (
        "CREATE FUNCTION kind_of(numeric) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'numeric'$$",
        "SELECT kind_of(1) AS v",
        "CREATE FUNCTION kind_of(int) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'int'$$",
    ),
    (
        "",
        "SELECT length(name::varchar) AS v FROM users WHERE id = 1",
        "CREATE FUNCTION length(varchar) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 42'",
    ),
    (
        "CREATE FUNCTION public.here() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'public'$$; CREATE SCHEMA postgres",
        "SELECT here() AS v",
        "CREATE FUNCTION postgres.here() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'earlier'$$",
    ),
];

/// Operators, casts and aggregates.
const OPERATORS: [Change; 3] = [
    (
        "CREATE FUNCTION is_less(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2';
         CREATE OPERATOR <<< (FUNCTION = is_less, LEFTARG = int, RIGHTARG = int)",
        "SELECT 1 <<< 2 AS v",
        "DROP OPERATOR <<< (int, int); CREATE OPERATOR <<< (FUNCTION = int4gt, LEFTARG = int, RIGHTARG = int)",
    ),
    (
        "CREATE TYPE mood AS ENUM ('sad', 'glad');
         CREATE FUNCTION mood_number(mood) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
         CREATE FUNCTION mood_other(mood) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';
         CREATE CAST (mood AS int) WITH FUNCTION mood_number(mood)",
        "SELECT 'sad'::mood::int AS v",
        "DROP CAST (mood AS int); CREATE CAST (mood AS int) WITH FUNCTION mood_other(mood)",
    ),
    (
        "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
        "SELECT total(id::int) AS v FROM users",
        "CREATE OR REPLACE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '100')",
    ),
];

/// Types, also within others, and text search.
const TYPES: [Change; 3] = [
    (
        "CREATE TYPE colour AS ENUM ('red', 'green')",
        "SELECT enum_range(NULL::colour)::text AS v",
        "ALTER TYPE colour RENAME VALUE 'red' TO 'crimson'",
    ),
    (
        "CREATE TEXT SEARCH CONFIGURATION words (COPY = english)",
        "SELECT to_tsvector('words', 'cats')::text AS v",
        "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH simple",
    ),
    (
        "CREATE TYPE point2 AS (x int, y int); CREATE TYPE line2 AS (a point2, b point2);
         CREATE TABLE lines (id int PRIMARY KEY, line line2); INSERT INTO lines VALUES (1, ROW(ROW(1, 2), ROW(3, 4)))",
        "SELECT to_json(line) AS v FROM lines",
        "ALTER TYPE point2 RENAME ATTRIBUTE x TO left_of",
    ),
];

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(3);
    database
}

fn start(kind: &Kind, database: &Database<'_>, mode: &str) -> Server {
    let server = any(kind, database).setting("invalidation", mode).setting("pool_size", "2").start();
    await_freshness(&mut server.client(), "live");
    server
}

/// What PostgreSQL answers in a new session.
fn now(database: &Database<'_>, sql: &str) -> Value {
    serde_json::from_str(&format!("[{}]", by_postgresql(database, sql).join(","))).unwrap()
}

/// Waits until everything has been compared that was committed before.
fn await_comparison(client: &mut Client) {
    let before = client.figure("comparisons");
    eventually("everything is compared", || (client.figure("comparisons") >= before + 2).then_some(()));
}

fn is_followed(changes: &[Change], mode: &str) {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database, mode);
        let mut client = server.client();
        client.read("users", r#"{"id":1}"#);
        for (before, ..) in changes {
            database.execute(before);
        }
        for (_, sql, change) in changes {
            await_comparison(&mut client);
            let was = now(&database, sql);
            assert_eq!(store(&mut client, &[sql]), was, "{sql}");
            database.execute(change);
            let is = now(&database, sql);
            assert_ne!(was, is, "{change} changes {sql}");
            await_result(&mut client, &[sql], &is);
        }
    });
}

#[test]
fn a_result_follows_functions() {
    is_followed(&FUNCTIONS, "notify");
}

#[test]
fn a_result_follows_what_its_names_mean() {
    is_followed(&NAMES, "outbox");
}

#[test]
fn a_result_follows_operators_casts_and_aggregates() {
    is_followed(&OPERATORS, "notify");
}

#[test]
fn a_result_follows_types_and_text_search() {
    is_followed(&TYPES, "outbox");
}

#[test]
fn a_result_with_the_row_type_of_a_table_that_it_does_not_read_is_untracked() {
    on_every_server(|kind| {
        let database = users();
        database.execute("CREATE TABLE unread (a int)");
        let server = start(&kind, &database, "notify");
        let mut client = server.client();
        let sql = "SELECT to_json(ROW(1)::unread) AS v";
        store(&mut client, &[sql]);
        assert_eq!(
            list(&inspect(&mut client, &[sql]), "untracked"),
            ["it uses the row type of unread, whose rows it does not read"]
        );
        // One that is read is followed as every table is.
        watch(&mut client, "users");
        let sql = "SELECT to_json(users) AS v FROM users WHERE id = 1";
        store(&mut client, &[sql]);
        assert!(list(&inspect(&mut client, &[sql]), "untracked").is_empty());
    });
}

#[test]
fn a_row_of_a_view_follows_what_the_view_calls() {
    on_every_server(|kind| {
        let database = users();
        database.execute(
            "CREATE FUNCTION greeting() RETURNS text STABLE LANGUAGE sql AS $$SELECT 'hello'$$;
             CREATE TYPE inner_type AS (x int); CREATE TYPE outer_type AS (i inner_type);
             CREATE VIEW greeted AS SELECT id, greeting() AS name FROM users;
             CREATE TABLE nested (id int PRIMARY KEY, o outer_type); INSERT INTO nested VALUES (1, ROW(ROW(7)))",
        );
        let server = start(&kind, &database, "notify");
        let mut client = server.client();
        let mut read = |table: &str| client.read(table, r#"{"id":1}"#).json();
        assert_eq!(read("greeted")["name"], "hello");
        assert_eq!(read("nested")["o"]["i"]["x"], 7);
        database.execute(
            "CREATE OR REPLACE FUNCTION greeting() RETURNS text STABLE LANGUAGE sql AS $$SELECT 'goodbye'$$;
             ALTER TYPE inner_type RENAME ATTRIBUTE x TO y",
        );
        eventually("the view says goodbye", || (read("greeted")["name"] == "goodbye").then_some(()));
        eventually("the attribute has its new name", || (read("nested")["o"]["i"]["y"] == 7).then_some(()));
    });
}

/// A role that may log in, of this test alone.
fn role(database: &Database<'_>) -> String {
    let name = format!("reader_of_{}", database.name);
    database.execute(&format!("CREATE ROLE {name} LOGIN"));
    name
}

/// Runs `revoke` and waits until everything is refused for it that was served before.
fn loses(database: &Database<'_>, client: &mut Client, reads: &[&str], queries: &[&str], revoke: &str) {
    for table in reads {
        assert!(matches!(client.read(table, r#"{"id":1}"#), Reply::Bulk(_)), "{table}");
    }
    for sql in queries {
        store(client, &[sql]);
    }
    database.execute(revoke);
    let mut is_refused = |what: &str, reply: &mut dyn FnMut(&mut Client) -> Reply| {
        eventually(&format!("{what} is refused"), || (reply(client).code() == "PGERR").then_some(()));
    };
    for table in reads {
        is_refused(table, &mut |client| client.read(table, r#"{"id":1}"#));
    }
    for sql in queries {
        is_refused(sql, &mut |client| query(client, &[sql]));
    }
}

#[test]
fn what_the_role_may_use_no_more_is_not_served() {
    on_every_server(|kind| {
        let database = users();
        let name = role(&database);
        database.execute(&format!(
            "CREATE SCHEMA apart; CREATE TABLE apart.things (id int PRIMARY KEY); INSERT INTO apart.things VALUES (1);
             CREATE FUNCTION answer() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 42'; REVOKE ALL ON FUNCTION answer FROM PUBLIC;
             GRANT EXECUTE ON FUNCTION answer TO {name};
             GRANT USAGE ON SCHEMA apart TO {name}; GRANT SELECT ON apart.things TO {name}"
        ));
        let server = any(&kind, &database).setting("pg_user", &name).start();
        await_freshness(&mut server.client(), "live");
        let mut client = server.client();
        let revoke = format!("REVOKE EXECUTE ON FUNCTION answer FROM {name}");
        loses(&database, &mut client, &[], &["SELECT answer()"], &revoke);
        let revoke = format!("REVOKE USAGE ON SCHEMA apart FROM {name}");
        loses(&database, &mut client, &["apart.things"], &["SELECT id FROM apart.things"], &revoke);
    });
}

#[test]
fn what_the_owner_of_a_view_may_read_no_more_is_not_served() {
    on_every_server(|kind| {
        let database = users();
        let owner = role(&database);
        database.execute(&format!(
            "GRANT SELECT ON users TO {owner}; CREATE VIEW seen AS SELECT id, name FROM users; ALTER VIEW seen OWNER TO {owner}"
        ));
        let server = start(&kind, &database, "notify");
        let revoke = format!("REVOKE SELECT ON users FROM {owner}");
        loses(&database, &mut server.client(), &["seen"], &["SELECT name FROM seen"], &revoke);
    });
}

#[test]
fn what_only_a_superuser_could_read_is_not_served_once_the_owner_of_a_view_is_none() {
    on_every_server(|kind| {
        let database = users();
        let owner = role(&database);
        database.execute(&format!(
            "ALTER ROLE {owner} SUPERUSER; CREATE VIEW seen AS SELECT id, name FROM users; ALTER VIEW seen OWNER TO {owner}"
        ));
        let server = start(&kind, &database, "notify");
        let revoke = format!("ALTER ROLE {owner} NOSUPERUSER");
        loses(&database, &mut server.client(), &["seen"], &["SELECT name FROM seen"], &revoke);
    });
}

#[test]
fn rows_that_row_security_hides_are_not_served_once_the_role_is_no_longer_exempt() {
    on_every_server(|kind| {
        let database = users();
        let name = role(&database);
        database.execute(&format!(
            "ALTER ROLE {name} BYPASSRLS; GRANT SELECT ON users TO {name}; ALTER TABLE users ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON users USING (id = 1)"
        ));
        let server = any(&kind, &database).setting("pg_user", &name).start();
        await_freshness(&mut server.client(), "live");
        let mut client = server.client();
        let sql = "SELECT id FROM users ORDER BY id";
        assert_eq!(store(&mut client, &[sql]).as_array().unwrap().len(), 3);
        assert!(matches!(client.read("users", r#"{"id":2}"#), Reply::Bulk(_)));
        database.execute(&format!("ALTER ROLE {name} NOBYPASSRLS"));
        await_result(&mut client, &[sql], &serde_json::json!([{ "id": 1 }]));
        eventually("the row is hidden", || (client.read("users", r#"{"id":2}"#) == Reply::Nil).then_some(()));
    });
}

#[test]
fn a_view_with_the_rights_of_whoever_reads_shows_what_these_may_see() {
    let version: i64 = Postgres::shared().database().number("SELECT current_setting('server_version_num')::bigint");
    if version < 150_000 {
        return;
    }
    on_every_server(|kind| {
        let database = users();
        let name = role(&database);
        database.execute(&format!(
            "CREATE VIEW through WITH (security_invoker) AS SELECT id, name FROM users;
             CREATE VIEW over AS SELECT id, name FROM through; CREATE VIEW own AS SELECT id, name FROM users;
             GRANT SELECT ON users, through, over, own TO {name}"
        ));
        let server = any(&kind, &database).setting("pg_user", &name).start();
        let mut client = server.client();
        await_freshness(&mut client, "live");
        let script = client.call(&["PGCACHE.WATCH", "SQL", "users"]).text();
        database.psql(&[], &script);
        let sql = |view: &str| format!("SELECT id, name FROM {view} ORDER BY id");
        let seen = |client: &mut Client, view: &str, wanted: &Value| {
            await_result(client, &[&sql(view)], wanted);
            for (index, id) in [1, 2, 3].iter().enumerate() {
                let row = wanted.as_array().unwrap().iter().find(|row| row["id"] == *id);
                eventually(&format!("{view} {}", index + 1), || {
                    let reply = client.read(view, &format!(r#"{{"id":{id}}}"#));
                    (row.map_or(reply == Reply::Nil, |row| matches!(reply, Reply::Bulk(_)) && reply.json() == *row))
                        .then_some(())
                });
            }
        };
        let all = now(&database, &sql("own"));
        for view in ["through", "over", "own"] {
            seen(&mut client, view, &all);
            eventually("it is tracked", || {
                store(&mut client, &[&sql(view)]);
                list(&inspect(&mut client, &[&sql(view)]), "untracked").is_empty().then_some(())
            });
        }
        database.execute("UPDATE users SET name = 'new' WHERE id = 2");
        let all = now(&database, &sql("own"));
        ["through", "over", "own"].iter().for_each(|view| seen(&mut client, view, &all));

        // Policies count for whoever reads, but where the view reads as its owner.
        database.execute("CREATE POLICY own ON users USING (id = 1); ALTER TABLE users ENABLE ROW LEVEL SECURITY");
        let one = serde_json::json!([all[0]]);
        seen(&mut client, "through", &one);
        seen(&mut client, "own", &all);
        eventually("it is not tracked", || {
            (!list(&inspect(&mut client, &[&sql("through")]), "untracked").is_empty()).then_some(())
        });
        database.execute("ALTER VIEW through SET (security_invoker = false)");
        seen(&mut client, "through", &all);
        database.execute("ALTER VIEW through SET (security_invoker = true)");
        seen(&mut client, "through", &one);
        database.execute("ALTER TABLE users DISABLE ROW LEVEL SECURITY");
        seen(&mut client, "through", &all);
        let revoke = format!("REVOKE SELECT ON users FROM {name}");
        loses(&database, &mut client, &["through"], &[&sql("through")], &revoke);
        seen(&mut client, "own", &all);
    });
}
