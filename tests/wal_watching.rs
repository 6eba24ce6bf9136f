//! WATCH as a client meets it while the write-ahead log tells of changes: what drops which entry, and what is healed.
#![allow(clippy::unwrap_used)]

mod support;

use support::watched::{await_name, cache, is_cached, listening, watch};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const LOGICAL: &str = "wal_level = logical\nmax_replication_slots = 40\nmax_wal_senders = 40\n";

/// A PostgreSQL whose log tells of changes.
fn logical() -> &'static Postgres {
    static SHARED: std::sync::OnceLock<Postgres> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| Postgres::start_with(LOGICAL))
}

/// On every server: a database with users, whose log is heard, and a client.
fn with_users(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = logical().database();
        database.with_users(20);
        let server = listening(&kind, &database, "wal");
        test(&database, &server, &mut server.client());
    });
}

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn email(name: &str) -> String {
    format!(r#"{{"email":"{name}@example.com"}}"#)
}

fn dropped_by(client: &mut Client, key: &str) -> Reply {
    client.call(&["PGCACHE.INSPECT", "users", key]).field("dropped_by")
}

/// Waits until INSPECT says so: the definition is read anew.
fn await_dropped_by(client: &mut Client, key: &str, wanted: &Reply) {
    eventually("what drops the entry", || (dropped_by(client, key) == *wanted).then_some(()));
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.into())
}

#[test]
fn a_change_drops_its_row_and_all_under_keys_that_the_log_does_not_tell() {
    with_users(|database, _, client| {
        watch(client, "users");
        for (key, wanted) in [(user(1), "row"), (email("user1"), "table"), (r#"{"name":"User 1"}"#.into(), "table")] {
            cache(client, "users", &key);
            assert_eq!(dropped_by(client, &key), bulk(wanted), "{key}");
        }
        for key in [user(2), email("user2")] {
            cache(client, "users", &key);
        }
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "users", &user(1), "new");
        await_name(client, "users", &email("user1"), "new");
        assert!(is_cached(client, "users", &user(2)));
        assert!(!is_cached(client, "users", &email("user2")));
    });
}

#[test]
fn whole_rows_name_a_row_by_every_unique_key() {
    with_users(|database, _, client| {
        database.execute("ALTER TABLE users REPLICA IDENTITY FULL");
        watch(client, "users");
        for key in [user(1), email("user1"), email("user2")] {
            cache(client, "users", &key);
            assert_eq!(dropped_by(client, &key), bulk("row"), "{key}");
        }
        database.execute("UPDATE users SET email = 'else@example.com', name = 'new' WHERE id = 1");
        await_name(client, "users", &email("else"), "new");
        eventually("it is gone", || (client.read("users", &email("user1")) == Reply::Nil).then_some(()));
        assert!(is_cached(client, "users", &email("user2")));
    });
}

#[test]
fn a_new_row_ends_the_knowledge_that_there_is_none_under_any_unique_key() {
    with_users(|database, _, client| {
        watch(client, "users");
        for key in [user(77), email("user77")] {
            assert_eq!(client.read("users", &key), Reply::Nil);
        }
        database.execute("INSERT INTO users VALUES (77, 'user77@example.com', 'there')");
        await_name(client, "users", &user(77), "there");
        await_name(client, "users", &email("user77"), "there");
    });
}

#[test]
fn a_changed_unique_key_is_dropped_under_its_old_and_its_new_value() {
    with_users(|database, _, client| {
        watch(client, "users");
        client.read("users", &email("user1"));
        assert_eq!(client.read("users", &email("new")), Reply::Nil);
        database.execute("UPDATE users SET email = 'new@example.com' WHERE id = 1");
        await_name(client, "users", &email("new"), "User 1");
        eventually("the old one is gone", || (client.read("users", &email("user1")) == Reply::Nil).then_some(()));
    });
}

#[test]
fn written_and_invalidated_rows_are_followed_under_such_a_key() {
    with_users(|_, _, client| {
        watch(client, "users");
        let keys = [email("user3"), email("user4")];
        let row = r#"{"id":3,"email":"user3@example.com","name":"written"}"#;
        cache(client, "users", &keys[0]);
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", &keys[0], row]), Reply::Simple("OK".into()));
        await_name(client, "users", &keys[0], "written");
        client.call(&["PGCACHE.INVALIDATE", "users", &keys[0]]);
        await_name(client, "users", &keys[0], "User 3");
        let reply = client.call(&["PGCACHE.MULTIREAD", "users", &format!("[{},{}]", keys[0], keys[1])]);
        assert_eq!((&reply.json()[0]["name"], &reply.json()[1]["name"]), (&"User 3".into(), &"User 4".into()));
    });
}

#[test]
fn the_list_says_what_is_published() {
    with_users(|database, _, client| {
        database.execute("CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)");
        watch(client, "users");
        watch(client, "parts");
        let Reply::Array(list) = client.call(&["PGCACHE.WATCH", "LIST"]) else { panic!("no list") };
        for (entry, published_as, columns) in
            [(&list[0], "root", bulk("all")), (&list[1], "table", Reply::Array(vec![bulk("id")]))]
        {
            assert_eq!(entry.field("mode"), bulk("wal"));
            assert_eq!(entry.field("watched"), bulk("yes"));
            assert_eq!(entry.field("triggers"), Reply::Integer(0));
            assert_eq!((entry.field("published_as"), entry.field("columns")), (bulk(published_as), columns));
        }
    });
}

#[test]
fn a_table_that_leaves_the_publication_is_not_relied_on() {
    with_users(|database, _, client| {
        watch(client, "users");
        cache(client, "users", &user(1));
        database.execute("ALTER PUBLICATION pgcache DROP TABLE users");
        await_dropped_by(client, &user(1), &Reply::Nil);
        watch(client, "users");
        await_dropped_by(client, &user(1), &bulk("row"));
    });
}

#[test]
fn without_event_triggers_a_table_whose_update_fails_is_soon_taken_out() {
    with_users(|database, server, client| {
        watch(client, "users");
        cache(client, "users", &user(1));
        database.execute("DROP EVENT TRIGGER pgcache_ddl; DROP EVENT TRIGGER pgcache_drop");
        database.execute("ALTER TABLE users DROP CONSTRAINT users_pkey");
        let mut writer = database.connect();
        eventually("UPDATE succeeds", || writer.batch_execute("UPDATE users SET name = 'x'").ok());
        eventually("the log says so", || server.log().contains("has left publication pgcache").then_some(()));
        eventually("it is seen", || (client.read("users", &user(1)) != Reply::Nil).then_some(()));
    });
}

#[test]
fn a_table_with_triggers_changes_over_and_back() {
    with_users(|database, _, client| {
        watch(client, "users");
        cache(client, "users", &user(1));
        assert_eq!(client.call(&["PGCACHE.WATCH", "DEL", "users"]), Reply::Simple("OK".into()));
        assert_eq!(dropped_by(client, &user(1)), Reply::Nil);
        assert_eq!(database.number("SELECT count(*) FROM pg_publication WHERE pubname = 'pgcache'"), 1);
        watch(client, "users");
        cache(client, "users", &user(1));
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "users", &user(1), "new");
    });
}
