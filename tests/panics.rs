//! A panic in a command, a worker or a callback ends nothing but what it was doing.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

fn with_hooks(test: impl Fn(&Database<'_>, &mut Server, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1000);
        let mut server =
            Server::setup(&kind).on(&database).setting("test_hooks", "yes").setting("pool_size", "2").start();
        let mut client = server.client();
        assert_eq!(client.read("users", r#"{"id":1}"#).json()["id"], 1);
        test(&database, &mut server, &mut client);
        server.assert_alive();
    });
}

/// Hits, misses, absent rows and batches, for clients old and new.
fn assert_answers(database: &Database<'_>, server: &Server, client: &mut Client, next_id: &mut u32) {
    for client in [client, &mut server.client()] {
        let hits = client.figure("hits");
        assert_eq!(client.read("users", r#"{"id":1}"#).json()["id"], 1);
        assert_eq!(client.figure("hits"), hits + 1);
        *next_id += 3;
        let (a, b) = (*next_id, *next_id + 1);
        let expected = database.text(&format!("SELECT row_to_json(u)::text FROM users u WHERE id = {a}")).unwrap();
        let misses = client.figure("misses");
        assert_eq!(client.read("users", &format!(r#"{{"id":{a}}}"#)).text(), expected);
        let rows = client.multiread("users", &format!(r#"[{{"id":{b}}},{{"id":{a}}},{{"id":999999{a}}}]"#));
        assert_eq!((&rows.json()[0]["id"], &rows.json()[2]), (&b.into(), &serde_json::Value::Null));
        assert_eq!(client.figure("misses"), misses + 3);
    }
}

#[test]
fn a_panic_in_a_command_is_an_error_reply() {
    with_hooks(|database, server, client| {
        let mut next_id = 1;
        for _ in 0..5 {
            let reply = client.call(&["PGCACHE.PANIC", "COMMAND"]);
            assert_eq!(reply.code(), "ERR", "{reply:?}");
            assert_answers(database, server, client, &mut next_id);
        }
    });
}

#[test]
fn a_panic_in_a_script_or_transaction_is_an_error_reply() {
    with_hooks(|database, server, client| {
        let reply = client.call(&["EVAL", "return redis.call('PGCACHE.PANIC', 'COMMAND')", "0"]);
        assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
        client.call(&["MULTI"]);
        client.call(&["PGCACHE.PANIC", "COMMAND"]);
        client.call(&["PING"]);
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no list") };
        assert_eq!((replies[0].code(), replies[1].text()), ("ERR", "PONG".into()));
        assert_answers(database, server, client, &mut 1);
    });
}

#[test]
fn a_panic_in_a_worker_leaves_as_many_workers() {
    with_hooks(|database, server, client| {
        let mut next_id = 1;
        // More of them than there are workers.
        for _ in 0..10 {
            assert_eq!(client.call(&["PGCACHE.PANIC", "WORKER"]), Reply::Simple("OK".into()));
            assert_answers(database, server, client, &mut next_id);
        }
        eventually("the panics have been taken", || (client.figure("queued_tasks") == 0).then_some(()));
        assert_answers(database, server, client, &mut next_id);
        assert_eq!(client.call(&["PGCACHE.HEALTH"]).field("status").text(), "healthy");
    });
}

#[test]
fn a_panic_in_a_worker_loses_no_waiting_reader() {
    with_hooks(|database, server, client| {
        // Both workers are held by the lock; what they are to do next are panics and loads, mixed.
        let lock = Lock::on(database, "users");
        let mut readers: Vec<Client> = (0..20).map(|_| server.client()).collect();
        for (id, reader) in (100..).zip(&mut readers) {
            reader.send(&["PGCACHE.READ", "users", &format!(r#"{{"id":{id}}}"#)]);
            eventually("it waits", || (client.figure("waiting_clients") > id - 100).then_some(()));
            client.call(&["PGCACHE.PANIC", "WORKER"]);
        }
        lock.release();
        for (id, reader) in (100..).zip(&mut readers) {
            assert_eq!(reader.receive().json()["id"], id);
        }
        assert_answers(database, server, client, &mut 200);
    });
}

#[test]
fn a_panic_in_a_callback_leaves_the_next_ones_at_work() {
    with_hooks(|database, server, client| {
        let mut next_id = 1;
        for _ in 0..5 {
            assert_eq!(client.call(&["PGCACHE.PANIC", "CALLBACK"]), Reply::Simple("OK".into()));
            assert_answers(database, server, client, &mut next_id);
        }
        let panics = || server.log().matches("panic at src/").count();
        eventually("the panics are in the log", || (panics() > 0).then_some(()));
        // What only the timer does still happens: a reader is given up after load_timeout_ms.
        client.set("load_timeout_ms", "50");
        let _lock = Lock::on(database, "users");
        assert_eq!(client.read("users", r#"{"id":900}"#).code(), "PGTIMEOUT");
    });
}

#[test]
fn without_test_hooks_there_is_no_such_command() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let server = Server::start(&kind, &database);
        let reply = server.client().call(&["PGCACHE.PANIC", "COMMAND"]);
        assert!(matches!(&reply, Reply::Error(text) if text.starts_with("ERR unknown command")), "{reply:?}");
    });
}
