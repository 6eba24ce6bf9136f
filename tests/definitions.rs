//! Tables that change their definition under the cache: at once with an event trigger, within a second without.
#![allow(clippy::unwrap_used)]

mod support;

use support::watched::{await_name, is_cached, listening, name_of, watch};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply};

fn row(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// With users watched, and with everything that tells of definitions in place or not.
fn with_users(test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        for has_event_triggers in [true, false] {
            let database = Postgres::shared().database();
            database.with_users(5);
            let server = listening(&kind, &database, "notify");
            let mut client = server.client();
            watch(&mut client, "users");
            if !has_event_triggers {
                database.execute("DROP EVENT TRIGGER pgcache_ddl; DROP EVENT TRIGGER pgcache_drop");
            }
            client.read("users", &row(1));
            test(&database, &mut client);
        }
    });
}

/// Waits until the definitions have been compared with the catalog so many times more.
fn await_comparisons(client: &mut Client, count: u64) {
    let wanted = client.figure("comparisons") + count;
    eventually("definitions are compared", || (client.figure("comparisons") >= wanted).then_some(()));
}

/// Reads until the row is what `is_right` wants.
fn await_row(client: &mut Client, table: &str, what: &str, is_right: impl Fn(&serde_json::Value) -> bool) {
    eventually(what, || {
        let reply = client.read(table, &row(1));
        (matches!(reply, Reply::Bulk(_)) && is_right(&reply.json())).then_some(())
    });
}

#[test]
fn a_column_that_was_added_is_shown() {
    with_users(|database, client| {
        database.execute("ALTER TABLE users ADD COLUMN age int DEFAULT 30");
        await_row(client, "users", "the column is there", |row| row["age"] == 30);
    });
}

#[test]
fn a_column_that_was_dropped_is_not_shown() {
    with_users(|database, client| {
        database.execute("ALTER TABLE users DROP COLUMN name");
        await_row(client, "users", "the column is gone", |row| row.get("name").is_none());
    });
}

#[test]
fn a_column_that_was_renamed_has_its_new_name() {
    with_users(|database, client| {
        database.execute("ALTER TABLE users RENAME COLUMN name TO title");
        await_row(client, "users", "the column has its name", |row| row["title"] == "User 1");
        // Changes go on being told.
        database.execute("UPDATE users SET title = 'new' WHERE id = 1");
        await_row(client, "users", "the change is seen", |row| row["title"] == "new");
    });
}

#[test]
fn a_key_column_that_was_renamed_is_a_new_key() {
    with_users(|database, client| {
        database.execute("ALTER TABLE users RENAME COLUMN id TO number");
        eventually("the new key works", || {
            matches!(client.read("users", r#"{"number":1}"#), Reply::Bulk(_)).then_some(())
        });
        eventually("the old one does not", || (client.read("users", &row(1)).code() == "PGNOCOLUMN").then_some(()));
        database.execute("UPDATE users SET name = 'new'");
        await_name(client, "users", r#"{"number":1}"#, "new");
    });
}

#[test]
fn a_column_that_was_retyped_is_shown_as_its_new_type() {
    with_users(|database, client| {
        database.execute("ALTER TABLE users ALTER COLUMN name TYPE int USING 7");
        await_row(client, "users", "the type is new", |row| row["name"] == 7);
        database.execute("ALTER TABLE users ALTER COLUMN name TYPE int USING name + 1");
        await_row(client, "users", "rewritten as the same type", |row| row["name"] == 8);
    });
}

#[test]
fn a_table_that_was_dropped_is_gone_and_a_new_one_of_its_name_is_read() {
    with_users(|database, client| {
        database.execute("DROP TABLE users");
        eventually("it is gone", || (client.read("users", &row(1)).code() == "PGNOTABLE").then_some(()));
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name text);
             INSERT INTO users VALUES (1, 'x', 'another')",
        );
        await_name(client, "users", &row(1), "another");
    });
}

#[test]
fn a_table_that_was_dropped_and_made_anew_in_one_transaction_is_the_new_one() {
    with_users(|database, client| {
        database.execute(
            "BEGIN; DROP TABLE users;
             CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name text);
             INSERT INTO users VALUES (1, 'x', 'another'); COMMIT",
        );
        await_name(client, "users", &row(1), "another");
    });
}

#[test]
fn tables_that_change_their_names_are_read_under_the_new_ones() {
    with_users(|database, client| {
        database.execute(
            "BEGIN; ALTER TABLE users RENAME TO former;
             CREATE TABLE users (id bigint PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'another'); COMMIT",
        );
        await_name(client, "users", &row(1), "another");
        assert_eq!(name_of(&client.read("former", &row(1))), "User 1");
        // The renamed one goes on being watched.
        database.execute("UPDATE former SET name = 'new'");
        await_name(client, "former", &row(1), "new");
    });
}

#[test]
fn a_name_that_has_passed_to_another_table_is_not_read_from_the_former_one() {
    with_users(|database, client| {
        database.execute(
            "BEGIN; ALTER TABLE users RENAME TO former;
             CREATE TABLE users (id bigint PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'another'); COMMIT",
        );
        // The former table is met under its new name before anybody asks for its old one.
        assert_eq!(name_of(&client.read("former", &row(1))), "User 1");
        await_name(client, "users", &row(1), "another");
        database.execute("UPDATE former SET name = 'new'; UPDATE users SET name = 'other'");
        await_name(client, "former", &row(1), "new");
        client.invalidate("users", &row(1));
        await_name(client, "users", &row(1), "other");
    });
}

#[test]
fn a_partition_that_comes_or_goes_changes_its_table() {
    with_users(|database, client| {
        database.execute(
            "CREATE TABLE parted (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
             CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100);
             CREATE TABLE extra (id bigint PRIMARY KEY, name text); INSERT INTO extra VALUES (101, 'b')",
        );
        watch(client, "parted");
        assert_eq!(client.read("parted", &row(101)), Reply::Nil);
        database.execute("ALTER TABLE parted ATTACH PARTITION extra FOR VALUES FROM (100) TO (200)");
        await_name(client, "parted", &row(101), "b");
        database.execute("ALTER TABLE parted DETACH PARTITION extra");
        eventually("it is gone", || (client.read("parted", &row(101)) == Reply::Nil).then_some(()));
    });
}

#[test]
fn a_view_that_was_replaced_is_read_anew() {
    with_users(|database, client| {
        database.execute("CREATE VIEW v AS SELECT id, name FROM users");
        watch(client, "v");
        assert_eq!(name_of(&client.read("v", &row(1))), "User 1");
        database.execute("CREATE OR REPLACE VIEW v AS SELECT id, upper(name) AS name FROM users");
        await_name(client, "v", &row(1), "USER 1");
    });
}

#[test]
fn a_refreshed_materialised_view_is_read_anew() {
    with_users(|database, client| {
        database
            .execute("CREATE MATERIALIZED VIEW copy AS SELECT id, name FROM users; CREATE UNIQUE INDEX ON copy (id)");
        assert_eq!(name_of(&client.read("copy", &row(1))), "User 1");
        database.execute("UPDATE users SET name = 'new'");
        database.execute("REFRESH MATERIALIZED VIEW copy");
        await_name(client, "copy", &row(1), "new");
        database.execute("UPDATE users SET name = 'newer'");
        database.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY copy");
        await_name(client, "copy", &row(1), "newer");
    });
}

#[test]
fn a_unique_key_that_is_no_more_is_dropped_by_every_change() {
    with_users(|database, client| {
        let key = r#"{"email":"user1@example.com"}"#;
        client.read("users", key);
        database.execute("ALTER TABLE users DROP CONSTRAINT users_email_key");
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "users", key, "new");
        database.execute("UPDATE users SET name = 'newer' WHERE id = 1");
        await_name(client, "users", key, "newer");
    });
}

#[test]
fn triggers_that_were_taken_away_end_the_watch() {
    with_users(|database, client| {
        eventually("it is cached", || {
            client.read("users", &row(1));
            is_cached(client, "users", &row(1)).then_some(())
        });
        database.execute("DROP TRIGGER pgcache_update ON users; UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "users", &row(1), "new");
        eventually("it is not watched", || {
            (support::watched::health(client).field("watched") == Reply::Integer(0)).then_some(())
        });
    });
}

#[test]
fn statistics_and_vacuum_change_no_definition() {
    with_users(|database, client| {
        await_comparisons(client, 2);
        let key = client.key("users", &row(1));
        database.execute("ANALYZE users");
        database.execute("VACUUM users");
        await_comparisons(client, 2);
        assert_eq!(client.key("users", &row(1)), key);
    });
}
