//! Relations as PostgreSQL resolves and describes them, also after they have changed.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

/// Runs `test` with a server whose database was made by `sql`.
fn with(sql: &str, test: impl Fn(&Database<'_>, &mut Client)) {
    with_options(sql, "", test);
}

/// The same with `pg_options`, in which `DB` stands for the database's name, as in `sql`.
fn with_options(sql: &str, options: &str, test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(&sql.replace("DB", &database.name));
        let options = options.replace("DB", &database.name);
        let server = Server::setup(&kind).on(&database).setting("pg_options", &options).start();
        test(&database, &mut server.client());
    });
}

/// Reads a row from PostgreSQL and then from memory, and compares it with `row_to_json` of `expected`. A load that
/// finds the table changed may not be stored, the one after it is.
fn assert_reads(database: &Database<'_>, client: &mut Client, table: &str, key: &str, expected: &str) {
    let expected = database.text(&format!("SELECT row_to_json(x)::text FROM {expected} x")).unwrap();
    let hits = client.figure("hits");
    for _ in 0..3 {
        assert_eq!(client.read(table, key), Reply::Bulk(expected.clone().into_bytes()), "{table} {key}");
    }
    assert!(client.figure("hits") > hits, "{table} {key} was not stored");
}

const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;
const THREE: &str = r#"{"id":3}"#;

#[test]
fn names_are_found_along_the_search_path() {
    let sql = "CREATE SCHEMA app;
        CREATE TABLE app.users (id int PRIMARY KEY, v text); INSERT INTO app.users VALUES (1, 'app');
        CREATE TABLE users (id int PRIMARY KEY, v text); INSERT INTO users VALUES (1, 'public');
        CREATE TABLE orders (id int PRIMARY KEY, v text); INSERT INTO orders VALUES (1, 'orders')";
    with_options(sql, "-c search_path=app,public", |_, client| {
        assert_eq!(client.read("users", ONE).json()["v"], "app");
        assert_eq!(client.read("app.users", ONE).json()["v"], "app");
        assert_eq!(client.read("public.users", ONE).json()["v"], "public");
        assert_eq!(client.read("orders", ONE).json()["v"], "orders");
        assert_eq!(client.key("users", ONE), client.key("App.Users", ONE));
        assert_ne!(client.key("users", ONE), client.key("public.users", ONE));
    });
}

#[test]
fn every_way_to_name_a_table_is_one_entry() {
    let sql = r#"CREATE TABLE users (id int PRIMARY KEY, v text); INSERT INTO users VALUES (1, 'lower');
        CREATE TABLE "USERS" (id int PRIMARY KEY, v text); INSERT INTO "USERS" VALUES (1, 'upper')"#;
    with(sql, |_, client| {
        let key = client.key("users", ONE);
        for name in ["USERS", "Users", "\"users\"", "public.users", "PUBLIC.\"users\"", "default:users"] {
            assert_eq!(client.read(name, ONE).json()["v"], "lower", "{name}");
            assert_eq!(client.key(name, ONE), key, "{name}");
        }
        assert_eq!((client.figure("misses"), client.figure("hits")), (1, 5));
        assert_eq!(client.read("\"USERS\"", ONE).json()["v"], "upper");
        assert_ne!(client.key("\"USERS\"", ONE), key);
    });
}

#[test]
fn quoted_names_may_hold_anything() {
    let names = [r#""Mixed Case""#, r#""a""b""#, r#""a.b""#, r#""a:b""#, r#""sélect 1; --""#, r#""s.s"."x:y.z""#];
    let tables = names.iter().map(|name| format!("CREATE TABLE {name} (id int PRIMARY KEY, v text);"));
    let rows = names.iter().map(|name| format!("INSERT INTO {name} VALUES (1, $${name}$$);"));
    let sql = format!("CREATE SCHEMA \"s.s\";{}", tables.chain(rows).collect::<String>());
    with(&sql, |database, client| {
        for name in names {
            assert_reads(database, client, name, ONE, name);
            assert_eq!(client.read(name, ONE).json()["v"], *name);
        }
        let Reply::Array(keys) = client.call(&["KEYS", "pg_cache:*"]) else { panic!("KEYS answers an array") };
        assert_eq!(keys.len(), names.len());
    });
}

#[test]
fn what_holds_no_rows_is_no_table() {
    let sql = "CREATE SEQUENCE s; CREATE TABLE t (id int CONSTRAINT t_key PRIMARY KEY); CREATE TYPE c AS (id int)";
    with(sql, |_, client| {
        for name in ["s", "t_key", "c", "missing", "missing.t", "public.missing"] {
            assert_eq!(client.read(name, ONE).code(), "PGNOTABLE", "{name}");
        }
        for name in ["", "\"", "t t", "a.b.c.d", "t;", "t--", "\"\""] {
            let reply = client.read(name, ONE);
            assert!(matches!(reply.code(), "ERR" | "PGNOTABLE"), "{name}: {reply:?}");
        }
        assert_eq!(client.read("t", ONE), Reply::Nil);
    });
}

#[test]
fn views_and_materialised_views() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, n FROM generate_series(1, 9) n;
        CREATE VIEW doubled AS SELECT id, v || v AS v, now() IS NOT NULL AS live FROM t;
        CREATE MATERIALIZED VIEW kept AS SELECT id, v FROM t;
        CREATE VIEW twice AS SELECT id % 2 AS half, id FROM t";
    with(sql, |database, client| {
        assert_reads(database, client, "doubled", ONE, "(SELECT * FROM doubled WHERE id = 1)");
        assert_reads(database, client, "kept", ONE, "(SELECT * FROM kept WHERE id = 1)");
        assert_eq!(client.read("twice", r#"{"half":1}"#).code(), "PGNOTUNIQUE");
        let all = client.multiread("doubled", r#"[{"id":3},{"id":99},{"id":2}]"#).json();
        assert_eq!((&all[0]["v"], &all[1], &all[2]["v"]), (&json!("33"), &Value::Null, &json!("22")));
        database
            .execute("CREATE OR REPLACE VIEW doubled AS SELECT id, 'new ' || v AS v, true AS live, 5 AS more FROM t");
        assert_reads(database, client, "doubled", r#"{"id":7}"#, "(SELECT * FROM doubled WHERE id = 7)");
    });
}

#[test]
fn partitioned_tables_by_root_and_by_leaf() {
    let sql = "CREATE TABLE t (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE t_2 (day date, gone int, v text, id int, PRIMARY KEY (id, day)); ALTER TABLE t_2 DROP gone;
        ALTER TABLE t ATTACH PARTITION t_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
        INSERT INTO t VALUES (1, '2024-01-05', 'january'), (1, '2024-02-05', 'february')";
    with(sql, |database, client| {
        let february = r#"{"id":1,"day":"2024-02-05"}"#;
        assert_reads(database, client, "t", february, "(SELECT * FROM t WHERE day = '2024-02-05')");
        assert_reads(database, client, "t_2", february, "t_2");
        assert_eq!(client.read("t_1", february), Reply::Nil);
        assert_eq!(client.read("t", ONE).code(), "PGNOTUNIQUE");
    });
}

#[test]
fn foreign_tables() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let port = database.postgres.port();
        database.execute(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'far');
             CREATE EXTENSION postgres_fdw;
             CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw
               OPTIONS (host '127.0.0.1', port '{port}', dbname '{}');
             CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user 'postgres');
             CREATE FOREIGN TABLE far (id int, v text) SERVER loop OPTIONS (table_name 't')",
            database.name
        ));
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        assert_reads(&database, &mut client, "far", ONE, "far");
        assert_eq!(client.read("far", TWO), Reply::Nil);
    });
}

#[test]
fn domains_enums_generated_identity_and_dropped_columns() {
    let sql = "CREATE DOMAIN code AS text CHECK (value <> ''); CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE TABLE t (gone int, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code code UNIQUE, mood mood,
                        also_gone text, twice text GENERATED ALWAYS AS (code || code) STORED);
        ALTER TABLE t DROP gone; ALTER TABLE t DROP also_gone;
        INSERT INTO t (code, mood) VALUES ('x', 'sad'), ('y', 'happy');
        CREATE UNIQUE INDEX ON t (mood); CREATE UNIQUE INDEX ON t (twice)";
    with(sql, |database, client| {
        for key in [ONE, r#"{"code":"x"}"#, r#"{"mood":"sad"}"#, r#"{"twice":"xx"}"#, r#"{"mood":"sad","id":1}"#] {
            assert_reads(database, client, "t", key, "(SELECT * FROM t WHERE id = 1)");
        }
        assert_eq!(client.read("t", r#"{"gone":1}"#).code(), "PGNOCOLUMN");
        assert_eq!(client.read("t", r#"{"........pg.dropped.1........":1}"#).code(), "PGNOCOLUMN");
        assert_eq!(client.read("t", r#"{"ctid":"(0,1)"}"#).code(), "PGNOCOLUMN");
    });
}

#[test]
fn names_that_the_statement_itself_uses() {
    let names = ["k", "t", "r", "c1", "ord", "row_to_json"];
    let columns = names.map(|name| format!("\"{name}\" int UNIQUE, \"{name}_day\" date UNIQUE")).join(", ");
    let values = names.iter().enumerate().map(|(n, _)| format!("{n}, date '2024-01-01' + {n}"));
    let values = values.collect::<Vec<_>>().join(", ");
    let sql: String = names
        .iter()
        .map(|name| format!("CREATE TABLE \"{name}\" ({columns}); INSERT INTO \"{name}\" VALUES ({values});"))
        .collect();
    with(&sql, |database, client| {
        for table in names {
            for (n, column) in names.iter().enumerate() {
                let table_sql = format!("\"{table}\"");
                let by_number = json!({ *column: n }).to_string();
                assert_reads(database, client, table, &by_number, &table_sql);
                let by_day = json!({ format!("{column}_day"): format!("2024-01-{:02}", n + 1) }).to_string();
                assert_reads(database, client, table, &by_day, &table_sql);
                let both = json!({ *column: n, "c1": 3, "c1_day": "20240104" }).to_string();
                assert_eq!(client.read(table, &both).json()["ord"], 4, "{table} {both}");
            }
        }
    });
}

#[test]
fn three_hundred_columns() {
    let columns: String = (1..300).map(|n| format!(", col_{n} int")).collect();
    let values: String = (1..300).map(|n| format!(", {n}")).collect();
    let sql = format!("CREATE TABLE t (id int PRIMARY KEY{columns}); INSERT INTO t VALUES (1{values})");
    with(&sql, |database, client| {
        assert_reads(database, client, "t", ONE, "t");
        let mut key: serde_json::Map<String, Value> = (1..300).map(|n| (format!("col_{n}"), json!(n))).collect();
        assert_reads(database, client, "t", &Value::Object(key.clone()).to_string(), "t");
        key.insert("col_299".into(), json!(0));
        assert_eq!(client.read("t", &Value::Object(key).to_string()), Reply::Nil);
    });
}

#[test]
fn column_names_may_hold_anything() {
    let names = ["ünï ☃", "a \"b\" c", "it's", "back\\slash", "line\nbreak", "a.b", "{\"id\":1}", "$1", "A", "%s"];
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns = names.map(|name| format!("{} int UNIQUE", quoted(name))).join(", ");
    let values = names.iter().enumerate().map(|(n, _)| n.to_string()).collect::<Vec<_>>().join(", ");
    with(&format!("CREATE TABLE t ({columns}); INSERT INTO t VALUES ({values})"), |database, client| {
        for (n, name) in names.iter().enumerate() {
            assert_reads(database, client, "t", &json!({ *name: n }).to_string(), "t");
        }
        let all = names.iter().enumerate().map(|(n, name)| (name.to_string(), json!(n)));
        assert_reads(database, client, "t", &Value::Object(all.collect()).to_string(), "t");
        assert_eq!(client.read("t", r#"{"a":8}"#).code(), "PGNOCOLUMN");
    });
}

#[test]
fn unique_indexes_of_every_kind() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, low text, part text, included text, more text, late text,
                               maybe int, UNIQUE (late) DEFERRABLE INITIALLY DEFERRED);
        CREATE UNIQUE INDEX ON t (lower(low)); CREATE UNIQUE INDEX ON t (part) WHERE id < 3;
        CREATE UNIQUE INDEX ON t (included) INCLUDE (more); CREATE UNIQUE INDEX ON t (maybe);
        INSERT INTO t VALUES (1, 'a', 'p', 'i1', 'm', 'l1', NULL), (2, 'b', 'q', 'i2', 'm', 'l2', NULL),
                             (3, 'c', 'p', 'i3', 'm', 'l3', 3), (4, 'd', 'z', 'i4', 'm', 'l4', 4)";
    with(sql, |database, client| {
        for key in [r#"{"low":"a"}"#, r#"{"included":"i1"}"#, r#"{"included":"i1","more":"m"}"#, r#"{"late":"l1"}"#] {
            assert_reads(database, client, "t", key, "(SELECT * FROM t WHERE id = 1)");
        }
        assert_reads(database, client, "t", r#"{"part":"q"}"#, "(SELECT * FROM t WHERE id = 2)");
        assert_reads(database, client, "t", r#"{"maybe":3}"#, "(SELECT * FROM t WHERE id = 3)");
        for ambiguous in [r#"{"part":"p"}"#, r#"{"more":"m"}"#] {
            assert_eq!(client.read("t", ambiguous).code(), "PGNOTUNIQUE", "{ambiguous}");
        }
        assert_eq!(client.multiread("t", r#"[{"id":1},{"more":"m"}]"#).code(), "PGNOTUNIQUE");
        let null = client.read("t", r#"{"id":1,"maybe":null}"#);
        assert!(matches!(null.code(), "ERR" | "PGBADVALUE"), "{null:?}");
    });
}

#[test]
fn a_column_is_added_and_dropped() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')";
    with(sql, |database, client| {
        assert_reads(database, client, "t", ONE, "(SELECT * FROM t WHERE id = 1)");
        database.execute("ALTER TABLE t ADD more int DEFAULT 5");
        assert_reads(database, client, "t", TWO, "(SELECT * FROM t WHERE id = 2)");
        database.execute("ALTER TABLE t DROP v");
        assert_reads(database, client, "t", THREE, "(SELECT * FROM t WHERE id = 3)");
        assert_eq!(client.read("t", r#"{"v":"a"}"#).code(), "PGNOCOLUMN");
    });
}

#[test]
fn a_column_that_was_added_serves_lookups() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)";
    with(sql, |database, client| {
        assert_reads(database, client, "t", ONE, "(SELECT * FROM t WHERE id = 1)");
        database.execute("ALTER TABLE t ADD code text; UPDATE t SET code = 'c' || id");
        let read = || Some(client.read("t", r#"{"code":"c2"}"#)).filter(|reply| reply.code() != "PGNOCOLUMN");
        assert_eq!(eventually("the new column is known", read).json(), json!({ "id": 2, "code": "c2" }));
    });
}

#[test]
fn a_key_column_is_renamed() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')";
    with(sql, |database, client| {
        assert_reads(database, client, "t", ONE, "(SELECT * FROM t WHERE id = 1)");
        database.execute("ALTER TABLE t RENAME id TO nr");
        assert_eq!(client.read("t", TWO).code(), "PGNOCOLUMN");
        assert_reads(database, client, "t", r#"{"nr":2}"#, "(SELECT * FROM t WHERE nr = 2)");
        assert_eq!(client.read("t", TWO).code(), "PGNOCOLUMN");
        database.execute("ALTER TABLE t RENAME nr TO id");
        assert_eq!(client.read("t", r#"{"nr":3}"#).code(), "PGNOCOLUMN");
        assert_reads(database, client, "t", THREE, "(SELECT * FROM t WHERE id = 3)");
    });
}

#[test]
fn a_key_column_gets_another_type() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')";
    with(sql, |database, client| {
        assert_reads(database, client, "t", ONE, "(SELECT * FROM t WHERE id = 1)");
        database.execute("ALTER TABLE t ALTER id TYPE bigint");
        assert_reads(database, client, "t", TWO, "(SELECT * FROM t WHERE id = 2)");
        database.execute("ALTER TABLE t ALTER id TYPE text; INSERT INTO t VALUES ('x', 'd')");
        assert_reads(database, client, "t", THREE, "(SELECT * FROM t WHERE id = '3')");
        assert_reads(database, client, "t", r#"{"id":"x"}"#, "(SELECT * FROM t WHERE id = 'x')");
        database.execute("ALTER TABLE t ALTER id TYPE date USING date '2024-01-01' + ascii(id)");
        let last = r#"{"id":"2024-04-30"}"#;
        // The key that was on its way had been spelled by the old type's rule: it may have to be asked for again, once.
        let first = client.read("t", last);
        assert!(matches!(&first, Reply::Bulk(_)) || first.code() == "PGERR", "{first:?}");
        assert_reads(database, client, "t", last, "(SELECT * FROM t WHERE v = 'd')");
    });
}

#[test]
fn a_key_column_gets_a_wider_type() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')";
    with(sql, |database, client| {
        assert_reads(database, client, "t", ONE, "t");
        assert_eq!(client.read("t", r#"{"id":3000000000}"#).code(), "PGBADVALUE");
        database.execute("ALTER TABLE t ALTER id TYPE bigint; INSERT INTO t VALUES (3000000000, 'far')");
        let read = || Some(client.read("t", r#"{"id":3000000000}"#)).filter(|reply| reply.code() != "PGBADVALUE");
        assert_eq!(eventually("the new type is known", read).json()["v"], "far");
    });
}

#[test]
fn a_table_is_dropped_and_made_anew() {
    with("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')", |database, client| {
        assert_reads(database, client, "t", ONE, "t");
        database.execute("DROP TABLE t");
        assert_eq!(client.read("t", TWO).code(), "PGNOTABLE");
        database.execute("CREATE TABLE t (more int, id int PRIMARY KEY); INSERT INTO t VALUES (7, 2)");
        assert_reads(database, client, "t", TWO, "t");
        // The old table's rows are not this one's.
        assert_eq!(client.read("t", ONE), Reply::Nil);
        database.execute("DROP TABLE t; CREATE TABLE t (id text PRIMARY KEY, y int); INSERT INTO t VALUES ('3', 1)");
        assert_reads(database, client, "t", r#"{"id":"3"}"#, "t");
        database.execute("DROP TABLE t; CREATE VIEW t AS SELECT 4 AS id, 'view' AS v");
        assert_reads(database, client, "t", r#"{"id":4}"#, "t");
    });
}

#[test]
fn a_table_is_renamed() {
    with("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')", |database, client| {
        assert_reads(database, client, "t", ONE, "(SELECT * FROM t WHERE id = 1)");
        database.execute("ALTER TABLE t RENAME TO t2");
        assert_eq!(client.read("t", TWO).code(), "PGNOTABLE");
        assert_reads(database, client, "t2", TWO, "(SELECT * FROM t2 WHERE id = 2)");
        database.execute("CREATE TABLE t (id int PRIMARY KEY, w int); INSERT INTO t VALUES (2, 0), (3, 0)");
        assert_reads(database, client, "t", THREE, "(SELECT * FROM t WHERE id = 3)");
        assert_eq!(client.read("t", TWO).json(), json!({ "id": 2, "w": 0 }));
        assert_eq!(client.read("t2", TWO).json(), json!({ "id": 2, "v": "b" }));
        database.execute("CREATE SCHEMA moved; ALTER TABLE t SET SCHEMA moved; INSERT INTO moved.t VALUES (4, 0)");
        assert_eq!(client.read("t", r#"{"id":4}"#).code(), "PGNOTABLE");
        assert_eq!(client.read("moved.t", r#"{"id":4}"#).json()["w"], 0);
    });
}

#[test]
fn a_table_is_made_after_it_was_asked_for() {
    with("", |database, client| {
        assert_eq!(client.read("t", ONE).code(), "PGNOTABLE");
        assert_eq!(client.invalidate("t", ONE).code(), "PGNOTABLE");
        database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        assert_reads(database, client, "t", ONE, "t");
    });
}

#[test]
fn a_type_is_dropped_and_made_anew() {
    let sql = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (mood mood PRIMARY KEY, v text);
        INSERT INTO t VALUES ('sad', '1'), ('ok', '2')";
    with(sql, |database, client| {
        assert_reads(database, client, "t", r#"{"mood":"sad"}"#, "(SELECT * FROM t WHERE v = '1')");
        database.execute("ALTER TYPE mood ADD VALUE 'happy'");
        database.execute("INSERT INTO t VALUES ('happy', '3')");
        assert_reads(database, client, "t", r#"{"mood":"happy"}"#, "(SELECT * FROM t WHERE v = '3')");
        database.execute(
            "ALTER TABLE t ALTER mood TYPE text; DROP TYPE mood; CREATE TYPE mood AS ENUM ('ok', 'new', 'sad', 'happy');
             ALTER TABLE t ALTER mood TYPE mood USING mood::mood; INSERT INTO t VALUES ('new', '4')",
        );
        assert_reads(database, client, "t", r#"{"mood":"ok"}"#, "(SELECT * FROM t WHERE v = '2')");
        assert_reads(database, client, "t", r#"{"mood":"new"}"#, "(SELECT * FROM t WHERE v = '4')");
    });
}

#[test]
fn permission_denied_is_postgresqls_error() {
    let sql = "CREATE TABLE secret (id int PRIMARY KEY); INSERT INTO secret VALUES (1);
        CREATE TABLE open (id int PRIMARY KEY, v text); INSERT INTO open VALUES (1, 'a');
        CREATE SCHEMA closed; CREATE TABLE closed.t (id int PRIMARY KEY);
        CREATE ROLE reader_DB; GRANT SELECT ON open TO reader_DB; GRANT USAGE ON SCHEMA public TO reader_DB";
    with_options(sql, "-c role=reader_DB", |database, client| {
        assert_reads(database, client, "open", ONE, "open");
        for table in ["secret", "closed.t"] {
            let Reply::Error(error) = client.read(table, ONE) else { panic!("{table} should be refused") };
            assert!(error.starts_with("PGERR 42501 "), "{error}");
        }
        database.execute(&format!("GRANT SELECT ON secret TO reader_{}", database.name));
        assert_reads(database, client, "secret", ONE, "secret");
        database.execute(&format!("REVOKE SELECT ON secret FROM reader_{}", database.name));
        assert_eq!(client.read("secret", TWO).code(), "PGERR");
    });
}

#[test]
fn catalogs_are_closed() {
    with("CREATE TABLE t (id int PRIMARY KEY, v text)", |database, client| {
        let names = [
            "pg_authid",
            "pg_catalog.pg_authid",
            "PG_CATALOG.PG_AUTHID",
            "pg_stat_activity",
            "pg_settings",
            "information_schema.tables",
            "\"information_schema\".\"tables\"",
        ];
        for name in names {
            for command in ["READ", "INVALIDATE", "KEY"] {
                let reply = client.call(&[&format!("PGCACHE.{command}"), name, r#"{"name":"x"}"#]);
                assert_eq!(reply.code(), "NOPERM", "{command} {name}: {reply:?}");
            }
            assert_eq!(client.multiread(name, r#"[{"name":"x"}]"#).code(), "NOPERM", "{name}");
            let write = client.call(&["PGCACHE.WRITE", name, r#"{"name":"x"}"#, "{}"]);
            assert_eq!(write.code(), "NOPERM", "{name}");
        }
        let toast = database.text("SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 't'").unwrap();
        // No relation for reading at all.
        assert_eq!(client.read(&toast, r#"{"chunk_id":1}"#).code(), "PGNOTABLE");
    });
}

#[test]
fn temporary_tables_of_others_are_out_of_sight() {
    with("", |database, client| {
        let mut other = database.connect();
        other.batch_execute("CREATE TEMP TABLE mine (id int PRIMARY KEY); INSERT INTO mine VALUES (1)").unwrap();
        let schema: String = other.query_one("SELECT pg_my_temp_schema()::regnamespace::text", &[]).unwrap().get(0);
        assert_eq!(client.read("mine", ONE).code(), "PGNOTABLE");
        assert_eq!(client.read("pg_temp.mine", ONE).code(), "PGNOTABLE");
        assert_eq!(client.read(&format!("{schema}.mine"), ONE).code(), "NOPERM");
    });
}
