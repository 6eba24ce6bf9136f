//! Clients that go away, and modules and servers that go away while clients wait.
#![allow(clippy::unwrap_used)]

mod support;

use std::io;
use std::time::Duration;

use support::client::encoded;
use support::outage::await_status;
use support::{eventually, on_every_server, Client, Lock, Postgres, Reply, Server};

fn user(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// A client that has asked for a row and not been answered.
fn asking(server: &Server, id: usize) -> Client {
    let mut client = server.client();
    client.send(&["PGCACHE.READ", "users", &user(id)]);
    client
}

/// Waits until so many clients wait, by our count and by the server's.
fn await_waiting(client: &mut Client, count: u64) {
    eventually("clients wait", || {
        let ours = client.figure("waiting_clients");
        let servers: u64 = client.info("clients", "blocked_clients").parse().unwrap();
        ((ours, servers) == (count, count)).then_some(())
    });
}

fn id_of(client: &mut Client) -> String {
    match client.call(&["CLIENT", "ID"]) {
        Reply::Integer(id) => id.to_string(),
        other => panic!("no id: {other:?}"),
    }
}

fn assert_closed(client: &mut Client) {
    let error = client.try_receive().expect_err("the connection is closed").kind();
    assert!(matches!(error, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset), "not closed: {error:?}");
}

/// `leave` makes clients that wait for rows 1 and 2 go away. Nobody is left waiting, one who stays is answered, and
/// the loads fill.
fn when_clients_go(leave: impl Fn(&Server, Vec<(String, Client)>)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let mut server = Server::start(&kind, &database);
        let mut client = server.client();
        let keys = [1, 2].map(|id| client.key("users", &user(id)));
        let lock = Lock::on(&database, "users");
        let mut stays = asking(&server, 1);
        let leaving = [1, 2, 2].map(|id| {
            let mut client = server.client();
            let number = id_of(&mut client);
            client.send(&["PGCACHE.READ", "users", &user(id)]);
            (number, client)
        });
        let mut several = server.client();
        let number = id_of(&mut several);
        several.send(&["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":2}]"#]);
        await_waiting(&mut client, 5);
        leave(&server, leaving.into_iter().chain([(number, several)]).collect());
        await_waiting(&mut client, 1);
        lock.release();
        assert_eq!(stays.receive().json()["id"], 1);
        await_waiting(&mut client, 0);
        for key in keys {
            eventually("the load fills", || client.exists(&key).then_some(()));
        }
        assert_eq!(client.figure("flights"), 0);
        server.assert_alive();
    });
}

#[test]
fn clients_that_close_their_connection_are_forgotten() {
    when_clients_go(|_, clients| drop(clients));
}

#[test]
fn clients_that_are_killed_are_forgotten() {
    when_clients_go(|server, clients| {
        let mut killer = server.client();
        for (number, mut client) in clients {
            assert_eq!(killer.call(&["CLIENT", "KILL", "ID", &number]), Reply::Integer(1));
            assert_closed(&mut client);
        }
    });
}

#[test]
fn clients_that_send_more_and_go_are_forgotten() {
    when_clients_go(|_, clients| {
        for (_, mut client) in clients {
            client.send(&["PING"]);
            client.send(&["PGCACHE.READ", "users", &user(9)]);
        }
    });
}

#[test]
fn unblocking_a_client_by_hand_harms_nothing() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let mut server = Server::start(&kind, &database);
        let mut client = server.client();
        client.key("users", &user(1));
        let lock = Lock::on(&database, "users");
        let mut readers: Vec<(String, Client)> = (1..=3)
            .map(|id| {
                let mut client = server.client();
                let number = id_of(&mut client);
                client.send(&["PGCACHE.READ", "users", &user(id)]);
                (number, client)
            })
            .collect();
        await_waiting(&mut client, 3);
        for ((number, _), how) in readers.iter().zip(["TIMEOUT", "ERROR"]) {
            assert_eq!(client.call(&["CLIENT", "UNBLOCK", number, how]), Reply::Integer(0));
        }
        assert_eq!(client.call(&["CLIENT", "UNBLOCK", &readers[2].0]), Reply::Integer(0));
        await_waiting(&mut client, 3);
        lock.release();
        for ((_, reader), id) in readers.iter_mut().zip(1..) {
            assert_eq!(reader.receive().json()["id"], id);
            assert_eq!(reader.call(&["PING"]), Reply::Simple("PONG".into()), "one answer and no more");
        }
        await_waiting(&mut client, 0);
        server.assert_alive();
    });
}

#[test]
fn a_server_that_closes_idle_clients_leaves_waiting_ones_alone() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.key("users", &user(1));
        let mut idle = server.client();
        let lock = Lock::on(&database, "users");
        let mut reader = asking(&server, 1);
        await_waiting(&mut client, 1);
        // A subscriber is never closed for being idle, however long it takes to come to its next command.
        let mut client = server.client3();
        client.call(&["SUBSCRIBE", "nothing"]);
        client.call(&["CONFIG", "SET", "timeout", "1"]);
        assert_closed(&mut idle);
        // The reader has waited about as long as that one, and gets a second more to be closed in.
        let mut idle = server.client();
        assert_closed(&mut idle);
        await_waiting(&mut client, 1);
        lock.release();
        assert_eq!(reader.receive().json()["id"], 1);
    });
}

#[test]
fn five_hundred_clients_can_go_at_once() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(500);
        let mut server = Server::start(&kind, &database);
        let mut client = server.client();
        let keys: Vec<String> = (1..=500).map(|id| client.key("users", &user(id))).collect();
        let lock = Lock::on(&database, "users");
        let clients: Vec<Client> = (1..=500).map(|id| asking(&server, id)).collect();
        await_waiting(&mut client, 500);
        drop(clients);
        await_waiting(&mut client, 0);
        lock.release();
        eventually("all loads fill", || (client.figure("fills") == 500).then_some(()));
        assert!(keys.iter().all(|key| client.exists(key)));
        assert_eq!(client.figure("flights"), 0);
        server.assert_alive();
    });
}

#[test]
fn clients_that_go_while_the_table_is_looked_up_are_forgotten() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let mut server = Server::start(&kind, &database);
        let mut client = server.client();
        // Only connections that are open already get past the lock.
        await_status(&mut client, "healthy");
        let lock = Lock::on(&database, "pg_index, pg_attribute, pg_class");
        let mut stays = asking(&server, 1);
        let goes: Vec<Client> = (1..=20).map(|_| asking(&server, 1)).collect();
        await_waiting(&mut client, 21);
        drop(goes);
        await_waiting(&mut client, 1);
        lock.release();
        assert_eq!(stays.receive().json()["id"], 1);
        await_waiting(&mut client, 0);
        server.assert_alive();
    });
}

#[test]
fn half_a_million_hits_leave_the_memory_flat() {
    const PER_BATCH: usize = 1_000;
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(100);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        let batch: Vec<u8> =
            (0..PER_BATCH).flat_map(|n| encoded(&["PGCACHE.READ", "users", &user(n % 100 + 1)])).collect();
        let mut hit = |batches: usize| {
            for _ in 0..batches {
                client.send_raw(&batch);
                for n in 0..PER_BATCH {
                    assert_eq!(client.receive().json()["id"], n % 100 + 1);
                }
            }
        };
        // The first rounds make what stays: entries, buffers of the connection.
        hit(20);
        let mut watcher = server.client();
        let before = watcher.used_memory();
        hit(500);
        let grown = watcher.used_memory() - before;
        assert!(grown.abs() < 1 << 20, "{grown} bytes more after 500,000 hits");
        assert!(watcher.figure("hits") >= 500_000);
    });
}

#[test]
fn shutdown_does_not_wait_for_loads() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.key("users", &user(1));
        let lock = Lock::on(&database, "users");
        let _readers: Vec<Client> = (1..=10).map(|id| asking(&server, id)).collect();
        await_waiting(&mut client, 10);
        let (server, took) = server.shutdown_and_restart("NOSAVE");
        // Whoever waits for workers waits for seconds and says so in the end; a slow machine only takes its time.
        assert!(took < Duration::from_secs(30), "SHUTDOWN took {took:?}");
        assert!(!server.log().contains("have not ended yet"), "{}", server.log());
        lock.release();
        assert_eq!(server.client().read("users", &user(1)).json()["id"], 1);
    });
}
