//! Foreign tables: what stands elsewhere is read as PostgreSQL reads it, promised to nobody, and shown to those who may see it.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::queries::{any, await_result, by_postgresql, inspect, list, query, store};
use support::watched::{await_freshness, MODES};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply};

const ONE: &str = r#"{"id":1}"#;

/// What is read, the queries that read it, and what is said to be no table that tells of its changes.
const READS: [(&str, &str); 5] = [
    ("away", "SELECT id, v FROM away ORDER BY id"),
    ("over", "SELECT id, v FROM over ORDER BY id"),
    ("users", "SELECT u.id, a.v FROM users u JOIN away a USING (id) ORDER BY id"),
    ("parts", "SELECT id, v FROM parts ORDER BY id"),
    ("parent", "SELECT id, v FROM parent ORDER BY id"),
];

/// A table elsewhere, and what stands for it here: by itself, in a view, as a partition and as a child.
fn databases(role: &str) -> (Database<'static>, Database<'static>) {
    let (far, near) = (Postgres::shared().database(), Postgres::shared().database());
    far.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, v text); INSERT INTO notes VALUES (1, 'old'), (2, 'old');
         CREATE TABLE others (id int PRIMARY KEY, v text); INSERT INTO others VALUES (1, 'other')",
    );
    near.with_users(3).execute(&format!(
        "CREATE EXTENSION postgres_fdw; CREATE ROLE {role}_{name} LOGIN;
         CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname '{far}');
         CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'postgres', password_required 'false');
         CREATE FOREIGN TABLE away (id int, v text) SERVER far OPTIONS (table_name 'notes');
         CREATE VIEW over AS SELECT id, v FROM away;
         CREATE TABLE parts (id int, v text) PARTITION BY RANGE (id);
         CREATE FOREIGN TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (10) SERVER far OPTIONS (table_name 'notes');
         CREATE TABLE high PARTITION OF parts FOR VALUES FROM (10) TO (20); INSERT INTO parts VALUES (11, 'high');
         CREATE TABLE parent (id int, v text); INSERT INTO parent VALUES (12, 'parent');
         CREATE FOREIGN TABLE child () INHERITS (parent) SERVER far OPTIONS (table_name 'notes');
         GRANT SELECT ON users, away, over, parts, parent TO {role}_{name}",
        name = near.name,
        port = far.postgres.port(),
        far = far.name,
    ));
    (far, near)
}

fn now(database: &Database<'_>, sql: &str) -> Value {
    serde_json::from_str(&format!("[{}]", by_postgresql(database, sql).join(","))).unwrap()
}

/// On every server and in every way of telling, as a role that may read and no more; users are watched.
fn with_role(test: impl Fn(&Database<'_>, &Database<'_>, &mut Client, &str)) {
    on_every_server(|kind| {
        for mode in MODES {
            let (far, near) = databases("guest");
            let role = format!("guest_{}", near.name);
            let server = any(&kind, &near).setting("pg_user", &role).setting("invalidation", mode).start();
            let mut client = server.client();
            await_freshness(&mut client, "live");
            let script = client.call(&["PGCACHE.WATCH", "SQL", "users"]).text();
            near.psql(&[], &script);
            test(&far, &near, &mut client, &role);
        }
    });
}

#[test]
fn rows_and_results_are_postgresqls_own_and_called_untracked() {
    with_role(|far, near, client, _| {
        for (table, sql) in READS {
            let right = now(near, sql);
            assert_eq!(store(client, &[sql]), right, "{sql}");
            let told = inspect(client, &[sql]);
            assert_eq!(told.field("tracked"), Reply::Integer(0), "{sql}: {told:?}");
            assert!(!list(&told, "untracked").is_empty(), "{sql}: {told:?}");
            assert_eq!(client.read(table, ONE).json()["id"], 1, "{table}");
        }
        // Nothing tells of it, but whoever does so himself is heard.
        far.execute("UPDATE notes SET v = 'new'");
        client.call(&["PGCACHE.FLUSH", "TABLE", "away", "over", "parts", "parent"]);
        for (table, sql) in READS {
            assert_eq!(query(client, &[sql]).json(), now(near, sql), "{sql}");
            if table != "users" {
                assert_eq!(client.read(table, ONE).json()["v"], "new", "{table}");
            }
        }
    });
}

#[test]
fn what_stands_for_another_table_is_read_anew() {
    with_role(|_, near, client, _| {
        let (table, sql) = READS[0];
        store(client, &[sql]);
        client.read(table, ONE);
        near.execute("ALTER FOREIGN TABLE away OPTIONS (SET table_name 'others')");
        await_result(client, &[sql], &json!([{"id": 1, "v": "other"}]));
        eventually("the other row", || (client.read(table, ONE).json()["v"] == "other").then_some(()));
        near.execute("ALTER FOREIGN TABLE away ALTER v OPTIONS (ADD column_name 'id')");
        await_result(client, &[sql], &json!([{"id": 1, "v": "1"}]));
        eventually("the other column", || (client.read(table, ONE).json()["v"] == "1").then_some(()));
    });
}

#[test]
fn rows_are_shown_to_those_who_may_see_them() {
    with_role(|_, near, client, role| {
        for (table, sql) in READS {
            store(client, &[sql]);
            client.read(table, ONE);
        }
        near.execute(&format!("REVOKE SELECT ON away, parts, parent FROM {role}"));
        for (table, sql) in READS.iter().filter(|(table, _)| *table != "over") {
            eventually(sql, || (query(client, &[sql]).code() == "PGERR").then_some(()));
            if *table != "users" {
                eventually(table, || (client.read(table, ONE).code() == "PGERR").then_some(()));
            }
        }
        // The view reads by the rights of its owner.
        assert_eq!(query(client, &[READS[1].1]).json(), now(near, READS[1].1));
        near.execute(&format!("REVOKE SELECT ON over FROM {role}"));
        eventually("the view is closed", || (query(client, &[READS[1].1]).code() == "PGERR").then_some(()));
        eventually("its rows are", || (client.read("over", ONE).code() == "PGERR").then_some(()));
    });
}
