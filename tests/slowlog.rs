//! The slow log: which commands it keeps, and where their time went.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn server(kind: &Kind, database: &Database<'_>) -> Server {
    Server::setup(kind).on(database).setting("slowlog_log_slower_than", "0").start()
}

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(20);
    database
}

fn get(client: &mut Client, count: &str) -> Vec<Reply> {
    match client.call(&["PGCACHE.SLOWLOG", "GET", count]) {
        Reply::Array(slow) => slow,
        other => panic!("{other:?}"),
    }
}

fn number(slow: &Reply, field: &str) -> i64 {
    match slow.field(field) {
        Reply::Integer(number) => number,
        other => panic!("{field}: {other:?}"),
    }
}

fn arguments(slow: &Reply) -> Vec<String> {
    match slow.field("arguments") {
        Reply::Array(words) => words.iter().map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

/// The latest entry about that command whose first arguments are these.
fn find(client: &mut Client, command: &str, wanted: &[&str]) -> Reply {
    eventually("it is in the slow log", || {
        get(client, "-1").into_iter().find(|slow| {
            slow.field("command").text() == command && arguments(slow).iter().zip(wanted).all(|(a, b)| a == b)
        })
    })
}

fn assert_adds_up(slow: &Reply) {
    let parts = ["queue_us", "postgres_us", "catalog_us", "main_us"].map(|part| number(slow, part));
    assert!(parts.iter().all(|part| *part >= 0), "{slow:?}");
    assert!(parts.iter().sum::<i64>() <= number(slow, "duration_us"), "{slow:?}");
}

#[test]
fn a_miss_is_split_into_the_queue_postgresql_and_the_main_thread() {
    on_every_server(|kind| {
        let database = users();
        database.execute(
            "CREATE FUNCTION nap() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN 1; END';
             CREATE VIEW slow AS SELECT id, nap() AS n FROM users",
        );
        let server = server(&kind, &database);
        let mut client = server.client();
        client.read("slow", &user(1));
        let slow = find(&mut client, "pgcache.read", &["slow", &user(1)]);
        assert_adds_up(&slow);
        assert!(number(&slow, "postgres_us") >= 300_000, "{slow:?}");
        assert_eq!((slow.field("error"), number(&slow, "client") > 0), (Reply::Nil, true));
        // A hit has asked nobody.
        client.call(&["PGCACHE.SLOWLOG", "RESET"]);
        client.read("slow", &user(1));
        let hit = find(&mut client, "pgcache.read", &["slow", &user(1)]);
        assert_adds_up(&hit);
        assert_eq!((number(&hit, "queue_us"), number(&hit, "postgres_us"), number(&hit, "catalog_us")), (0, 0, 0));
        assert_eq!(number(&hit, "main_us"), number(&hit, "duration_us"));
    });
}

#[test]
fn a_lock_that_holds_up_the_catalog_is_not_the_main_threads_time() {
    on_every_server(|kind| {
        let database = users();
        let server = server(&kind, &database);
        let mut client = server.client();
        let mut lock = Lock::on(&database, "users");
        client.send(&["PGCACHE.WATCH", "ADD", "users"]);
        lock.await_arrivals(1);
        database.execute("SELECT pg_sleep(0.3)");
        lock.release();
        assert_eq!(client.receive().text(), "OK");
        let slow = find(&mut client, "pgcache.watch", &["ADD", "users"]);
        assert_adds_up(&slow);
        assert!(number(&slow, "catalog_us") >= 300_000, "{slow:?}");
        assert!(number(&slow, "main_us") < number(&slow, "catalog_us"), "{slow:?}");
    });
}

#[test]
fn who_waits_for_a_worker_has_spent_the_time_in_the_queue() {
    on_every_server(|kind| {
        let database = users();
        database.execute("CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1)");
        let setup = Server::setup(&kind).on(&database).setting("slowlog_log_slower_than", "0");
        let server = setup.setting("pool_size", "1").start();
        let mut client = server.client();
        client.key("orders", &user(1));
        client.key("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        let (mut first, mut second) = (server.client(), server.client());
        first.send(&["PGCACHE.READ", "users", &user(1)]);
        lock.await_arrivals(1);
        second.send(&["PGCACHE.MULTIREAD", "orders", "[{\"id\":1},{\"id\":2}]"]);
        eventually("it waits", || (client.figure("queued_tasks") == 1).then_some(()));
        std::thread::sleep(std::time::Duration::from_millis(100));
        lock.release();
        first.receive();
        second.receive();
        let slow = find(&mut client, "pgcache.multiread", &["orders"]);
        assert_adds_up(&slow);
        assert!(number(&slow, "queue_us") >= 100_000, "{slow:?}");
        let slow = find(&mut client, "pgcache.read", &["users"]);
        assert!(number(&slow, "postgres_us") >= 100_000, "{slow:?}");
    });
}

#[test]
fn an_error_is_kept_with_its_code() {
    on_every_server(|kind| {
        let database = users();
        let server = server(&kind, &database);
        let mut client = server.client();
        for (arguments, code) in [
            (["PGCACHE.READ", "nothing", r#"{"id":1}"#], "PGNOTABLE"),
            (["PGCACHE.READ", "users", r#"{"id":"x"}"#], "PGBADVALUE"),
            (["PGCACHE.READ", "users", "x"], "ERR"),
            (["PGCACHE.READ", "users", r#"{"name":"x","id":1e999}"#], "PGBADVALUE"),
        ] {
            assert_eq!(client.call(&arguments).code(), code);
            let slow = find(&mut client, "pgcache.read", &arguments[1..]);
            assert_eq!(slow.field("error").text(), code);
        }
    });
}

#[test]
fn five_arguments_are_kept_and_128_bytes_of_each() {
    on_every_server(|kind| {
        let database = users();
        let server = server(&kind, &database);
        let mut client = server.client();
        let long = "x".repeat(500);
        let flush: Vec<&str> = ["PGCACHE.FLUSH", "TABLE", "users", "a", "b", &long, "d", "e"].into_iter().collect();
        client.call(&flush);
        let slow = find(&mut client, "pgcache.flush", &["TABLE"]);
        assert_eq!(arguments(&slow), ["TABLE", "users", "a", "b", &long[..128]]);
        // Any bytes.
        client.send_raw(b"*3\r\n$12\r\nPGCACHE.READ\r\n$5\r\nusers\r\n$3\r\n\xff\x00\r\r\n");
        client.receive();
        let latest = get(&mut client, "1");
        let Reply::Array(words) = latest[0].field("arguments") else { panic!("{latest:?}") };
        assert_eq!(words[1], Reply::Bulk(b"\xff\0\r".to_vec()));
    });
}

#[test]
fn the_threshold_and_the_length_change_at_run_time() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.set("slowlog_log_slower_than", "2000000000");
        client.read("users", &user(1));
        assert_eq!(client.call(&["PGCACHE.SLOWLOG", "LEN"]), Reply::Integer(0));
        client.set("slowlog_log_slower_than", "0");
        for id in 1..=5 {
            client.read("users", &user(id));
        }
        find(&mut client, "pgcache.read", &["users", &user(5)]);
        let ids: Vec<i64> = get(&mut client, "3").iter().map(|slow| number(slow, "id")).collect();
        assert!(ids.len() == 3 && ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
        assert!(get(&mut client, "0").is_empty());
        client.set("slowlog_max_len", "2");
        client.read("users", &user(1));
        assert_eq!(client.call(&["PGCACHE.SLOWLOG", "LEN"]), Reply::Integer(2));
        client.set("slowlog_log_slower_than", "-1");
        assert_eq!(client.call(&["PGCACHE.SLOWLOG", "RESET"]), Reply::Simple("OK".into()));
        client.read("users", &user(1));
        assert!(get(&mut client, "-1").is_empty());
        for bad in [&["GET", "-2"][..], &["GET", "x"], &["LEN", "1"], &["NO"], &["GET", "1", "2"]] {
            let call: Vec<&str> = std::iter::once("PGCACHE.SLOWLOG").chain(bad.iter().copied()).collect();
            assert_eq!(client.call(&call).code(), "ERR", "{bad:?}");
        }
        let Reply::Array(help) = client.call(&["PGCACHE.SLOWLOG", "HELP"]) else { panic!("no list") };
        assert!(help[0].text().starts_with("PGCACHE.SLOWLOG GET"));
    });
}

#[test]
fn a_client_that_went_away_and_scripts_do_no_harm() {
    on_every_server(|kind| {
        let database = users();
        let server = server(&kind, &database);
        let mut client = server.client();
        client.key("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        let mut gone = server.client();
        gone.send(&["PGCACHE.READ", "users", &user(1)]);
        lock.await_arrivals(1);
        drop(gone);
        eventually("it is gone", || (client.figure("waiting_clients") == 0).then_some(()));
        lock.release();
        client.read("users", &user(2));
        let script = "return redis.call('PGCACHE.READ', 'users', '{\"id\":2}')";
        assert_eq!(client.call(&["EVAL", script, "0"]).json()["id"], 2);
        find(&mut client, "pgcache.read", &["users", &user(2)]);
    });
}
