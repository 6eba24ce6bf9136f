//! Hits against plain GET, on every server, as ratios in one run: `make bench`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

mod load;

use load::{median, Load, PIPELINES};
use support::{on_every_server, Postgres, Server};

const KEY: &str = r#"{"id":1}"#;
const ROUNDS: usize = 5;

fn main() {
    println!("{:<10} {:>8} {:>12} {:>12} {:>6}", "server", "pipeline", "GET/s", "READ/s", "ratio");
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);
             INSERT INTO users VALUES (1, repeat('x', 270))",
        );
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", KEY);
        let cache_key = client.key("users", KEY);
        for (pipeline, requests) in PIPELINES {
            let load = Load { port: server.port(), pipeline, requests };
            let (get, read) = in_turn(&load, &["GET", &cache_key], &["PGCACHE.READ", "users", KEY]);
            println!("{:<10} {pipeline:>8} {get:>12.0} {read:>12.0} {:>6.2}", kind.name, read / get);
        }
    });
}

/// The medians of both commands' requests a second, measured in turn so that a noisy neighbour hits both.
fn in_turn(load: &Load, one: &[&str], other: &[&str]) -> (f64, f64) {
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (load.run(one), load.run(other))).collect();
    (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)))
}
