//! Attacks by rows: whatever runs when a relation is read, it changes nothing, and later reads are true.
#![allow(clippy::unwrap_used)]

#[path = "query_attacks/mod.rs"]
mod query_attacks;
#[path = "read_attacks/mod.rs"]
mod read_attacks;
mod support;

use query_attacks::culprit::Attack;
use query_attacks::effect::{effect, EFFECTS};
use query_attacks::invariant::Invariant;
use read_attacks::reading::{by_shape, forged, loads, read};
use read_attacks::shape::SHAPES;
use read_attacks::stage::Stage;
use support::postgres::SUPERUSER;
use support::queries::{any, inspect, store};
use support::shadow::shadows;
use support::watched::{await_name, cache, start_listening, watch, MODES};
use support::{eventually, on_every_server, Database, Kind, Reply, Server};

/// The same relations each time; others with another seed.
const SEED: u64 = 23;

/// A server with one connection for loads, of this role.
fn start(kind: &Kind, stage: &Stage, role: &str) -> Server {
    any(kind, &stage.database).setting("pg_user", role).setting("pool_size", "1").start()
}

/// Reads all relations of the stage as `role`, and fails with everything that went wrong.
fn attack(kind: &Kind, stage: &Stage, role: &str) {
    let attack = Attack {
        database: &stage.database,
        start: &|| start(kind, stage, role),
        send: &|server, names| read(stage, server, names),
    };
    stage.reset();
    let names: Vec<String> = stage.relations.iter().map(|relation| relation.name.clone()).collect();
    let tally = attack.run(&names);
    eprintln!("seed {SEED}: {} ran, {} failed, {} refused", tally.ran, tally.failed, tally.refused);
    let shown: Vec<&str> = tally.wrong.iter().take(100).map(String::as_str).collect();
    assert!(tally.wrong.is_empty(), "{} are wrong:\n{}", tally.wrong.len(), shown.join("\n"));
    assert!(tally.ran > names.len(), "too few reads ran: {tally:?}");
    // Those that PostgreSQL stops with an error are not counted.
    let effects = i64::try_from(EFFECTS.len()).unwrap();
    eventually("functions with most effects were run", || (stage.reached() > effects).then_some(()));
}

#[test]
fn relations_of_others_read_by_an_ordinary_role() {
    let stage = Stage::armed(SEED, 2);
    on_every_server(|kind| attack(&kind, &stage, &stage.reader));
}

#[test]
fn relations_of_others_read_by_a_superuser() {
    let stage = Stage::armed(SEED + 1, 2);
    on_every_server(|kind| attack(&kind, &stage, SUPERUSER));
}

#[test]
fn every_shape_brings_rows_by_every_way_of_loading() {
    let stage = Stage::armed(SEED + 2, 4);
    on_every_server(|kind| {
        let brought = by_shape(&stage, &start(&kind, &stage, &stage.reader));
        for shape in SHAPES {
            assert!(brought[shape.name] > 2, "{}: {brought:?}", shape.name);
        }
    });
}

#[test]
fn a_plain_table_that_becomes_hostile_is_isolated_once_that_is_noticed() {
    on_every_server(|kind| {
        let mut stage = Stage::bare();
        let (plain, hostile) = (effect("path"), effect("tenant"));
        for effect in [plain, hostile] {
            stage.arm(effect, false);
        }
        let shape = |name: &str| *SHAPES.iter().find(|shape| shape.name == name).unwrap();
        stage.make("t", shape("generated"), "path_i");
        let server = start(&kind, &stage, &stage.reader);
        let mut client = server.client();
        let mut invariant = Invariant::of(&server, &stage.database);
        // Stored columns run nothing when they are read.
        stage.arm(plain, true);
        let relation = stage.relations[0].clone();
        for reply in loads(&mut client, &relation) {
            assert!(matches!(reply, Reply::Bulk(_)), "{reply:?}");
        }
        assert_eq!(invariant.violations(), Vec::<String>::new());
        let before = client.key("t", &relation.shape.key(1));
        stage.database.execute(&format!("SET ROLE {}; CREATE INDEX ON t ((id + hx_tenant_i(1)))", stage.villain));
        eventually("the index is noticed", || (client.key("t", &relation.shape.key(1)) != before).then_some(()));
        let mut invariant = Invariant::of(&server, &stage.database);
        stage.arm(hostile, true);
        for reply in loads(&mut client, &relation) {
            assert!(matches!(reply, Reply::Bulk(_)), "{reply:?}");
        }
        assert_eq!(forged(&mut client, 1), None);
        assert_eq!(invariant.violations(), Vec::<String>::new());
        drop((invariant, server));
        let ran = "SELECT count(*) FROM pg_stat_user_functions WHERE funcname = 'hx_tenant_i' AND calls > 1";
        eventually("the function was run", || (stage.database.number(ran) == 1).then_some(()));
    });
}

/// Tables of a role that is no superuser, of every sort that the module asks PostgreSQL about differently.
const OWN: &str = "
    CREATE TABLE mine (id bigint PRIMARY KEY, email text UNIQUE, name text);
    INSERT INTO mine SELECT n, 'user' || n, 'User ' || n FROM generate_series(1, 20) n;
    CREATE TABLE pairs (a int, b text, PRIMARY KEY (a, b)); INSERT INTO pairs VALUES (1, 'x'), (2, 'y');
    CREATE TABLE moments (at timestamptz PRIMARY KEY, span interval UNIQUE, tags text[]);
    INSERT INTO moments VALUES ('2024-02-01 03:04:05Z', '1 day', '{a}');
    CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a int, m mood); CREATE DOMAIN nice AS mood;
    CREATE TABLE moods (id mood PRIMARY KEY, p pair, n nice[]); INSERT INTO moods VALUES ('sad', ROW(1, 'sad'), '{sad}');
    CREATE TABLE parts (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); INSERT INTO parts VALUES (1, 'a');
    CREATE VIEW seen AS SELECT id, name FROM mine; CREATE MATERIALIZED VIEW kept AS SELECT id FROM mine;
    CREATE TABLE ruled (id bigint PRIMARY KEY); INSERT INTO ruled VALUES (1);
    ALTER TABLE ruled ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON ruled USING (true)";

/// What PostgreSQL's log says of the first statement that meant one of the shadows.
fn refused(database: &Database<'_>) -> Option<String> {
    let log = database.postgres.log();
    log.split_once("denied for function shadow").map(|(_, rest)| rest.chars().take(3000).collect())
}

#[test]
fn operators_and_functions_of_others_stand_in_for_none_of_postgresqls_own() {
    on_every_server(|kind| {
        for mode in MODES {
            let stage = Stage::bare();
            let database = &stage.database;
            database
                .execute(&format!("SET SESSION AUTHORIZATION {}; {OWN}", stage.reader))
                .execute(&shadows("public", false));
            let setup = any(&kind, database).setting("pg_user", &stage.reader).setting("invalidation", mode);
            let server = start_listening(setup);
            let mut client = server.client();
            for (table, key) in [
                ("mine", r#"{"id":1}"#),
                ("mine", r#"{"email":"user1"}"#),
                ("mine", r#"{"name":"User 1"}"#),
                ("pairs", r#"{"a":1,"b":"x"}"#),
                ("moments", r#"{"at":"2024-02-01T03:04:05Z"}"#),
                ("moments", r#"{"span":"24:00:00"}"#),
                ("moods", r#"{"id":"sad"}"#),
                ("parts", r#"{"id":1}"#),
                ("seen", r#"{"id":1}"#),
                ("kept", r#"{"id":1}"#),
                ("ruled", r#"{"id":1}"#),
            ] {
                let reply = client.read(table, key);
                assert!(matches!(reply, Reply::Bulk(_)), "{table} {key}: {reply:?} {:?}", refused(database));
            }
            let keys: Vec<String> = (1..=20).map(|n| format!(r#"{{"id":{n}}}"#)).collect();
            client.call(&["PGCACHE.FLUSH", "ALL"]);
            let reply = client.multiread("mine", &format!("[{}]", keys.join(",")));
            assert!(matches!(reply, Reply::Bulk(_)), "{reply:?}");
            for table in ["mine", "pairs", "moments", "moods", "parts", "seen"] {
                watch(&mut client, table);
                let script = client.call(&["PGCACHE.WATCH", "SQL", table]);
                assert!(matches!(script, Reply::Bulk(_)), "{script:?}");
            }
            for sql in ["SELECT id, name FROM mine", "SELECT id FROM seen", "SELECT id FROM parts LIMIT 1"] {
                store(&mut client, &[sql]);
                assert_eq!(inspect(&mut client, &[sql]).field("tracked"), Reply::Integer(1), "{sql}");
            }
            let Reply::Array(listed) = client.call(&["PGCACHE.WATCH", "LIST"]) else { panic!("no list") };
            assert_eq!(listed.len(), 5, "{listed:?}");
            cache(&mut client, "mine", r#"{"id":1}"#);
            database.execute(&format!("SET SESSION AUTHORIZATION {}; UPDATE mine SET name = 'new'", stage.reader));
            await_name(&mut client, "mine", r#"{"id":1}"#, "new");
            for table in ["seen", "parts", "moods", "moments", "pairs"] {
                let reply = client.call(&["PGCACHE.WATCH", "DEL", table]);
                assert_eq!(reply, Reply::Simple("OK".into()), "{mode} {table}");
            }
            assert_eq!(refused(database), None, "{mode}");
            // They do stand in where nobody takes care.
            let careless =
                format!("SET log_min_messages = panic; SET SESSION AUTHORIZATION {}; SELECT 1::oid < 2", stage.reader);
            let error = database.connect().batch_execute(&careless).unwrap_err();
            assert_eq!(error.code().unwrap().code(), "42501");
        }
    });
}
