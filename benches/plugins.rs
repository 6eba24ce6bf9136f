//! What plugins cost a hit: all on, against each one and all of them off, as ratios in one run: `make bench-plugins`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

mod load;

use load::pair::Pair;
use load::{entries, Load, PIPELINES};
use support::{on_every_server, Client, Postgres, Server};

/// How many keys there are by chance.
const KEYS: u32 = 100_000;
/// One of them each time, and the one that is always the same.
const ANY_KEY: &str = r#"{"id":1__rand_int__}"#;
const KEY: &str = r#"{"id":1}"#;
/// Short ones, since the machine's speed may change from second to second: each compares what comes one after the other.
const ROUNDS: usize = 16;

/// What is switched off and compared with everything on: all of it, and one by one where little else counts.
const ALL: &str = "acl,stats,slowlog,events,hooks,metrics";
const EACH: [&str; 6] = ["acl", "stats", "slowlog", "events", "hooks", "metrics"];

fn main() {
    println!(
        "{:<10} {:>8} {:>7} {:>40} {:>12} {:>12} {:>6}",
        "server", "pipeline", "keys", "off", "on/s", "off/s", "ratio"
    );
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);
             INSERT INTO users VALUES (1, repeat('x', 270))",
        );
        let server = Server::start(&kind, &database);
        fill(&mut server.client());
        for (pipeline, requests) in PIPELINES {
            let load = Load::on(server.port()).pipeline(pipeline).requests(requests);
            let row = |load: Load, key: &str, keys: u32, off: &str| {
                let Pair { ours, theirs, ratio } = compare(&server, load, key, off);
                let server = &kind.name;
                println!("{server:<10} {pipeline:>8} {keys:>7} {off:>40} {ours:>12.0} {theirs:>12.0} {ratio:>6.3}");
            };
            [ALL].iter().chain(&EACH).for_each(|off| row(load, KEY, 1, off));
            row(load.range(KEYS), ANY_KEY, KEYS, ALL);
        }
    });
}

/// Hits with every plugin on, and without those that are switched `off`.
fn compare(server: &Server, load: Load, key: &str, off: &str) -> Pair {
    let rate = |off: &str| {
        server.client().set("disabled_plugins", off);
        load.run(&["PGCACHE.READ", "users", key])
    };
    Pair::of(ROUNDS, || rate("none"), || rate(off))
}

/// Has every key that is asked for stand in the cache: the row, and copies of it.
fn fill(client: &mut Client) {
    let value = client.read("users", KEY).text();
    let first = client.key("users", KEY);
    let first = first.strip_suffix('}').expect("a lookup key is an object");
    entries::fill(client, (0..KEYS).map(|number| format!("{first}{number:012}}}")), &value);
}
