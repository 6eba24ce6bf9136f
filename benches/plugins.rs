//! What plugins cost a hit: all on, against each one and all of them off, as ratios in one run: `make bench`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

mod load;

use load::{median, Load, PIPELINES};
use support::{on_every_server, Postgres, Server};

const KEY: &str = r#"{"id":1}"#;
const ROUNDS: usize = 5;

/// What is switched off; the first is what the others are compared with.
const OFF: [&str; 8] = [
    "none",
    "acl,stats,slowlog,events,hooks,metrics",
    "acl",
    "stats",
    "slowlog",
    "events",
    "hooks",
    "metrics",
];

fn main() {
    println!("{:<10} {:>8} {:>40} {:>12} {:>6}", "server", "pipeline", "off", "READ/s", "ratio");
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);
             INSERT INTO users VALUES (1, repeat('x', 270))",
        );
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", KEY);
        for (pipeline, requests) in PIPELINES {
            let load = Load { port: server.port(), pipeline, requests };
            // In turn, so that a noisy neighbour hits all alike.
            let rounds: Vec<Vec<f64>> = (0..ROUNDS).map(|_| round(&server, &load)).collect();
            let rates = (0..OFF.len()).map(|side| median(rounds.iter().map(|round| round[side])));
            let rates: Vec<f64> = rates.collect();
            for (off, rate) in OFF.iter().zip(&rates) {
                println!("{:<10} {pipeline:>8} {off:>40} {rate:>12.0} {:>6.2}", kind.name, rate / rates[0]);
            }
        }
    });
}

/// The rate of each side.
fn round(server: &Server, load: &Load) -> Vec<f64> {
    let mut client = server.client();
    let run = |off: &&str| {
        client.set("disabled_plugins", off);
        load.run(&["PGCACHE.READ", "users", KEY])
    };
    OFF.iter().map(run).collect()
}
