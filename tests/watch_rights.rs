//! What WATCH installs runs with another's rights: no code of a type's or a table's owner may run in it.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "watch_rights/mod.rs"]
mod watch_rights;

use pgcache::cdc::install::{self, Mode};
use pgcache::settings::AllowTables;
use support::shadow::shadows;
use support::{eventually, Database, Postgres};
use watch_rights::attacker::Attacker;
use watch_rights::hostile::{AS_NAMES, AS_VALUES, DDL, HOSTILE_SETTINGS};
use watch_rights::told::Told;

const MODES: [Mode; 2] = [Mode::Notify, Mode::Outbox];

fn add(database: &Database<'_>, table: &str, mode: Mode) {
    let mut client = database.connect();
    eventually("WATCH ADD", || install::add(&mut client, table, mode, &AllowTables::default()).unwrap().ok());
}

/// Types that the attacker owns, with a value of each, and how to spell another.
const TYPES: &str = "CREATE TYPE evil.e AS ENUM ('a', 'b'); CREATE TYPE evil.c AS (x int, y text);
    CREATE TYPE evil.deep AS (x evil.c); CREATE DOMAIN evil.d AS evil.e; CREATE DOMAIN evil.n AS int8;
    CREATE TYPE evil.r AS RANGE (subtype = evil.e)";
const CASES: [(&str, &str, &str); 9] = [
    ("evil.e", "'a'", "'b'"),
    ("evil.d", "'a'", "'b'"),
    ("evil.n", "1", "2"),
    ("evil.c", "'(1,a)'", "'(2,b)'"),
    ("evil.deep", "'(\"(1,a)\")'", "'(\"(2,b)\")'"),
    ("evil.e[]", "'{a}'", "'{b}'"),
    ("evil.c[]", "'{\"(1,a)\"}'", "'{\"(2,b)\"}'"),
    ("evil.d[]", "'{a}'", "'{b}'"),
    ("evil.r", "'[a,b)'", "'[b,b]'"),
];

/// What is written: one row, several rows, keys that change, nothing, everything.
fn writes(table: &str, one: &str, other: &str) -> String {
    format!(
        "INSERT INTO {table} (k, v) VALUES ({one}, 1); UPDATE {table} SET v = 2; UPDATE {table} SET k = {other};
         INSERT INTO {table} (k, v) VALUES ({one}, 1); UPDATE {table} SET v = 3; DELETE FROM {table};
         INSERT INTO {table} (k, v) VALUES ({one}, 1), ({other}, 2); DELETE FROM {table} WHERE v = 1; TRUNCATE {table}"
    )
}

/// A table `t` of the attacker with this key, plain or partitioned, or with the triggers for rows.
fn make(attacker: &Attacker<'_>, kind: &str, shape: &str) {
    attacker.execute("DROP TABLE IF EXISTS evil.t CASCADE");
    attacker.execute(&match shape {
        "partitioned" => format!(
            "CREATE TABLE evil.t (k {kind}, v int, UNIQUE (v, k)) PARTITION BY RANGE (v);
             CREATE TABLE evil.t_1 PARTITION OF evil.t FOR VALUES FROM (0) TO (100)"
        ),
        _ => format!("CREATE TABLE evil.t (k {kind} UNIQUE, v int)"),
    });
}

/// Puts the function for rows, which a subscription would call, in the place of that for statements.
fn by_rows(database: &Database<'_>, mode: Mode) {
    database.execute("INSERT INTO pg_subscription_rel VALUES (1, 'evil.t'::regclass, 'r', NULL)");
    add(database, "evil.t", mode);
    database.execute("DELETE FROM pg_subscription_rel");
}

#[test]
fn no_cast_of_a_types_owner_runs_in_what_watch_installs() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        attacker.execute(TYPES);
        for kind in ["evil.e", "evil.c", "evil.deep", "evil.r", "evil.e[]", "evil.c[]"] {
            attacker.casts(kind);
        }
        for (kind, one, other) in CASES {
            for shape in ["plain", "rows", "partitioned"] {
                make(&attacker, kind, shape);
                add(&database, "evil.t", mode);
                if shape == "rows" {
                    by_rows(&database, mode);
                }
                let what = format!("{mode} {kind} {shape}");
                attacker.assert_harmless(&what, &writes("evil.t", one, other));
            }
        }
    }
}

#[test]
fn no_cast_runs_in_a_column_that_gets_its_type_later() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        attacker.execute(TYPES);
        for kind in ["evil.e", "evil.c", "evil.deep", "evil.r", "evil.e[]", "evil.c[]"] {
            attacker.casts(kind);
        }
        for (kind, one, other) in CASES {
            for before in ["int8", "text", "evil.n", "int4[]"] {
                for shape in ["plain", "rows", "partitioned"] {
                    if before == kind {
                        continue;
                    }
                    make(&attacker, before, shape);
                    add(&database, "evil.t", mode);
                    if shape == "rows" {
                        by_rows(&database, mode);
                    }
                    let change = format!("ALTER TABLE evil.t ALTER k TYPE {kind} USING NULL");
                    attacker.execute(&change);
                    let what = format!("{mode} {before} to {kind} {shape}");
                    attacker.assert_harmless(&what, &writes("evil.t", one, other));
                }
            }
        }
    }
}

#[test]
fn no_function_named_like_a_dropped_column_runs() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        for arguments in ["record", "anyelement"] {
            for shape in ["plain", "rows"] {
                make(&attacker, "int8", shape);
                add(&database, "evil.t", mode);
                if shape == "rows" {
                    by_rows(&database, mode);
                }
                attacker.function("evil.k", arguments, "int8", "1");
                attacker.execute("ALTER TABLE evil.t DROP k");
                let what = format!("{mode} {arguments} {shape}");
                attacker.assert_harmless(
                    &what,
                    "INSERT INTO evil.t VALUES (1); UPDATE evil.t SET v = 2; UPDATE evil.t SET v = 3; DELETE FROM evil.t;
                     INSERT INTO evil.t VALUES (1), (2)",
                );
                attacker.execute(&format!("DROP FUNCTION evil.k({arguments})"));
            }
        }
    }
}

#[test]
fn nobody_else_may_put_our_functions_on_a_table_of_his_own() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        make(&attacker, "int8", "plain");
        add(&database, "evil.t", mode);
        let open = "SELECT count(*) FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
            WHERE pronamespace = 'pgcache'::regnamespace AND a.grantee <> proowner";
        assert_eq!(database.number(open), 0, "{mode}");
        // What somebody made while everybody could goes with the next WATCH ADD.
        let oid = database.number("SELECT 'evil.t'::regclass::oid::bigint");
        database.execute(&format!(
            "CREATE TRIGGER pgcache_insert AFTER INSERT ON effects FOR EACH STATEMENT EXECUTE FUNCTION pgcache.changed_{oid}()"
        ));
        add(&database, "evil.t", mode);
        let left = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'effects'::regclass";
        assert_eq!(database.number(left), 0, "{mode}");
        assert_eq!(database.number("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'evil.t'::regclass"), 4);
    }
}

#[test]
fn what_somebody_else_left_in_the_schema_is_not_used() {
    for (mode, left) in [
        (Mode::Notify, "CREATE FUNCTION pgcache.notices(rel oid, keys text[]) RETURNS text[] LANGUAGE sql AS 'SELECT NULL::text[]'"),
        (Mode::Outbox, "CREATE TABLE pgcache.outbox (id int, xid int, notice text)"),
        (Mode::Outbox, "CREATE VIEW pgcache.outbox_state AS SELECT 1 AS x"),
    ] {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        database.execute(&format!("CREATE SCHEMA pgcache; GRANT ALL ON SCHEMA pgcache TO {}", attacker.role));
        attacker.execute(left);
        database.execute("CREATE TABLE users (id bigint PRIMARY KEY)");
        let error = install::add(&mut database.connect(), "users", mode, &AllowTables::default()).unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{left}");
        assert_eq!(database.number("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'users'::regclass"), 0);
    }
}

#[test]
fn the_functions_of_the_event_triggers_belong_to_a_superuser() {
    let database = Postgres::shared().database();
    let attacker = Attacker::new(&database);
    database.execute("CREATE TABLE users (id bigint PRIMARY KEY)");
    let script =
        install::sql(&mut database.connect(), "users", Mode::Notify, &AllowTables::default()).unwrap().unwrap();
    database.execute(&script.triggers);
    database.execute(&format!("GRANT ALL ON SCHEMA pgcache TO {}", attacker.role));
    attacker.execute("CREATE FUNCTION pgcache.tell_of_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
    let error = database.connect().batch_execute(&script.event_triggers).unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
}

/// Operators and functions under the names of PostgreSQL's own, that fail who runs them, and tables under names that our
/// functions and scripts use.
fn cast_shadows(attacker: &Attacker<'_>) {
    attacker.database.execute(&shadows("evil", true));
    attacker.database.execute(&format!("GRANT ALL ON SCHEMA evil TO {}", attacker.role));
    attacker.execute(
        "CREATE TABLE evil.pg_class (oid oid); CREATE TABLE evil.pg_proc (oid oid); CREATE TABLE evil.pg_trigger (oid oid);
         CREATE VIEW evil.old_rows AS SELECT 1 AS k; CREATE VIEW evil.new_rows AS SELECT 1 AS k;
         CREATE FUNCTION evil.pg_event_trigger_ddl_commands() RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL'",
    );
}

/// A DBA whose search path begins with the attacker's schema watches `table` by psql.
fn watch_by_dba(database: &Database<'_>, table: &str, mode: Mode) {
    let script =
        install::sql(&mut database.connect(), table, mode, &AllowTables::default()).unwrap().unwrap().to_string();
    for _ in 0..2 {
        database.psql(&["search_path=evil,public"], &script);
    }
}

#[test]
fn what_a_dba_runs_in_psql_does_what_it_says_whatever_names_say() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        cast_shadows(&attacker);
        database.execute(&format!("CREATE SCHEMA kinds AUTHORIZATION {}", attacker.role));
        let mut told = Told::by(&database, mode);
        for (n, name) in AS_NAMES.iter().enumerate() {
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            let table = format!("{quoted}.{quoted}");
            database.execute(&format!(
                "CREATE SCHEMA {quoted} AUTHORIZATION {role}; SET ROLE {role}; CREATE TYPE kinds.{quoted} AS ENUM ('a', 'b');
                 CREATE TABLE {table} ({quoted} int PRIMARY KEY, v kinds.{quoted} UNIQUE)",
                role = attacker.role
            ));
            watch_by_dba(&database, &table, mode);
            database.execute(&format!("INSERT INTO {table} VALUES ({n}, 'a')"));
            let notices = told.since_last(|notice| notice.get("keys").is_some());
            assert_eq!(notices.len(), 1, "{mode} {name:?}");
            assert_eq!(notices[0]["keys"][0][*name], n, "{mode} {name:?}: {}", notices[0]);
        }
        assert!(!database.postgres.home().join("pwned").exists(), "{mode}");
        assert_eq!(database.number("SELECT count(*) FROM effects"), 0);
        assert!(!attacker.is_superuser(), "{mode}");
        let listed = install::list(&mut database.connect()).unwrap();
        assert_eq!(listed.iter().filter(|table| table.is_whole && table.has_event_triggers).count(), AS_NAMES.len());
    }
}

#[test]
fn ddl_of_anybody_is_told_and_runs_nothing_with_the_rights_of_the_event_triggers() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        database.execute("CREATE TABLE users (id bigint PRIMARY KEY)");
        cast_shadows(&attacker);
        watch_by_dba(&database, "users", mode);
        let mut told = Told::by(&database, mode);
        for sql in DDL {
            attacker.assert_harmless(&mode.to_string(), sql);
            assert!(!told.since_last(|notice| notice.get("ddl").is_some()).is_empty(), "{mode} {sql}");
        }
        // And that of others goes on.
        database.execute("SET search_path = evil, public; ALTER TABLE public.users ADD v int");
        assert_eq!(told.since_last(|notice| notice.get("ddl").is_some()).len(), 1, "{mode}");
    }
}

#[test]
fn a_partition_gets_the_triggers_whatever_it_is_called() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        cast_shadows(&attacker);
        database.execute("CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY LIST (id)");
        watch_by_dba(&database, "parts", mode);
        for (n, name) in AS_NAMES.iter().enumerate() {
            let quoted = format!("evil.\"{}\"", name.replace('"', "\"\""));
            attacker.execute(&format!("CREATE TABLE {quoted} (id bigint NOT NULL)"));
            database.execute(&format!("ALTER TABLE parts ATTACH PARTITION {quoted} FOR VALUES IN ({n})"));
        }
        let bare = "SELECT count(*) FROM pg_inherits i WHERE inhparent = 'parts'::regclass AND 4 <> (
            SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = i.inhrelid AND tgname LIKE 'pgcache%' AND tgenabled = 'A')";
        assert_eq!(database.number(bare), 0, "{mode}");
        assert_eq!(
            database.number("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgcache%'"),
            4 * (1 + AS_NAMES.len() as i64)
        );
        assert!(!attacker.is_superuser(), "{mode}");
    }
}

#[test]
fn hostile_values_are_told_as_they_are_and_run_nothing() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let attacker = Attacker::new(&database);
        cast_shadows(&attacker);
        database.execute(&format!(
            "CREATE TABLE users (id bigint PRIMARY KEY, k text UNIQUE); GRANT INSERT, UPDATE, DELETE, SELECT ON users TO {}",
            attacker.role
        ));
        watch_by_dba(&database, "users", mode);
        let mut told = Told::by(&database, mode);
        for settings in HOSTILE_SETTINGS {
            for (n, value) in AS_VALUES.iter().enumerate() {
                let text = format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"));
                for sql in [
                    format!("INSERT INTO public.users VALUES ({n}, {text})"),
                    format!("UPDATE public.users SET k = {text}"),
                    "UPDATE public.users SET id = -1".to_owned(),
                    "DELETE FROM public.users".to_owned(),
                ] {
                    attacker.assert_harmless(&mode.to_string(), &format!("{settings}; {sql}"));
                    let notices = told.since_last(|_| true);
                    let is_told = |key: &serde_json::Value| key["k"] == *value;
                    let keys = notices.iter().filter_map(|notice| notice["keys"].as_array()).flatten();
                    assert!(
                        keys.clone().count() > 0 && keys.clone().all(is_told),
                        "{mode} {settings} {sql}: {notices:?}"
                    );
                }
            }
        }
    }
}
