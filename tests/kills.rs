//! Connections that somebody ends while PostgreSQL stays, and PostgreSQL started again: the one is no outage, and the other a short one.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::outage::fill_pool;
use support::{eventually, on_every_server, Client, Postgres, Reply, Server};

const READERS: usize = 8;
/// Rounds of a second in which all connections are ended twenty times, and restarts of PostgreSQL, unless `PGCACHE_ROUNDS` says
/// how many.
const ROUNDS: u32 = 5;
const RESTARTS: u32 = 3;
const KILLS: u32 = 20;

fn rounds(usual: u32) -> u32 {
    std::env::var("PGCACHE_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

fn user(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// Ends all connections of the module to `database`, and returns how many there were.
fn end_all(client: &mut postgres::Client) -> i64 {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE 'pgcache/%'";
    client.query_one(sql, &[]).unwrap().get(0)
}

/// Reads rows that nobody has read, every `READERS`th from `first` on, until it is done. Returns how many, and how long
/// the longest read took.
fn miss(mut client: Client, first: usize, done: &AtomicBool) -> (usize, Duration) {
    let (mut id, mut count, mut longest) = (first, 0, Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        // Those that wait for a connection may run into their deadline where the machine stands still.
        let began = Instant::now();
        let reply = client.read("users", &user(id));
        longest = longest.max(began.elapsed());
        let Reply::Bulk(_) = reply else { panic!("row {id}: {reply:?}") };
        assert_eq!(reply.json()["id"], id);
        client.invalidate("users", &user(id));
        id = first + (id + READERS - first) % 10_000;
        count += 1;
    }
    (count, longest)
}

#[test]
fn connections_that_are_ended_again_and_again_are_no_outage() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10_000 + READERS as u32);
        let server = Server::start(&kind, &database);
        server.client().read("users", &user(1));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|reader| {
                    let (client, done) = (server.client(), &done);
                    scope.spawn(move || miss(client, 1 + reader, done))
                })
                .collect();
            let mut killer = database.connect();
            let mut ended = 0;
            for _ in 0..rounds(ROUNDS) * KILLS {
                ended += end_all(&mut killer);
                thread::sleep(Duration::from_secs(1) / KILLS);
            }
            done.store(true, Ordering::Relaxed);
            let done: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
            let read: usize = done.iter().map(|(count, _)| count).sum();
            let longest = done.iter().map(|(_, longest)| longest).max().unwrap();
            eprintln!("{ended} connections were ended, {read} rows read, the longest took {} ms", longest.as_millis());
            assert!(ended > i64::from(rounds(ROUNDS) * KILLS));
        });
        assert!(!server.log().contains("is down"), "{}", server.log());
    });
}

#[test]
fn a_postgresql_that_is_back_is_read_from_at_once() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(100_000);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        // Behind all that fill the pool.
        let mut next = 10_000;
        let ends = [Postgres::stop, Postgres::kill].into_iter().cycle();
        for (round, end) in (0..rounds(RESTARTS)).zip(ends) {
            let first = 1 + 8 * round as usize;
            // Each is dead after the restart.
            fill_pool(&server, &database, first..first + 8);
            let mut miss = || {
                next += 1;
                client.read("users", &user(next))
            };
            end(&postgres);
            eventually("it is down", || (miss().code() == "PGDOWN").then_some(()));
            let accepting = thread::scope(|scope| {
                let accepting = scope.spawn(|| {
                    postgres.start_again();
                    eventually("it accepts", || postgres.connect("postgres").ok());
                    Instant::now()
                });
                eventually("a row", || (miss().code() == "").then_some(()));
                let read = Instant::now();
                (accepting.join().unwrap(), read)
            });
            let took = accepting.1.saturating_duration_since(accepting.0);
            eprintln!("a row {} ms after it accepts connections", took.as_millis());
            assert!(took < Duration::from_secs(5), "{took:?}");
        }
    });
}
