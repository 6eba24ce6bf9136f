//! Hits against plain GET, on every server, as ratios in one run: `make bench`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::Command;

use support::{on_every_server, Postgres, Server};

const KEY: &str = r#"{"id":1}"#;
const ROUNDS: usize = 5;

/// How the load looks: requests that a client sends before it waits, and how many in all.
const LOADS: [(u32, u32); 2] = [(1, 100_000), (32, 1_000_000)];

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
        for (pipeline, requests) in LOADS {
            let load = Load { port: server.port(), pipeline, requests };
            let (get, read) = load.in_turn(&["GET", &cache_key], &["PGCACHE.READ", "users", KEY]);
            println!("{:<10} {pipeline:>8} {get:>12.0} {read:>12.0} {:>6.2}", kind.name, read / get);
        }
    });
}

struct Load {
    port: u16,
    pipeline: u32,
    requests: u32,
}

impl Load {
    /// The medians of both commands' requests a second, measured in turn so that a noisy neighbour hits both.
    fn in_turn(&self, one: &[&str], other: &[&str]) -> (f64, f64) {
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (self.run(one), self.run(other))).collect();
        (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)))
    }

    fn run(&self, command: &[&str]) -> f64 {
        let (port, pipeline, requests) =
            (self.port.to_string(), self.pipeline.to_string(), self.requests.to_string());
        let options = ["-p", &port, "-c", "50", "-n", &requests, "-P", &pipeline, "--csv"];
        let output = Command::new("redis-benchmark").args(options).args(command).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().last().unwrap_or_else(|| panic!("redis-benchmark said nothing"));
        // The command itself holds commas and quotes, so the figures are counted from the end.
        let figures: Vec<&str> = line.rsplit("\",\"").collect();
        figures[figures.len() - 2].parse().unwrap_or_else(|_| panic!("no figure in {line}"))
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
