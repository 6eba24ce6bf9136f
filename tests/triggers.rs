//! What PostgreSQL tells of changes: the notices of every kind of statement, and what is installed for them.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pgcache::cache::error::Error;
use pgcache::cdc::install::{self, Mode, Watched};
use pgcache::settings::AllowTables;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, IsolationLevel};
use serde_json::Value;
use support::eventually::PATIENCE;
use support::{eventually, Database, Postgres};

const MODES: [Mode; 2] = [Mode::Notify, Mode::Outbox];

/// A database whose changes someone listens to.
struct Case<'p> {
    database: &'p Database<'p>,
    mode: Mode,
    writer: Client,
    subscriber: Client,
    heard: i64,
}

impl<'p> Case<'p> {
    fn new(database: &'p Database<'p>, mode: Mode) -> Self {
        let mut subscriber = database.connect();
        subscriber.batch_execute("LISTEN cache_invalidation").unwrap();
        Self { database, mode, writer: database.connect(), subscriber, heard: 0 }
    }

    fn watch(&mut self, tables: &[&str]) {
        for table in tables {
            install::add(&mut self.subscriber, table, self.mode, &AllowTables::default()).unwrap().unwrap();
        }
        self.notices();
    }

    /// The notices of these statements, each of which has to succeed.
    fn hear(&mut self, sql: &str) -> Vec<String> {
        self.writer.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        self.notices()
    }

    /// What has come since the last time.
    fn notices(&mut self) -> Vec<String> {
        match self.mode {
            Mode::Notify => self.notified(),
            Mode::Outbox => {
                if self.subscriber.query_one("SELECT to_regclass('pgcache.outbox') IS NULL", &[]).unwrap().get(0) {
                    return Vec::new();
                }
                let sql = "SELECT id, notice FROM pgcache.outbox WHERE id > $1 ORDER BY id";
                let rows = self.subscriber.query(sql, &[&self.heard]).unwrap();
                self.heard = rows.last().map_or(self.heard, |row| row.get(0));
                rows.iter().map(|row| row.get(1)).collect()
            }
            Mode::Wal => unreachable!("there are no triggers then"),
        }
    }

    /// Notices come in the order of commits: what comes before our own has been committed before it.
    fn notified(&mut self) -> Vec<String> {
        self.subscriber.batch_execute("NOTIFY cache_invalidation, 'end'").unwrap();
        let mut notices = Vec::new();
        let secret = pgcache::cdc::Secret::read(&mut self.database.connect()).unwrap();
        let mut all = self.subscriber.notifications();
        let mut all = all.timeout_iter(PATIENCE);
        while let Some(notice) = all.next().unwrap() {
            if notice.payload() == "end" {
                return notices;
            }
            assert!(notice.payload().len() <= 7900, "{} bytes", notice.payload().len());
            // Whoever listens reads nothing but the form.
            assert!(notice.payload().starts_with("pgcache:2:"), "{}", notice.payload());
            // Nobody can read the last ones once the secret has gone with the last watched table.
            let Some(secret) = &secret else { continue };
            let (payload, process) = (notice.payload(), notice.process_id());
            assert_eq!(secret.open(payload, process + 1), None);
            notices.push(secret.open(payload, process).unwrap_or_else(|| panic!("{payload}")));
        }
        panic!("our own notice never came");
    }

    fn oid(&mut self, table: &str) -> u32 {
        self.subscriber.query_one("SELECT to_regclass($1)::oid", &[&table]).unwrap().get(0)
    }

    /// What a statement is heard as: for each notice the table, and the keys as a set or `None` for all of it.
    fn assert_hears(&mut self, sql: &str, expected: &[(&str, Option<&[&str]>)]) {
        let notices = self.hear(sql);
        let heard: Vec<(u32, Option<BTreeSet<String>>)> = notices.iter().map(|notice| read(notice)).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(table, keys)| {
                let keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
                (self.oid(table), keys)
            })
            .collect();
        assert_eq!(heard, expected, "{:?} {sql}", self.mode);
    }

    fn list(&mut self) -> Vec<Watched> {
        install::list(&mut self.subscriber).unwrap()
    }

    /// How it is watched, by the query that servers ask.
    fn watched(&mut self, table: &str) -> Option<String> {
        let oid = self.oid(table);
        let told = MODES.into_iter().find(|mode| install::is_told(&mut self.subscriber, oid, *mode).unwrap());
        told.map(|mode| mode.name().to_owned())
    }
}

/// The table and the keys of a notice; without keys it is about the whole table.
fn read(notice: &str) -> (u32, Option<BTreeSet<String>>) {
    let value: Value = serde_json::from_str(notice).unwrap_or_else(|error| panic!("{notice}: {error}"));
    assert_eq!(value["pgcache"], 1, "{notice}");
    let keys = value.get("keys").map(|keys| keys.as_array().unwrap().iter().map(Value::to_string).collect());
    (value["rel"].as_u64().unwrap_or_else(|| panic!("{notice}")) as u32, keys)
}

/// Runs `test` in both modes with what `sql` makes, `tables` being watched.
fn with(sql: &str, tables: &[&str], test: impl Fn(&mut Case<'_>)) {
    for mode in MODES {
        let database = Postgres::shared().database();
        database.execute(sql);
        let mut case = Case::new(&database, mode);
        case.watch(tables);
        test(&mut case);
    }
}

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name text, v int DEFAULT 0);
    INSERT INTO users SELECT n, 'u' || n, 'x' FROM generate_series(1, 5) n";
const ALL: Option<&[&str]> = None;

fn refused(result: Result<Result<(), Error>, postgres::Error>) -> String {
    result.unwrap().unwrap_err().to_string()
}

#[test]
fn a_statement_is_heard_as_the_keys_of_its_rows() {
    with(USERS, &["users"], |case| {
        let hears = |case: &mut Case<'_>, sql: &str, keys: &[&str]| {
            case.assert_hears(sql, &[("users", Some(keys))]);
        };
        hears(case, "INSERT INTO users VALUES (6, 'u6')", &[r#"{"email":"u6","id":6}"#]);
        hears(case, "INSERT INTO users VALUES (7, NULL)", &[r#"{"email":null,"id":7}"#]);
        hears(case, "UPDATE users SET name = 'y' WHERE id = 1", &[r#"{"email":"u1","id":1}"#]);
        hears(case, "DELETE FROM users WHERE id = 7", &[r#"{"email":null,"id":7}"#]);
        let rows = [r#"{"email":"u2","id":2}"#, r#"{"email":"u3","id":3}"#, r#"{"email":"u4","id":4}"#];
        hears(case, "UPDATE users SET name = 'y' WHERE id BETWEEN 2 AND 4", &rows);
        hears(case, "DELETE FROM users WHERE id BETWEEN 2 AND 4", &rows);
        let rows = [r#"{"email":"a","id":2}"#, r#"{"email":"b","id":3}"#];
        hears(case, "INSERT INTO users VALUES (2, 'a'), (3, 'b')", &rows);
        hears(case, "WITH x AS (SELECT 8, 'w') INSERT INTO users SELECT * FROM x", &[r#"{"email":"w","id":8}"#]);
        hears(case, "COPY users (id, email) FROM PROGRAM 'echo 9,c' (FORMAT csv)", &[r#"{"email":"c","id":9}"#]);
    });
}

#[test]
fn a_statement_without_rows_is_not_heard() {
    with(USERS, &["users"], |case| {
        for sql in [
            "UPDATE users SET name = 'y' WHERE id = 99",
            "DELETE FROM users WHERE id = 99",
            "INSERT INTO users SELECT 99 WHERE false",
            "INSERT INTO users VALUES (1, 'u1') ON CONFLICT DO NOTHING",
            "BEGIN; DELETE FROM users; ROLLBACK",
        ] {
            case.assert_hears(sql, &[]);
        }
    });
}

#[test]
fn a_changed_key_is_heard_old_and_new() {
    with(USERS, &["users"], |case| {
        let (old, new) = (r#"{"email":"u1","id":1}"#, r#"{"email":"u1","id":10}"#);
        case.assert_hears("UPDATE users SET id = 10 WHERE id = 1", &[("users", Some(&[old, new]))]);
        let after = r#"{"email":"new","id":10}"#;
        case.assert_hears("UPDATE users SET email = 'new' WHERE id = 10", &[("users", Some(&[new, after]))]);
        let keys = [
            r#"{"email":"u2","id":2}"#,
            r#"{"email":"u2","id":12}"#,
            r#"{"email":"u3","id":3}"#,
            r#"{"email":"u3","id":13}"#,
        ];
        case.assert_hears("UPDATE users SET id = id + 10 WHERE id IN (2, 3)", &[("users", Some(&keys))]);
    });
}

#[test]
fn an_upsert_and_a_merge_are_heard_by_what_they_did() {
    with(USERS, &["users"], |case| {
        let (one, nine) = (r#"{"email":"u1","id":1}"#, r#"{"email":"u9","id":9}"#);
        let upsert = "ON CONFLICT (id) DO UPDATE SET v = users.v + 1";
        let both = [("users", Some(&[nine][..])), ("users", Some(&[one][..]))];
        let mut heard = case.hear(&format!("INSERT INTO users VALUES (1, 'u1'), (9, 'u9') {upsert}"));
        heard.sort();
        let mut heard: Vec<_> = heard.iter().map(|notice| read(notice).1.unwrap()).collect();
        heard.sort();
        assert_eq!(heard, [BTreeSet::from([one.to_owned()]), BTreeSet::from([nine.to_owned()])], "{both:?}");
        let merge = "MERGE INTO users u USING (VALUES (1), (20)) x(id) ON u.id = x.id
            WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, email) VALUES (x.id, 'm')";
        let mut heard: Vec<_> = case.hear(merge).iter().map(|notice| read(notice).1.unwrap()).collect();
        heard.sort();
        let made = r#"{"email":"m","id":20}"#;
        assert_eq!(heard, [BTreeSet::from([made.to_owned()]), BTreeSet::from([one.to_owned()])]);
    });
}

#[test]
fn a_cascade_is_heard_from_the_table_that_it_reaches() {
    let sql = "CREATE TABLE parent (id int PRIMARY KEY);
        CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
        INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 1), (12, 2)";
    with(sql, &["child"], |case| {
        let rows = [r#"{"id":10}"#, r#"{"id":11}"#];
        case.assert_hears("UPDATE parent SET id = 5 WHERE id = 1", &[("child", Some(&rows))]);
        case.assert_hears("DELETE FROM parent WHERE id = 5", &[("child", Some(&rows))]);
        case.assert_hears("TRUNCATE parent CASCADE", &[("child", ALL)]);
    });
}

#[test]
fn every_unique_key_is_told_and_nothing_else() {
    let sql = "CREATE TABLE t (a int, b text, c int UNIQUE, d int, e int, f int, PRIMARY KEY (b, a), UNIQUE (c, d));
        CREATE UNIQUE INDEX ON t (e) WHERE e > 0; CREATE UNIQUE INDEX ON t ((f + 1)); CREATE INDEX ON t (f);
        CREATE UNIQUE INDEX ON t (a, b) INCLUDE (f)";
    with(sql, &["t"], |case| {
        let key = r#"{"a":1,"b":"x","c":2,"d":3}"#;
        case.assert_hears("INSERT INTO t VALUES (1, 'x', 2, 3, 4, 5)", &[("t", Some(&[key]))]);
    });
}

#[test]
fn a_table_without_a_unique_key_is_heard_as_a_whole() {
    with("CREATE TABLE log (line text)", &["log"], |case| {
        case.assert_hears("INSERT INTO log VALUES ('a'), ('b')", &[("log", ALL)]);
        case.assert_hears("UPDATE log SET line = 'c' WHERE line = 'a'", &[("log", ALL)]);
        case.assert_hears("DELETE FROM log WHERE line = 'z'", &[]);
        case.assert_hears("DELETE FROM log", &[("log", ALL)]);
        case.assert_hears("TRUNCATE log", &[("log", ALL)]);
    });
}

#[test]
fn truncate_is_heard_as_the_whole_table() {
    with(USERS, &["users"], |case| {
        case.assert_hears("TRUNCATE users", &[("users", ALL)]);
        case.assert_hears("TRUNCATE users RESTART IDENTITY CASCADE", &[("users", ALL)]);
    });
}

const PARTS: &str = "CREATE TABLE p (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE p_eu PARTITION OF p FOR VALUES IN ('eu');
    CREATE TABLE p_us PARTITION OF p FOR VALUES IN ('us') PARTITION BY RANGE (id);
    CREATE TABLE p_us_1 PARTITION OF p_us FOR VALUES FROM (0) TO (100);
    CREATE TABLE p_us_2 (v int, gone int, region text NOT NULL, id int NOT NULL); ALTER TABLE p_us_2 DROP gone;
    ALTER TABLE p_us ATTACH PARTITION p_us_2 FOR VALUES FROM (100) TO (200)";

#[test]
fn partitions_are_heard_through_the_root_and_through_each_of_them() {
    with(PARTS, &["p"], |case| {
        let (eu, us) = (r#"{"id":1,"region":"eu"}"#, r#"{"id":1,"region":"us"}"#);
        let far = r#"{"id":150,"region":"us"}"#;
        case.assert_hears("INSERT INTO p VALUES (1, 'eu', 0)", &[("p", Some(&[eu]))]);
        case.assert_hears("UPDATE p SET region = 'us' WHERE id = 1", &[("p", Some(&[eu, us]))]);
        case.assert_hears("UPDATE p_us SET v = 1", &[("p_us", Some(&[us]))]);
        case.assert_hears("UPDATE p_us_1 SET v = 2", &[("p_us_1", Some(&[us]))]);
        case.assert_hears("UPDATE p_us SET id = 150", &[("p_us", Some(&[us, far]))]);
        case.assert_hears("UPDATE p_us_2 SET v = 3", &[("p_us_2", Some(&[far]))]);
        case.assert_hears("DELETE FROM p", &[("p", Some(&[far]))]);
        case.assert_hears("COPY p_eu FROM PROGRAM 'echo 1,eu,0' (FORMAT csv)", &[("p_eu", Some(&[eu]))]);
        case.assert_hears("TRUNCATE p_us_1", &[("p_us_1", ALL)]);
        let heard: BTreeSet<u32> = case.hear("TRUNCATE p").iter().map(|notice| read(notice).0).collect();
        let oids = ["p", "p_eu", "p_us", "p_us_1", "p_us_2"].map(|table| case.oid(table));
        assert_eq!(heard, BTreeSet::from(oids));
    });
}

#[test]
fn a_partition_that_comes_later_is_watched_from_then_on() {
    with(PARTS, &["p"], |case| {
        let mode = case.mode.name().to_owned();
        let (asia, more) = (r#"{"id":1,"region":"asia"}"#, r#"{"id":300,"region":"us"}"#);
        case.hear("CREATE TABLE p_asia PARTITION OF p FOR VALUES IN ('asia')");
        case.hear(
            "CREATE TABLE apart (LIKE p INCLUDING ALL);
            ALTER TABLE p_us ATTACH PARTITION apart FOR VALUES FROM (300) TO (400)",
        );
        assert_eq!(case.watched("p"), Some(mode.clone()));
        case.assert_hears("INSERT INTO p_asia VALUES (1, 'asia', 0)", &[("p_asia", Some(&[asia]))]);
        case.assert_hears("INSERT INTO apart VALUES (300, 'us', 0)", &[("apart", Some(&[more]))]);
        // Detached it goes on telling of itself; who does not want that removes the watch from it.
        case.hear("ALTER TABLE p DETACH PARTITION p_asia");
        case.assert_hears("UPDATE p_asia SET v = 1", &[("p_asia", Some(&[asia]))]);
        // Without the event triggers the root says that it is watched in parts only.
        case.hear("ALTER EVENT TRIGGER pgcache_ddl DISABLE; CREATE TABLE p_x PARTITION OF p FOR VALUES IN ('x')");
        assert_eq!(case.watched("p"), None);
        assert!(!case.list()[0].is_whole);
        case.watch(&["p"]);
        assert_eq!(case.watched("p"), Some(mode));
    });
}

#[test]
fn a_partition_watched_by_itself_stays_so_when_the_root_goes() {
    with(PARTS, &["p_us", "p"], |case| {
        assert_eq!(case.list().len(), 2);
        let one = r#"{"id":1,"region":"us"}"#;
        case.assert_hears("INSERT INTO p_us VALUES (1, 'us', 0)", &[("p_us", Some(&[one]))]);
        install::del(&mut case.subscriber, "p", &AllowTables::default()).unwrap().unwrap();
        case.notices();
        // A statement that names the root fires none of the partition's triggers.
        assert_eq!((case.watched("p"), case.watched("p_us")), (None, None));
        case.assert_hears("UPDATE p_us_1 SET v = 1", &[("p_us_1", Some(&[one]))]);
        case.assert_hears("INSERT INTO p_eu VALUES (1, 'eu', 0)", &[]);
    });
}

#[test]
fn heirs_are_watched_with_their_parent() {
    let sql = "CREATE TABLE parent (id int PRIMARY KEY, v int); CREATE TABLE child (w int UNIQUE) INHERITS (parent)";
    with(sql, &["parent"], |case| {
        case.assert_hears("INSERT INTO child VALUES (1, 2, 3)", &[("child", Some(&[r#"{"id":1}"#]))]);
        case.assert_hears("UPDATE parent SET v = 0", &[("parent", Some(&[r#"{"id":1}"#]))]);
    });
}

#[test]
fn a_view_is_watched_by_the_tables_that_it_reads() {
    let sql = format!(
        "{USERS}; CREATE TABLE orders (id int PRIMARY KEY, owner bigint);
        CREATE VIEW inner_view AS SELECT * FROM users WHERE id > 1;
        CREATE VIEW both_of AS SELECT i.id, o.id AS order_id FROM inner_view i JOIN orders o ON o.owner = i.id;
        CREATE VIEW nothing AS SELECT 1 AS id"
    );
    with(&sql, &["both_of"], |case| {
        let mode = Some(case.mode.name().to_owned());
        for name in ["both_of", "inner_view", "users", "orders"] {
            assert_eq!(case.watched(name), mode, "{name}");
        }
        case.assert_hears("INSERT INTO orders VALUES (1, 1)", &[("orders", Some(&[r#"{"id":1}"#]))]);
        install::del(&mut case.subscriber, "orders", &AllowTables::default()).unwrap().unwrap();
        assert_eq!((case.watched("both_of"), case.watched("inner_view")), (None, mode));
        assert!(refused(install::add(&mut case.subscriber, "nothing", case.mode, &AllowTables::default()))
            .starts_with("PGERR 42809 "));
        install::del(&mut case.subscriber, "both_of", &AllowTables::default()).unwrap().unwrap();
        assert!(case.list().is_empty());
    });
}

#[test]
fn names_may_hold_anything() {
    let tables = [
        r#""Mixed Case""#,
        r#""a""b""#,
        r#""a.b""#,
        r#""s.s"."x:y.z""#,
        r#""@relation@ %I $1 \x""#,
        "\"line\n; DROP TABLE victim; --\"",
    ];
    let columns =
        [r#""Key""#, r#""a""b\c""#, r#""$pgcache$""#, r#""it's""#, "\"l\nf\"", "\"o\"", "\"keys\"", "\"100%s\""];
    let columns = columns.map(|name| format!("{name} int UNIQUE DEFAULT 1")).join(", ");
    let ddl: String = tables.iter().map(|name| format!("CREATE TABLE {name} ({columns});")).collect();
    with(&format!("CREATE TABLE victim (); CREATE SCHEMA \"s.s\"; {ddl}"), &tables, |case| {
        let key = r#"{"Key":1,"a\"b\\c":1,"$pgcache$":1,"it's":1,"l\nf":1,"o":1,"keys":1,"100%s":1}"#;
        let key = serde_json::from_str::<Value>(key).unwrap().to_string();
        for table in tables {
            case.assert_hears(&format!("INSERT INTO {table} DEFAULT VALUES"), &[(table, Some(&[&key]))]);
            case.assert_hears(&format!("UPDATE {table} SET \"Key\" = 1"), &[(table, Some(&[&key]))]);
        }
        assert_eq!(case.list().len(), tables.len());
        assert!(case.list().iter().any(|watched| watched.name == r#""s.s"."x:y.z""#));
        case.hear("SELECT FROM victim");
        for table in tables {
            install::del(&mut case.subscriber, table, &AllowTables::default()).unwrap().unwrap();
        }
        assert_nothing_left(case);
    });
}

#[test]
fn values_are_spelled_the_same_whatever_the_writers_settings() {
    let columns = "id int PRIMARY KEY, tstz timestamptz UNIQUE, ts timestamp UNIQUE, d date UNIQUE, tm time UNIQUE,
        ttz timetz UNIQUE, iv interval UNIQUE, f8 float8 UNIQUE, f4 float4 UNIQUE, n numeric UNIQUE, b bytea UNIQUE,
        t text UNIQUE, bp char(5) UNIQUE, u uuid UNIQUE, bo bool UNIQUE, stamps timestamptz[] UNIQUE,
        r tstzrange UNIQUE, j jsonb UNIQUE, ip inet UNIQUE, e mood UNIQUE, dom positive UNIQUE, i2 int2 UNIQUE,
        i8 int8 UNIQUE, o oid UNIQUE, m money UNIQUE, bits varbit UNIQUE";
    let sql = format!(
        "CREATE TYPE mood AS ENUM ('so \"so\"', 'fine'); CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
        CREATE TABLE t ({columns})"
    );
    let rows = [
        "1, '2024-02-29 23:59:59.123456+00', '2024-02-29 23:59:59.5', '2024-02-29', '23:59:60', '12:00+05:30',
         '1 year 2 days 03:04:05', 0.1::float8 + 0.2, 1.0::float4 / 3, 1.50, '\\x00ff27', E'q\"\\\\\\n\\u00e9\\u0001', 'ab',
         'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', true, '{2024-01-01 00:00+00,NULL}',
         '[2024-01-01 00:00+00,)', '{\"b\": 1.10, \"a\": [null]}', '10.0.0.0/8', 'so \"so\"', 1.10, 1, -9007199254740993,
         4294967295, 12.34, B'101'",
        "2, 'infinity', '-infinity', 'infinity', '00:00', '00:00-12', '-1 day -00:00:01', 'NaN', '-Infinity', 'NaN', '',
         '', '', '00000000-0000-0000-0000-000000000000', false, '{}', 'empty', 'null', '::1', 'fine', 1e30, -32768, 0, 0,
         -1, B''",
        "3, '0044-03-15 BC', '0044-03-15 BC', '0044-03-15 BC', NULL, NULL, '1 mon', 1e300, 1e-30, 1e-20, NULL,
         'null', 'a    ', NULL, NULL, NULL, NULL, '\"x\"', '10.0.0.1', NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    ];
    with(&sql, &["t"], |case| {
        let expected =
            "SELECT '{' || string_agg(to_json(c.key)::text || ':' || c.value::text, ',' ORDER BY c.key COLLATE \"C\")
                || '}' FROM t AS whole, json_each(row_to_json(whole)) c WHERE whole.id = $1";
        let oid = case.oid("t");
        case.subscriber
            .batch_execute(
                "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
            SET extra_float_digits = 1; SET bytea_output = 'hex'",
            )
            .unwrap();
        for settings in [
            "SET TimeZone = 'UTC'",
            "SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German, DMY'; SET IntervalStyle = 'iso_8601';
             SET extra_float_digits = -5; SET bytea_output = 'escape'; SET standard_conforming_strings = on",
            "SET TimeZone = 'America/St_Johns'; SET DateStyle = 'SQL, MDY'; SET IntervalStyle = 'sql_standard'",
        ] {
            for (n, row) in rows.iter().enumerate() {
                let insert = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'";
                case.hear(&format!("DELETE FROM t; {insert}; INSERT INTO t VALUES ({row}); {settings}"));
                let key: String = case.subscriber.query_one(expected, &[&(n as i32 + 1)]).unwrap().get(0);
                let notice = format!(r#"{{"pgcache":1,"rel":{oid},"keys":[{key}]}}"#);
                assert_eq!(case.hear("UPDATE t SET id = id"), [notice], "{settings}");
            }
        }
    });
}

#[test]
fn a_hostile_search_path_changes_nothing() {
    let sql = format!(
        "{USERS}; CREATE SCHEMA evil; CREATE TABLE evil.seen (what text);
        CREATE FUNCTION evil.trap(text, text) RETURNS boolean LANGUAGE sql AS $$ INSERT INTO evil.seen VALUES ($1); SELECT false $$;
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
        CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
        CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'INSERT INTO evil.seen VALUES ($2)';
        CREATE FUNCTION evil.to_json(text) RETURNS json LANGUAGE sql AS $$ INSERT INTO evil.seen VALUES ($1); SELECT '1'::json $$;
        CREATE DOMAIN evil.text AS int; CREATE TABLE evil.old_rows (id int)"
    );
    with(&sql, &["users"], |case| {
        let (one, ten) = (r#"{"email":"u1","id":1}"#, r#"{"email":"u1","id":10}"#);
        let update = "SET search_path = evil, public, pg_catalog; UPDATE users SET id = 10 WHERE id = 1";
        case.assert_hears(update, &[("users", Some(&[one, ten]))]);
        assert_eq!(case.database.number("SELECT count(*) FROM evil.seen"), 0);
    });
}

#[test]
fn wide_rows_and_wide_keys_never_fail() {
    let sql = "CREATE TABLE wide (id int PRIMARY KEY, body text); CREATE TABLE keys (key text PRIMARY KEY, v int)";
    with(sql, &["wide", "keys"], |case| {
        let key = [r#"{"id":1}"#];
        let megabyte = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 32768) n)";
        case.assert_hears(&format!("INSERT INTO wide VALUES (1, {megabyte})"), &[("wide", Some(&key))]);
        case.assert_hears("UPDATE wide SET body = body || 'x'", &[("wide", Some(&key))]);
        case.assert_hears("DELETE FROM wide", &[("wide", Some(&key))]);
        // Compressed it fits into an index.
        case.assert_hears("INSERT INTO keys VALUES (repeat('k', 10000), 1)", &[("keys", ALL)]);
        case.assert_hears("UPDATE keys SET v = 2", &[("keys", ALL)]);
        case.assert_hears("INSERT INTO keys VALUES ('a', 1), (repeat('x', 10000), 1)", &[("keys", ALL)]);
        case.assert_hears("DELETE FROM keys", &[("keys", ALL)]);
        // Bytes count, not characters; what just fits is told.
        case.assert_hears("INSERT INTO keys VALUES (repeat('é', 2850), 1)", &[("keys", ALL)]);
        let fits = format!(r#"{{"key":"{}"}}"#, "é".repeat(2750));
        case.assert_hears("INSERT INTO keys VALUES (repeat('é', 2750), 1)", &[("keys", Some(&[&fits]))]);
    });
}

#[test]
fn keys_of_several_rows_fill_few_notices() {
    with(USERS, &["users"], |case| {
        let insert = "INSERT INTO users SELECT n, 'user' || n || '@example.com' FROM generate_series(1001, 2000) n";
        let notices = case.hear(insert);
        assert!((2..=8).contains(&notices.len()), "{} notices", notices.len());
        assert!(notices.iter().all(|notice| notice.len() <= 7900));
        let keys: BTreeSet<String> = notices.iter().flat_map(|notice| read(notice).1.unwrap()).collect();
        assert_eq!(keys.len(), 1000);
        let rows = "CREATE TABLE k (key text PRIMARY KEY)";
        case.hear(rows);
        case.watch(&["k"]);
        // 100 notices would be too many.
        case.assert_hears("INSERT INTO k SELECT repeat('k', 5000) || n FROM generate_series(1, 100) n", &[("k", ALL)]);
        let notices = case.hear("DELETE FROM k WHERE right(key, 1) = '1'");
        assert_eq!(notices.len(), 10);
    });
}

#[test]
fn a_statement_with_100_000_rows_is_one_notice() {
    let sql = "CREATE TABLE big (id int PRIMARY KEY, v int); INSERT INTO big SELECT generate_series(1, 100000), 0";
    with(sql, &["big"], |case| {
        for sql in ["UPDATE big SET v = 1", "UPDATE big SET id = -id", "DELETE FROM big"] {
            case.assert_hears(sql, &[("big", ALL)]);
        }
    });
}

#[test]
fn a_copy_of_a_million_rows_is_one_notice() {
    with("CREATE UNLOGGED TABLE big (id int PRIMARY KEY)", &["big"], |case| {
        case.assert_hears("COPY big FROM PROGRAM 'seq 1000000'", &[("big", ALL)]);
    });
}

#[test]
fn writers_with_the_role_of_a_replica_are_heard() {
    with(USERS, &["users"], |case| {
        let sql = "SET session_replication_role = replica; UPDATE users SET v = 1 WHERE id = 1; TRUNCATE users";
        case.assert_hears(sql, &[("users", Some(&[r#"{"email":"u1","id":1}"#])), ("users", ALL)]);
    });
}

#[test]
fn a_writer_needs_no_right_on_anything_of_ours() {
    with(USERS, &["users"], |case| {
        let role = format!("writer_{}", case.database.name);
        case.hear(&format!(
            "DROP ROLE IF EXISTS {role}_{0}; CREATE ROLE {role}_{0}; GRANT SELECT, INSERT, UPDATE, DELETE ON users TO {role}_{0};
            REVOKE ALL ON SCHEMA pgcache FROM PUBLIC; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgcache FROM PUBLIC",
            case.mode
        ));
        let sql = format!("SET ROLE {role}_{}; UPDATE users SET v = 1 WHERE id < 3", case.mode);
        let rows = [r#"{"email":"u1","id":1}"#, r#"{"email":"u2","id":2}"#];
        case.assert_hears(&sql, &[("users", Some(&rows))]);
        case.writer.batch_execute("SELECT FROM pgcache.outbox").unwrap_err();
        case.hear(&format!("RESET ROLE; DROP OWNED BY {role}_{0}; DROP ROLE {role}_{0}", case.mode));
    });
}

#[test]
fn a_table_that_changed_under_its_triggers_is_heard_as_a_whole_until_it_is_added_again() {
    for change in [
        "ALTER TABLE users RENAME email TO mail",
        "ALTER TABLE users DROP email",
        "ALTER TABLE users DROP CONSTRAINT users_pkey, DROP id",
    ] {
        with(USERS, &["users"], |case| {
            case.hear("UPDATE users SET v = 1");
            case.hear(change);
            for sql in [
                "UPDATE users SET v = 2 WHERE name = 'x'",
                "INSERT INTO users (name) SELECT 'y' WHERE NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = 'users'::regclass AND attname = 'id' AND attnotnull)
                 UNION ALL SELECT 'y' LIMIT 0",
                "DELETE FROM users",
            ] {
                let heard = case.hear(sql);
                assert!(heard.iter().all(|notice| read(notice).1.is_none()), "{change}: {heard:?}");
            }
            assert!(!case.hear("TRUNCATE users").is_empty());
            case.watch(&["users"]);
            let heard = case.hear("INSERT INTO users VALUES (1, '2')");
            assert!(read(&heard[0]).1.is_some(), "{change}: {heard:?}");
        });
    }
}

#[test]
fn a_dropped_index_and_a_renamed_table_change_nothing_for_the_application() {
    with(USERS, &["users"], |case| {
        case.hear("ALTER TABLE users DROP CONSTRAINT users_email_key");
        case.assert_hears("UPDATE users SET v = 1 WHERE id = 1", &[("users", Some(&[r#"{"email":"u1","id":1}"#]))]);
        case.hear("ALTER TABLE users RENAME TO people; CREATE SCHEMA app; ALTER TABLE people SET SCHEMA app");
        let key = [r#"{"email":"u1","id":1}"#];
        case.assert_hears("UPDATE app.people SET v = 1 WHERE id = 1", &[("app.people", Some(&key))]);
        assert_eq!(case.list()[0].name, "app.people");
        // A table of the same name is another table.
        case.hear("CREATE TABLE users (id int PRIMARY KEY)");
        case.assert_hears("INSERT INTO users VALUES (1)", &[]);
        assert_eq!(case.watched("users"), None);
        case.hear("DROP TABLE app.people");
        assert!(case.list().is_empty());
        case.watch(&["users"]);
        assert_eq!(case.database.number("SELECT count(*) FROM pg_proc WHERE proname LIKE 'changed%'"), 1);
    });
}

#[test]
fn whatever_is_done_to_our_objects_the_application_goes_on() {
    for sabotage in [
        "DROP SCHEMA pgcache CASCADE",
        "DROP TABLE IF EXISTS pgcache.outbox",
        "DROP TABLE IF EXISTS pgcache.outbox_state",
        "DROP FUNCTION pgcache.notices",
        "DO $$ BEGIN ALTER TABLE pgcache.outbox DROP notice; EXCEPTION WHEN undefined_table THEN END $$",
        "DO $$ BEGIN ALTER TABLE pgcache.outbox ADD CHECK (false) NOT VALID; EXCEPTION WHEN undefined_table THEN END $$",
        "DO $$ BEGIN DELETE FROM pgcache.outbox_state; EXCEPTION WHEN undefined_table THEN END $$",
        "REVOKE ALL ON ALL TABLES IN SCHEMA pgcache FROM current_user",
        "DO $$ BEGIN CREATE FUNCTION pgcache.bad() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
            CREATE TRIGGER bad BEFORE INSERT ON pgcache.outbox EXECUTE FUNCTION pgcache.bad();
            EXCEPTION WHEN undefined_table THEN END $$",
    ] {
        with(USERS, &["users"], |case| {
            case.hear("UPDATE users SET v = 1 WHERE id = 1");
            case.writer.batch_execute(sabotage).unwrap();
            for sql in [
                "UPDATE users SET v = 1 WHERE id = 1",
                "UPDATE users SET v = 1",
                "INSERT INTO users VALUES (100), (101)",
                "DELETE FROM users WHERE id = 100",
                "TRUNCATE users",
                "ALTER TABLE users ADD more int",
                "CREATE TABLE other (id int PRIMARY KEY); DROP TABLE other",
            ] {
                case.writer.batch_execute(sql).unwrap_or_else(|error| panic!("{sabotage}; {sql}: {error:?}"));
            }
            case.writer.batch_execute("UPDATE users SET v = 1 WHERE id = 1").unwrap();
        });
    }
}

#[test]
fn transactions_may_be_prepared_in_outbox_mode() {
    let postgres = Postgres::start_with("max_prepared_transactions=5");
    let database = postgres.database();
    database.execute(USERS);
    let mut case = Case::new(&database, Mode::Outbox);
    case.watch(&["users"]);
    let key = [r#"{"email":"u1","id":1}"#];
    let prepare = "BEGIN; UPDATE users SET v = 1 WHERE id = 1; ALTER TABLE users ADD c int; PREPARE TRANSACTION 'x'";
    assert!(case.hear(prepare).is_empty());
    let heard = case.hear("COMMIT PREPARED 'x'");
    assert_eq!(read(&heard[0]).1.unwrap().into_iter().collect::<Vec<_>>(), key);
    assert!(case.hear("BEGIN; TRUNCATE users; PREPARE TRANSACTION 'y'").is_empty());
    assert!(case.hear("ROLLBACK PREPARED 'y'").is_empty());
}

#[test]
fn a_full_outbox_takes_no_more_and_fails_nobody() {
    let database = Postgres::shared().database();
    database.execute(USERS);
    let mut case = Case::new(&database, Mode::Outbox);
    case.watch(&["users"]);
    let key = r#"{"email":"u1","id":1}"#;
    case.assert_hears("UPDATE users SET v = 1 WHERE id = 1", &[("users", Some(&[key]))]);
    // A transaction that reads as of now, and writes when there is room again.
    let mut early = database.connect();
    let mut early = early.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().unwrap();
    case.hear("SELECT setval('pgcache.outbox_id_seq', 2000000)");
    early.query("SELECT 1", &[]).unwrap();
    for sql in [
        "UPDATE users SET v = 1 WHERE id = 1",
        "UPDATE users SET v = 1",
        "TRUNCATE users",
        "ALTER TABLE users ADD c int",
    ] {
        case.assert_hears(sql, &[]);
    }
    case.hear("SELECT setval('pgcache.outbox_state_low_seq', 2000000)");
    early.execute("INSERT INTO users (id, email, v) VALUES (77, 'u77', 1)", &[]).unwrap();
    early.commit().unwrap();
    assert!(case.notices()[0].contains("u77"));
    case.assert_hears("TRUNCATE users", &[("users", ALL)]);
}

/// The poll of a server: what has become visible since `seen`, and what is visible now.
fn poll(client: &mut Client, seen: &mut String) -> Vec<String> {
    let sql = "SELECT pg_current_snapshot()::text, array(SELECT notice FROM pgcache.outbox
        WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
        ORDER BY id)";
    let row = client.query_one(sql, &[&*seen]).unwrap();
    *seen = row.get(0);
    row.get(1)
}

#[test]
fn the_outbox_tells_each_change_once_whatever_the_order_of_commits() {
    let database = Postgres::shared().database();
    database.execute(USERS);
    let mut case = Case::new(&database, Mode::Outbox);
    case.watch(&["users"]);
    let mut seen = case.database.text("SELECT pg_current_snapshot()::text").unwrap();
    let (mut slow, mut quick) = (database.connect(), database.connect());
    slow.batch_execute("BEGIN; UPDATE users SET v = 1 WHERE id = 1").unwrap();
    quick.batch_execute("UPDATE users SET v = 1 WHERE id = 2").unwrap();
    let told = |notices: Vec<String>| -> Vec<String> { notices.iter().flat_map(|n| read(n).1.unwrap()).collect() };
    assert_eq!(told(poll(&mut case.subscriber, &mut seen)), [r#"{"email":"u2","id":2}"#]);
    assert!(poll(&mut case.subscriber, &mut seen).is_empty());
    slow.batch_execute("SAVEPOINT s; UPDATE users SET v = 1 WHERE id = 4; ROLLBACK TO s").unwrap();
    slow.batch_execute("SAVEPOINT s; UPDATE users SET v = 1 WHERE id = 3; RELEASE s; COMMIT").unwrap();
    assert_eq!(told(poll(&mut case.subscriber, &mut seen)), [r#"{"email":"u1","id":1}"#, r#"{"email":"u3","id":3}"#]);
    assert!(poll(&mut case.subscriber, &mut seen).is_empty());
}

#[test]
fn adding_twice_is_the_same_as_once() {
    with(&format!("{USERS}; {PARTS}"), &["users", "p"], |case| {
        let state = "SELECT string_agg(x, E'\\n' ORDER BY x) FROM (
            SELECT pg_get_triggerdef(oid) || tgenabled::text AS x FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'pgcache'::regnamespace
            UNION ALL SELECT evtname::text || evtenabled::text FROM pg_event_trigger
            UNION ALL SELECT relname::text || coalesce(relacl::text, '') FROM pg_class
                       WHERE relnamespace = 'pgcache'::regnamespace) y";
        let (before, list) = (case.database.text(state), case.list());
        let script = install::sql(&mut case.subscriber, "users", case.mode, &AllowTables::default()).unwrap().unwrap();
        case.watch(&["users", "p", "users"]);
        assert_eq!((case.database.text(state), case.list()), (before.clone(), list));
        assert_eq!(
            install::sql(&mut case.subscriber, "users", case.mode, &AllowTables::default()).unwrap().unwrap(),
            script
        );
        // What a DBA runs is what ADD runs.
        case.subscriber.batch_execute(&script.to_string()).unwrap();
        assert_eq!(case.database.text(state), before);
    });
}

#[test]
fn another_mode_takes_the_place_of_the_first() {
    with(USERS, &["users"], |case| {
        let other = MODES.into_iter().find(|mode| *mode != case.mode).unwrap();
        case.mode = other;
        case.watch(&["users"]);
        assert_eq!(case.watched("users"), Some(other.name().into()));
        assert_eq!(case.list()[0].mode, other);
        case.assert_hears("UPDATE users SET v = 1 WHERE id = 1", &[("users", Some(&[r#"{"email":"u1","id":1}"#]))]);
    });
}

/// That the database is as if nobody had ever watched anything in it.
fn assert_nothing_left(case: &mut Case<'_>) {
    for sql in [
        "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgcache%'",
        "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgcache'",
        "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pgcache%'",
    ] {
        assert_eq!(case.database.number(sql), 0, "{sql}");
    }
}

#[test]
fn removing_the_watch_leaves_nothing_behind() {
    with(&format!("{USERS}; {PARTS}"), &["users", "p"], |case| {
        install::del(&mut case.subscriber, "p", &AllowTables::default()).unwrap().unwrap();
        assert_eq!(case.list().len(), 1);
        case.notices();
        case.assert_hears("INSERT INTO p VALUES (1, 'eu', 0); TRUNCATE p", &[]);
        install::del(&mut case.subscriber, "users", &AllowTables::default()).unwrap().unwrap();
        assert!(case.list().is_empty());
        assert_nothing_left(case);
        case.writer.batch_execute("UPDATE users SET v = 1; ALTER TABLE users ADD c int").unwrap();
        install::del(&mut case.subscriber, "users", &AllowTables::default()).unwrap().unwrap();
        // Objects of somebody else's are left alone, with the schema that they are in.
        case.watch(&["users"]);
        case.writer.batch_execute("CREATE TABLE pgcache.mine ()").unwrap();
        install::del(&mut case.subscriber, "users", &AllowTables::default()).unwrap().unwrap();
        assert_eq!(case.database.text("SELECT to_regclass('pgcache.mine')::text"), Some("pgcache.mine".into()));
    });
}

#[test]
fn the_list_says_what_is_watched_and_how() {
    with(PARTS, &["p"], |case| {
        let oid = case.oid("p");
        let expected = Watched {
            oid,
            name: "public.p".into(),
            mode: case.mode,
            triggers: 20,
            partitions: 4,
            is_whole: true,
            has_event_triggers: true,
            published_as: None,
            columns: None,
        };
        assert_eq!(case.list(), std::slice::from_ref(&expected));
        case.hear("ALTER TABLE p_eu DISABLE TRIGGER pgcache_update");
        assert_eq!(case.list(), [Watched { is_whole: false, ..expected.clone() }]);
        // Enabled for ordinary sessions only is not enough either.
        case.hear("ALTER TABLE p_eu ENABLE TRIGGER pgcache_update");
        assert_eq!(case.list(), [Watched { is_whole: false, ..expected }]);
    });
}

#[test]
fn what_nothing_tells_of_is_refused() {
    let sql = "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing;
        CREATE FOREIGN TABLE far_away (id int) SERVER far; CREATE TABLE t (id int PRIMARY KEY);
        CREATE MATERIALIZED VIEW kept AS SELECT * FROM t; CREATE VIEW over AS SELECT * FROM kept;
        CREATE VIEW over_system AS SELECT oid FROM pg_class; CREATE SEQUENCE seq;
        CREATE TABLE parts (id int) PARTITION BY LIST (id);
        CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES IN (1) SERVER far";
    with(sql, &[], |case| {
        case.subscriber.batch_execute("CREATE TEMP TABLE fleeting (id int)").unwrap();
        for (name, word) in [
            ("far_away", "foreign table"),
            ("kept", "materialised view"),
            ("over", "materialised view"),
            ("fleeting", "temporary table"),
            ("parts", "foreign table"),
        ] {
            let error = refused(install::add(&mut case.subscriber, name, case.mode, &AllowTables::default()));
            assert!(error.starts_with("PGERR 42809 "), "{name}: {error}");
            assert!(error.contains(word) && error.contains("TTL"), "{name}: {error}");
        }
        for name in ["pg_catalog.pg_class", "over_system"] {
            let error = refused(install::add(&mut case.subscriber, name, case.mode, &AllowTables::default()));
            assert!(error.starts_with("NOPERM ") && error.contains("allow_tables"), "{name}: {error}");
        }
        for name in ["missing", "no.such", "seq", "a.b.c.d"] {
            let error = refused(install::add(&mut case.subscriber, name, case.mode, &AllowTables::default()));
            assert!(error.starts_with("PGNOTABLE "), "{name}: {error}");
            assert!(
                refused(install::del(&mut case.subscriber, name, &AllowTables::default())).starts_with("PGNOTABLE "),
                "{name}"
            );
        }
        assert_nothing_left(case);
    });
}

#[test]
fn waiting_for_a_busy_table_ends_soon_and_changes_nothing() {
    let database = Postgres::shared().database();
    database.execute(USERS);
    let mut case = Case::new(&database, Mode::Notify);
    case.writer.batch_execute("BEGIN; UPDATE users SET v = 1 WHERE id = 1").unwrap();
    // Each attempt is refused while the table is held. How long those behind it are held up shows in the shortest time:
    // a machine that stands still prolongs any of the others.
    let (mut other, mut held_up) = (database.connect(), vec![]);
    while held_up.len() < 3 {
        let is_refused = AtomicBool::new(false);
        let took = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let sql = "SELECT FROM pg_locks WHERE relation = 'users'::regclass AND NOT granted";
                while other.query_opt(sql, &[]).unwrap().is_none() {
                    // Too late to stand in line behind it.
                    if is_refused.load(Ordering::Relaxed) {
                        return None;
                    }
                }
                let start = Instant::now();
                other.batch_execute("UPDATE users SET v = 1 WHERE id = 2").unwrap();
                Some(start.elapsed())
            });
            let error = refused(install::add(&mut case.subscriber, "users", Mode::Notify, &AllowTables::default()));
            is_refused.store(true, Ordering::Relaxed);
            assert!(error.starts_with("PGERR 55P03 users: "), "{error}");
            other.join().unwrap()
        });
        held_up.extend(took);
    }
    assert!(held_up.iter().min().unwrap() < &Duration::from_secs(2), "{held_up:?}");
    case.writer.batch_execute("COMMIT").unwrap();
    assert_nothing_left(&mut case);
    case.watch(&["users"]);
    case.writer.batch_execute("BEGIN; SELECT FROM users").unwrap();
    assert!(refused(install::del(&mut case.subscriber, "users", &AllowTables::default()))
        .starts_with("PGERR 55P03 users: "));
    case.writer.batch_execute("COMMIT").unwrap();
    assert_eq!(case.watched("users"), Some("notify".into()));
}

#[test]
fn installing_at_the_same_time_is_no_trouble() {
    let database = Postgres::shared().database();
    database.execute(USERS).execute(PARTS);
    thread::scope(|scope| {
        for n in 0..4 {
            let database = &database;
            scope.spawn(move || {
                let mut client = database.connect();
                let table = if n % 2 == 0 { "users" } else { "p" };
                eventually("WATCH ADD", || {
                    install::add(&mut client, table, Mode::Outbox, &AllowTables::default()).unwrap().ok()
                });
            });
        }
    });
    let mut case = Case::new(&database, Mode::Outbox);
    assert!(case.list().iter().all(|watched| watched.is_whole) && case.list().len() == 2);
}

#[test]
fn changed_definitions_are_heard() {
    with(&format!("{USERS}; {PARTS}; CREATE VIEW v AS SELECT * FROM users"), &["users"], |case| {
        let ddl = |case: &mut Case<'_>, sql: &str, tables: &[&str]| {
            let mut oids: Vec<u32> = tables.iter().map(|table| case.oid(table)).collect();
            oids.sort_unstable();
            let heard: Vec<Value> = case.hear(sql).iter().map(|n| serde_json::from_str(n).unwrap()).collect();
            assert!(heard.iter().any(|notice| notice["ddl"] == serde_json::json!(oids)), "{sql}: {heard:?}");
        };
        ddl(case, "ALTER TABLE users ADD more int", &["users"]);
        ddl(case, "ALTER TABLE users RENAME name TO full_name", &["users"]);
        ddl(case, "CREATE UNIQUE INDEX by_name ON users (full_name, id)", &["users"]);
        ddl(case, "DROP INDEX by_name", &[]);
        ddl(case, "ALTER TABLE p_us_1 ALTER v SET DEFAULT 1", &["p_us_1", "p_us", "p"]);
        ddl(case, "ALTER TABLE p DETACH PARTITION p_eu", &["p"]);
        ddl(case, "CREATE OR REPLACE VIEW v AS SELECT id, email, full_name AS name, v, 1 AS one FROM users", &["v"]);
        ddl(case, "CREATE POLICY mine ON users USING (true)", &["users"]);
        ddl(case, "DROP POLICY mine ON users", &[]);
        ddl(case, "CREATE TYPE mood AS ENUM ('a'); ALTER TYPE mood ADD VALUE 'b'", &[]);
        ddl(case, "DROP VIEW v", &[]);
        case.hear("CREATE MATERIALIZED VIEW kept AS SELECT * FROM users");
        ddl(case, "REFRESH MATERIALIZED VIEW kept", &["kept"]);
        case.hear("CREATE UNIQUE INDEX ON kept (id)");
        ddl(case, "REFRESH MATERIALIZED VIEW CONCURRENTLY kept", &["kept"]);
        for quiet in [
            "CREATE TEMP TABLE fleeting (id int PRIMARY KEY); ALTER TABLE fleeting ADD c int; DROP TABLE fleeting",
            "CREATE SEQUENCE s; DROP SEQUENCE s",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f()",
            "ANALYZE users; COMMENT ON TABLE users IS 'x'",
        ] {
            case.assert_hears(quiet, &[]);
        }
        case.hear("SET session_replication_role = replica");
        ddl(case, "ALTER TABLE users ALTER v SET DEFAULT 9", &["users"]);
    });
}

#[test]
fn the_owner_of_a_table_may_watch_it_without_event_triggers() {
    for mode in MODES {
        let database = Postgres::shared().database();
        let role = format!("owner_{}_{mode}", database.name);
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; {USERS}; ALTER TABLE users OWNER TO {role}",
            database.name
        ));
        let mut case = Case::new(&database, mode);
        case.subscriber
            .batch_execute(&format!("SET SESSION AUTHORIZATION {role}; SET default_transaction_read_only = on"))
            .unwrap();
        case.watch(&["users"]);
        assert_eq!(case.watched("users"), Some(mode.name().into()));
        assert!(case.list()[0].is_whole && !case.list()[0].has_event_triggers);
        case.assert_hears("UPDATE users SET v = 1 WHERE id = 1", &[("users", Some(&[r#"{"email":"u1","id":1}"#]))]);
        install::del(&mut case.subscriber, "users", &AllowTables::default()).unwrap().unwrap();
        assert_nothing_left(&mut case);
        case.subscriber.batch_execute("RESET SESSION AUTHORIZATION").unwrap();
        database.execute(&format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

#[test]
fn a_role_with_the_least_rights_can_poll_what_a_dba_installed() {
    let database = Postgres::shared().database();
    let role = format!("\"least {}\"", database.name);
    database.execute(&format!("CREATE ROLE {role} LOGIN; {USERS}; GRANT SELECT ON users TO {role}"));
    let mut case = Case::new(&database, Mode::Outbox);
    case.subscriber.batch_execute(&format!("SET SESSION AUTHORIZATION {role}")).unwrap();
    let error = install::add(&mut case.subscriber, "users", Mode::Outbox, &AllowTables::default()).unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
    let script = install::sql(&mut case.subscriber, "users", Mode::Outbox, &AllowTables::default()).unwrap().unwrap();
    case.writer.batch_execute(&script.to_string()).unwrap();
    case.notices();
    assert_eq!(case.watched("users"), Some("outbox".into()));
    case.assert_hears("UPDATE users SET v = 1 WHERE id = 1", &[("users", Some(&[r#"{"email":"u1","id":1}"#]))]);
    case.subscriber
        .batch_execute(
            "DELETE FROM pgcache.outbox; SELECT last_value FROM pgcache.outbox_id_seq;
            SELECT setval('pgcache.outbox_state_low_seq', 1); SELECT FROM pgcache.outbox_state FOR UPDATE SKIP LOCKED;
            INSERT INTO pgcache.outbox_state DEFAULT VALUES ON CONFLICT DO NOTHING",
        )
        .unwrap();
    for forbidden in ["UPDATE pgcache.outbox SET notice = ''", "DELETE FROM users", "DROP TABLE pgcache.outbox"] {
        assert_eq!(case.subscriber.batch_execute(forbidden).unwrap_err().code().unwrap().code(), "42501");
    }
    case.subscriber.batch_execute("RESET SESSION AUTHORIZATION").unwrap();
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn what_a_subscription_writes_is_heard() {
    let postgres = Postgres::start_with("wal_level=logical");
    for mode in MODES {
        let (publisher, subscriber) = (postgres.database(), postgres.database());
        let tables = format!("{USERS}; {PARTS}");
        publisher.execute(&tables);
        subscriber.execute(&tables);
        publisher.execute("CREATE PUBLICATION all_of FOR TABLE users, p WITH (publish_via_partition_root = true)");
        publisher.text(&format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')::text", publisher.name));
        let mut case = Case::new(&subscriber, mode);
        case.watch(&["users", "p"]);
        subscriber.execute(&format!(
            "CREATE SUBSCRIPTION from_{0} CONNECTION 'host=127.0.0.1 port={1} user=postgres dbname={0}' PUBLICATION all_of
             WITH (create_slot = false, slot_name = '{0}', copy_data = false)",
            publisher.name,
            postgres.port()
        ));
        // Its worker does not fire what was installed before: that is not watched any more.
        assert_eq!((case.watched("users"), case.watched("p")), (None, None));
        case.watch(&["users", "p"]);
        assert_eq!(case.watched("users"), Some(mode.name().into()));
        assert_eq!(case.watched("p"), Some(mode.name().into()));
        let mut heard = |sql: &str, count: usize| -> BTreeSet<(u32, Option<BTreeSet<String>>)> {
            publisher.execute(sql);
            let mut all = Vec::new();
            eventually(sql, || {
                all.extend(case.notices());
                (all.len() >= count).then_some(())
            });
            all.iter().map(|notice| read(notice)).collect()
        };
        let oid = |table: &str| subscriber.number(&format!("SELECT '{table}'::regclass::oid::bigint")) as u32;
        let keys = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>());
        let (old, new) = (r#"{"email":"u1","id":1}"#, r#"{"email":"u1","id":10}"#);
        assert_eq!(heard("UPDATE users SET id = 10 WHERE id = 1", 1), [(oid("users"), keys(&[old, new]))].into());
        assert_eq!(heard("DELETE FROM users WHERE id = 10", 1), [(oid("users"), keys(&[new]))].into());
        let eu = r#"{"id":1,"region":"eu"}"#;
        assert_eq!(heard("INSERT INTO p VALUES (1, 'eu', 0)", 1), [(oid("p_eu"), keys(&[eu]))].into());
        assert_eq!(heard("TRUNCATE users", 1), [(oid("users"), None)].into());
        // After a thousand rows in one transaction the table stands for all that follow.
        let many = heard("INSERT INTO users SELECT n, n FROM generate_series(1, 3000) n", 1001);
        assert!(many.len() == 1001 && many.contains(&(oid("users"), None)));
        // Ordinary statements fire the same triggers.
        case.assert_hears("UPDATE users SET v = 1 WHERE id = 1", &[("users", Some(&[r#"{"email":"1","id":1}"#]))]);
        subscriber.execute(&format!("ALTER SUBSCRIPTION from_{0} DISABLE", publisher.name));
        install::del(&mut case.subscriber, "users", &AllowTables::default()).unwrap().unwrap();
        install::del(&mut case.subscriber, "p", &AllowTables::default()).unwrap().unwrap();
        assert_nothing_left(&mut case);
    }
}
