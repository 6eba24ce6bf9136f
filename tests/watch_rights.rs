//! What WATCH installs runs with another's rights: no code of a type's or a table's owner may run in it.
#![allow(clippy::unwrap_used)]

mod support;

use pgcache::postgres::watch::{self, Mode};
use pgcache::settings::AllowTables;
use support::{eventually, Database, Postgres};

const MODES: [Mode; 2] = [Mode::Notify, Mode::Outbox];

/// What an attacker makes: a role without rights, and functions that would make it a superuser, as casts of each type
/// to each of the types that something might be turned into, as operators, and under the names of columns.
struct Attacker<'d> {
    database: &'d Database<'d>,
    role: String,
}

impl<'d> Attacker<'d> {
    fn new(database: &'d Database<'d>) -> Self {
        let role = format!("attacker_{}", database.name);
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};
             CREATE SCHEMA evil AUTHORIZATION {role}; CREATE TABLE public.effects (what text);
             GRANT INSERT ON effects TO PUBLIC"
        ));
        Self { database, role }
    }

    /// Runs statements as the attacker, whose search path prefers what is his.
    fn execute(&self, sql: &str) {
        let mut client = self.database.connect();
        let sql = format!("SET SESSION AUTHORIZATION {}; SET search_path = evil, public; {sql}", self.role);
        client.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Makes a function `name` of these arguments that returns `value` of this type and tries to gain rights: in
    /// PL/pgSQL, or in SQL that is inlined, so that its constant part would run while a statement is planned.
    fn function(&self, name: &str, arguments: &str, returns: &str, value: &str) {
        let role = &self.role;
        self.execute(&format!(
            "CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE plpgsql IMMUTABLE AS $$
             BEGIN
                 IF current_user <> '{role}' THEN
                     PERFORM set_config('evil.ran', '{name}', false);
                     BEGIN EXECUTE 'ALTER ROLE {role} SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
                 END IF;
                 RETURN {value};
             END $$"
        ));
    }

    /// Casts of `kind` to every type that a text, an integer, a comparison or a JSON value could be asked of.
    fn casts(&self, kind: &str) {
        let name = kind.replace(['[', ']', '.'], "_");
        for (n, (target, value, how)) in [
            ("pg_catalog.json", "'1'", ""),
            ("pg_catalog.jsonb", "'1'", "AS ASSIGNMENT"),
            ("pg_catalog.text", "'1'", "AS IMPLICIT"),
            ("pg_catalog.int8", "1", "AS IMPLICIT"),
            ("pg_catalog.int4", "1", "AS ASSIGNMENT"),
            ("pg_catalog.oid", "1", "AS IMPLICIT"),
            ("pg_catalog.regtype", "'int8'", "AS IMPLICIT"),
            ("pg_catalog.bool", "true", "AS IMPLICIT"),
        ]
        .into_iter()
        .enumerate()
        {
            let function = format!("evil.cast_{name}_{n}");
            self.function(&function, kind, target, value);
            // Inlined, its constant part is computed while the statement is planned.
            let (inner, target_name) = (format!("{function}_inner"), target);
            self.function(&inner, "", target, value);
            self.execute(&format!(
                "CREATE FUNCTION {function}_sql({kind}) RETURNS {target_name} LANGUAGE sql IMMUTABLE AS 'SELECT {inner}()'"
            ));
            let chosen = if n % 2 == 0 { format!("{function}_sql") } else { function };
            self.execute(&format!("CREATE CAST ({kind} AS {target}) WITH FUNCTION {chosen}({kind}) {how}"));
        }
        self.function(&format!("evil.eq_{name}"), &format!("{kind}, {kind}"), "bool", "true");
        self.execute(&format!(
            "CREATE OPERATOR evil.= (LEFTARG = {kind}, RIGHTARG = {kind}, FUNCTION = evil.eq_{name})"
        ));
    }

    fn is_superuser(&self) -> bool {
        let sql = format!("SELECT rolsuper::int::bigint FROM pg_roles WHERE rolname = '{}'", self.role);
        self.database.number(&sql) == 1
    }

    /// Writes as the application, in a session of a superuser that has the attacker's search path, and looks for effects.
    fn assert_harmless(&self, what: &str, writes: &str) {
        let mut client = self.database.connect();
        client.batch_execute("SET search_path = evil, public; SET evil.ran = ''").unwrap();
        client.batch_execute(&format!("SET SESSION AUTHORIZATION {}", self.role)).unwrap();
        let result = client.batch_execute(writes);
        assert!(result.is_ok(), "{what}: {writes}: {result:?}");
        client.batch_execute("RESET SESSION AUTHORIZATION").unwrap();
        let ran: String = client.query_one("SELECT current_setting('evil.ran')", &[]).unwrap().get(0);
        assert_eq!(ran, "", "{what}: {writes}");
        assert!(!self.is_superuser(), "{what}: {writes}");
    }
}

impl Drop for Attacker<'_> {
    fn drop(&mut self) {
        let mut client = self.database.connect();
        let _ = client.batch_execute(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.role));
    }
}

fn add(database: &Database<'_>, table: &str, mode: Mode) {
    let mut client = database.connect();
    eventually("WATCH ADD", || watch::add(&mut client, table, mode, &AllowTables::default()).unwrap().ok());
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
        let error = watch::add(&mut database.connect(), "users", mode, &AllowTables::default()).unwrap_err();
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
        watch::sql(&mut database.connect(), "users", Mode::Notify, &AllowTables::default()).unwrap().unwrap();
    database.execute(&script.triggers);
    database.execute(&format!("GRANT ALL ON SCHEMA pgcache TO {}", attacker.role));
    attacker.execute(
        "CREATE FUNCTION pgcache.tell_of_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    );
    let error = database.connect().batch_execute(&script.event_triggers).unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
}
