//! WATCH as a client meets it: from ADD on every change is seen, until DEL.
#![allow(clippy::unwrap_used)]

mod support;

use support::watched::{await_name, cache, is_cached, listening, name_of, watch, MODES};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn email(name: &str) -> String {
    format!(r#"{{"email":"{name}@example.com"}}"#)
}

/// On every server and in every way of telling: a database with users, a server that listens, a client of it.
fn with_watched_users(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(20);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "users");
            test(&database, &server, &mut client);
        }
    });
}

#[test]
fn a_change_is_seen_under_every_unique_key_and_other_rows_stay() {
    with_watched_users(|database, _, client| {
        for key in [user(1), email("user1"), user(2)] {
            cache(client, "users", &key);
        }
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "users", &user(1), "new");
        await_name(client, "users", &email("user1"), "new");
        assert!(is_cached(client, "users", &user(2)));
    });
}

#[test]
fn an_insert_ends_the_knowledge_that_there_is_no_row() {
    with_watched_users(|database, _, client| {
        assert_eq!(client.read("users", &user(77)), Reply::Nil);
        database.execute("INSERT INTO users VALUES (77, 'x', 'there')");
        await_name(client, "users", &user(77), "there");
        database.execute("DELETE FROM users WHERE id = 77");
        eventually("it is gone", || (client.read("users", &user(77)) == Reply::Nil).then_some(()));
    });
}

#[test]
fn a_changed_key_is_dropped_under_its_old_and_its_new_value() {
    with_watched_users(|database, _, client| {
        client.read("users", &user(1));
        assert_eq!(client.read("users", &user(500)), Reply::Nil);
        database.execute("UPDATE users SET id = 500 WHERE id = 1");
        await_name(client, "users", &user(500), "User 1");
        eventually("the old key is gone", || (client.read("users", &user(1)) == Reply::Nil).then_some(()));
    });
}

#[test]
fn a_truncate_drops_the_table() {
    with_watched_users(|database, _, client| {
        client.read("users", &user(1));
        client.read("users", &user(2));
        database.execute("TRUNCATE users");
        for id in [1, 2] {
            eventually("it is gone", || (client.read("users", &user(id)) == Reply::Nil).then_some(()));
        }
    });
}

#[test]
fn a_statement_that_changes_many_rows_drops_them_all() {
    with_watched_users(|database, _, client| {
        database.execute("INSERT INTO users SELECT n, 'e' || n, 'n' FROM generate_series(1000, 8000) n");
        for id in [1, 20, 1000, 8000] {
            client.read("users", &user(id));
        }
        database.execute("UPDATE users SET name = 'all'");
        for id in [1, 20, 1000, 8000] {
            await_name(client, "users", &user(id), "all");
        }
    });
}

#[test]
fn rows_found_by_other_columns_are_dropped_by_any_change() {
    with_watched_users(|database, _, client| {
        let key = r#"{"name":"User 3"}"#;
        assert_eq!(cache(client, "users", key).json()["id"], 3);
        database.execute("UPDATE users SET name = 'x' WHERE id = 3");
        eventually("it is gone", || (client.read("users", key) == Reply::Nil).then_some(()));
    });
}

#[test]
fn a_view_is_dropped_with_the_tables_that_it_reads() {
    with_watched_users(|database, _, client| {
        database.execute("CREATE VIEW shouted AS SELECT id, upper(name) AS name FROM users");
        watch(client, "shouted");
        assert_eq!(name_of(&cache(client, "shouted", &user(1))), "USER 1");
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "shouted", &user(1), "NEW");
    });
}

#[test]
fn partitions_are_watched_with_their_table() {
    with_watched_users(|database, _, client| {
        database.execute(
            "CREATE TABLE parted (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
             CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100);
             CREATE TABLE high PARTITION OF parted FOR VALUES FROM (100) TO (200);
             INSERT INTO parted VALUES (1, 'a'), (101, 'b')",
        );
        watch(client, "parted");
        cache(client, "parted", &user(1));
        cache(client, "low", &user(1));
        // By way of the leaf, and by way of the root.
        database.execute("UPDATE low SET name = 'leaf' WHERE id = 1");
        await_name(client, "parted", &user(1), "leaf");
        client.read("low", &user(1));
        database.execute("UPDATE parted SET name = 'root' WHERE id = 1");
        await_name(client, "low", &user(1), "root");
        // A row that moves.
        assert_eq!(client.read("parted", &user(150)), Reply::Nil);
        database.execute("UPDATE parted SET id = 150 WHERE id = 1");
        await_name(client, "parted", &user(150), "root");
        eventually("it has moved", || (client.read("low", &user(1)) == Reply::Nil).then_some(()));
    });
}

#[test]
fn keys_of_awkward_types_are_dropped_by_their_own_text() {
    with_watched_users(|database, _, client| {
        database.execute(
            r#"CREATE TABLE "Odd ""Name""" (at timestamptz PRIMARY KEY, n numeric(10,2) UNIQUE, span interval UNIQUE,
                                           tags text[] UNIQUE, name text);
               INSERT INTO "Odd ""Name""" VALUES ('2024-05-01 12:00+02', 1.50, '24:00:00', '{a,"b c"}', 'old')"#,
        );
        let table = r#""Odd ""Name""""#;
        watch(client, table);
        let keys =
            [r#"{"at":"2024-05-01 10:00:00Z"}"#, r#"{"n":1.5}"#, r#"{"span":"24:00:00"}"#, r#"{"tags":["a","b c"]}"#];
        for key in keys {
            assert_eq!(name_of(&client.read(table, key)), "old", "{key}");
        }
        // Whatever the writer's own settings are.
        database.execute(
            r#"SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601';
               UPDATE "Odd ""Name""" SET name = 'new'"#,
        );
        for key in keys {
            await_name(client, table, key, "new");
        }
    });
}

#[test]
fn the_trigger_that_others_have_is_understood() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5).execute(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_notify('cache_invalidation', json_build_object('table', TG_TABLE_NAME, 'operation', TG_OP,
                     'old_data', row_to_json(OLD), 'new_data', row_to_json(NEW))::text);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell()",
        );
        let server = listening(&kind, &database, "notify");
        let mut client = server.client();
        client.read("users", &user(1));
        client.read("users", &email("user1"));
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(&mut client, "users", &user(1), "new");
        await_name(&mut client, "users", &email("user1"), "new");
    });
}

#[test]
fn what_was_cached_before_add_is_not_served_after_it() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            client.read("users", &user(1));
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            assert_eq!(name_of(&client.read("users", &user(1))), "User 1", "nobody has told");
            watch(&mut client, "users");
            assert_eq!(name_of(&client.read("users", &user(1))), "new");
        }
    });
}

#[test]
fn several_servers_hear_of_one_change() {
    with_watched_users(|database, server, client| {
        let mode = client.call(&["CONFIG", "GET", "pgcache.invalidation"]);
        let Reply::Array(mode) = mode else { panic!("{mode:?}") };
        let other = listening(&server.kind(), database, &mode[1].text());
        let mut second = other.client();
        client.read("users", &user(1));
        second.read("users", &user(1));
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(client, "users", &user(1), "new");
        await_name(&mut second, "users", &user(1), "new");
    });
}

#[test]
fn list_shows_what_is_watched_and_del_leaves_nothing() {
    with_watched_users(|database, _, client| {
        let Reply::Array(tables) = client.call(&["PGCACHE.WATCH", "LIST"]) else { panic!("a list") };
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].field("table").text(), "public.users");
        assert_eq!(tables[0].field("watched").text(), "yes");
        client.read("users", &user(1));
        let deleted = client.call(&["PGCACHE.WATCH", "DEL", "users"]);
        assert_eq!(deleted, Reply::Simple("OK".into()));
        assert_eq!(client.call(&["PGCACHE.WATCH", "LIST"]), Reply::Array(vec![]));
        assert_eq!(database.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgcache'"), 0);
        assert_eq!(database.number("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgcache%'"), 0);
        assert_eq!(database.number("SELECT count(*) FROM pg_event_trigger"), 0);
    });
}

#[test]
fn sql_prints_what_add_runs() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(5);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            let script = client.call(&["PGCACHE.WATCH", "SQL", "users"]).text();
            database.execute(&script);
            client.read("users", &user(1));
            database.execute("UPDATE users SET name = 'new' WHERE id = 1");
            await_name(&mut client, "users", &user(1), "new");
            assert_eq!(client.call(&["PGCACHE.WATCH", "SQL", "users"]).text(), script);
        }
    });
}

#[test]
fn what_cannot_be_watched_is_refused_with_its_reason() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5).execute("CREATE MATERIALIZED VIEW copy AS SELECT * FROM users");
        let server = listening(&kind, &database, "notify");
        let mut client = server.client();
        for (table, code) in [("nothing", "PGNOTABLE"), ("copy", "PGERR"), ("a b", "ERR"), ("x:users", "PGNOTABLE")] {
            let reply = client.call(&["PGCACHE.WATCH", "ADD", table]);
            assert_eq!(reply.code(), code, "{table}: {reply:?}");
        }
        for words in [&["ADD"][..], &["LIST", "users"], &["BOO", "users"], &["SQL"]] {
            assert_eq!(client.call(&[&["PGCACHE.WATCH"], words].concat()).code(), "ERR", "{words:?}");
        }
        let off = Server::setup(&kind).on(&database).setting("invalidation", "off").start();
        assert_eq!(off.client().call(&["PGCACHE.WATCH", "ADD", "users"]).code(), "ERR");
        assert_eq!(off.client().call(&["PGCACHE.WATCH", "LIST"]), Reply::Array(vec![]));
    });
}
