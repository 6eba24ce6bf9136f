//! FLUSH: whole tables dropped at once, and what must not bring their entries back.
#![allow(clippy::unwrap_used)]

mod support;

use support::watched::{await_name, cache, listening, watch, FEEDS};
use support::{eventually, on_every_server, Database, Postgres, Reply, Server};

fn database() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(20).execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);
         INSERT INTO orders SELECT n, n * 10 FROM generate_series(1, 5) n;",
    );
    database
}

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn name_of(reply: &Reply) -> String {
    reply.json()["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_flushed_table_is_read_anew_and_others_stay() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", &user(1));
        client.read("orders", &user(1));
        database.execute("UPDATE users SET name = 'new'; UPDATE orders SET total = 0");
        assert_eq!(client.call(&["PGCACHE.FLUSH", "TABLE", "users"]), Reply::Integer(1));
        assert_eq!(name_of(&client.read("users", &user(1))), "new");
        assert_eq!(client.read("orders", &user(1)).json()["total"], 10);
    });
}

#[test]
fn several_tables_are_flushed_all_or_none() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", &user(1));
        let key = client.key("users", &user(1));
        let refused = client.call(&["PGCACHE.FLUSH", "TABLE", "users", "nothing"]);
        assert_eq!(refused.code(), "PGNOTABLE");
        assert_eq!(client.key("users", &user(1)), key, "one was refused, so none is dropped");
        // orders has not been read before, and users is named twice.
        let names = ["PGCACHE.FLUSH", "TABLE", "users", "orders", "public.users"];
        assert_eq!(client.call(&names), Reply::Integer(2));
        assert_ne!(client.key("users", &user(1)), key);
    });
}

#[test]
fn flush_all_drops_every_table_also_those_not_asked_for_since_the_start() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", &user(1));
        client.read("orders", &user(1));
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        database.execute("UPDATE users SET name = 'new'; UPDATE orders SET total = 0");
        assert_eq!(name_of(&client.read("users", &user(1))), "User 1", "an entry outlives a restart");
        assert_eq!(client.call(&["PGCACHE.FLUSH", "ALL"]), Reply::Integer(1));
        assert_eq!(name_of(&client.read("users", &user(1))), "new");
        assert_eq!(client.read("orders", &user(1)).json()["total"], 0);
    });
}

#[test]
fn a_flush_outlives_a_restart_and_the_loss_of_its_record() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", &user(1));
        let flushed = client.key("users", &user(1));
        database.execute("UPDATE users SET name = 'new'");
        client.call(&["PGCACHE.FLUSH", "ALL"]);
        client.call(&["DEL", "pg_cache:@epoch:*", "pg_cache:@epoch:users"]);
        eventually("the record is written anew", || client.exists("pg_cache:@epoch:*").then_some(()));
        // Put back as a slow sweep would leave it.
        client.call(&["SET", &flushed, r#"{"id":1,"name":"old"}"#]);
        let (server, _) = server.shutdown_and_restart("SAVE");
        assert_eq!(name_of(&server.client().read("users", &user(1))), "new");
    });
}

#[test]
fn what_was_flushed_gives_its_memory_back() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.multiread("users", &format!("[{}]", (1..=20).map(user).collect::<Vec<_>>().join(",")));
        client.call(&["SET", "pg_cache:users:no entry", "x"]);
        client.call(&["SET", "mine:users:{}", "x"]);
        client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
        eventually("the entries are swept", || (client.figure("swept") == 20).then_some(()));
        assert!(client.exists("pg_cache:users:no entry") && client.exists("mine:users:{}"));
        client.read("users", &user(1));
        let current = client.key("users", &user(1));
        client.call(&["PGCACHE.FLUSH", "TABLE", "orders"]);
        eventually("another sweep has passed", || (client.figure("sweeps") >= 2).then_some(()));
        assert!(client.exists(&current), "what is current stays");
    });
}

#[test]
fn a_flush_needs_the_right_to_every_key_it_drops() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut admin = server.client();
        admin.call(&["ACL", "SETUSER", "eve", "on", "nopass", "+@all", "~pg_cache:users:*"]);
        let mut eve = server.client();
        eve.call(&["AUTH", "eve", "x"]);
        assert_eq!(eve.call(&["PGCACHE.FLUSH", "TABLE", "users"]), Reply::Integer(1));
        assert_eq!(eve.call(&["PGCACHE.FLUSH", "TABLE", "orders"]).code(), "NOPERM");
        assert_eq!(eve.call(&["PGCACHE.FLUSH", "ALL"]).code(), "NOPERM");
        // A pattern goes on to be true for a table that has started anew.
        assert_eq!(name_of(&eve.read("users", &user(1))), "User 1");
    });
}

#[test]
fn what_is_no_flush_is_refused() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        for words in [&["ALL", "x"][..], &["TABLE"], &["TAG"], &["users"], &["\0"]] {
            let command: Vec<&str> = [&["PGCACHE.FLUSH"], words].concat();
            assert_eq!(client.call(&command).code(), "ERR", "{words:?}");
        }
        assert_eq!(client.call(&["PGCACHE.FLUSH"]).code(), "ERR");
    });
}

#[test]
fn a_load_under_way_during_a_flush_is_answered_and_not_stored() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::setup(&kind).on(&database).setting("statement_timeout_ms", "60000").start();
        let mut client = server.client();
        client.call(&["PGCACHE.INSPECT", "users", &user(1)]);
        let mut holder = database.connect();
        let mut transaction = holder.transaction().unwrap();
        transaction.batch_execute("LOCK TABLE users").unwrap();
        let mut reader = server.client();
        reader.send(&["PGCACHE.READ", "users", &user(1)]);
        eventually("it waits", || (client.figure("waiting_clients") == 1).then_some(()));
        client.call(&["PGCACHE.FLUSH", "ALL"]);
        transaction.commit().unwrap();
        assert_eq!(name_of(&reader.receive()), "User 1");
        assert_eq!(client.figure("fills"), 0);
        assert_eq!(client.call(&["PGCACHE.INSPECT", "users", &user(1)]).field("cached"), Reply::Integer(0));
    });
}

/// Reads until `client` has the new name in its own cache, after another server was told to flush `what`.
fn is_flushed_by(client: &mut support::Client, database: &Database<'_>, other: &mut support::Client, what: &[&str]) {
    database.execute("UPDATE items SET name = 'old' WHERE id = 1");
    other.call(&["PGCACHE.FLUSH", "EVERYWHERE", "TABLE", "items"]);
    await_name(client, "items", &user(1), "old");
    cache(client, "items", &user(1));
    database.execute("UPDATE items SET name = 'new' WHERE id = 1");
    let flush: Vec<&str> = ["PGCACHE.FLUSH", "EVERYWHERE"].iter().chain(what).copied().collect();
    assert!(matches!(other.call(&flush), Reply::Integer(_)), "{what:?}");
    await_name(client, "items", &user(1), "new");
}

#[test]
fn everywhere_means_every_server_that_listens_to_the_same_postgresql() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = database();
            // Nothing tells of its changes.
            database.execute("CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'x')");
            let (one, two) = (listening(&kind, &database, mode), listening(&kind, &database, mode));
            let (mut one, mut two) = (one.client(), two.client());
            if mode == "notify" {
                is_flushed_by(&mut one, &database, &mut two, &["TABLE", "items"]);
                let refused = two.call(&["PGCACHE.FLUSH", "EVERYWHERE", "ALL"]);
                assert!(format!("{refused:?}").contains("nobody would believe it"), "{refused:?}");
            }
            watch(&mut one, "users");
            is_flushed_by(&mut one, &database, &mut two, &["TABLE", "items", "users"]);
            is_flushed_by(&mut one, &database, &mut two, &["ALL"]);
        }
    });
}

#[test]
fn a_tag_is_flushed_everywhere() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = database();
            let start = || {
                let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
                support::watched::start_listening(setup.setting("query", "any"))
            };
            let (one, two) = (start(), start());
            let (mut one, mut two) = (one.client(), two.client());
            watch(&mut one, "users");
            database.execute("CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1)");
            let ask = ["PGCACHE.QUERY", "SELECT count(*) FROM items", "TAGS", "1", "a \"tag\""];
            let count = |reply: &Reply| reply.json()[0]["count"].as_i64().unwrap();
            assert_eq!(count(&one.call(&ask)), 1);
            database.execute("INSERT INTO items VALUES (2)");
            assert_eq!(count(&one.call(&ask)), 1, "it is cached");
            let reply = two.call(&["PGCACHE.FLUSH", "EVERYWHERE", "TAG", "a \"tag\"", "b"]);
            assert_eq!(reply, Reply::Integer(0), "this server has no entry of these tags");
            eventually("the tag is flushed", || (count(&one.call(&ask)) == 2).then_some(()));
        }
    });
}

#[test]
fn nobody_is_told_where_no_source_tells_of_changes() {
    on_every_server(|kind| {
        let database = database();
        let server = Server::setup(&kind).on(&database).setting("invalidation", "off").start();
        let mut client = server.client();
        let refused = client.call(&["PGCACHE.FLUSH", "EVERYWHERE", "ALL"]);
        assert!(format!("{refused:?}").contains("no source tells of changes"), "{refused:?}");
        let refused = client.call(&["PGCACHE.FLUSH", "EVERYWHERE", "TABLE", "users"]);
        assert!(format!("{refused:?}").contains("invalidation is off"), "{refused:?}");
        assert_eq!(client.call(&["PGCACHE.FLUSH", "EVERYWHERE"]).code(), "ERR");
    });
}
