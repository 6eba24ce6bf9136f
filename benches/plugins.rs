//! What plugins cost a hit: all on, against each one and all of them off, as ratios in one run: `make bench-plugins`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

mod load;

use load::pair::Pair;
use load::{entries, Load, PIPELINES};
use support::{on_every_server, Client, Postgres, Server};

/// The lookup keys that are asked for, and how many there are by chance.
const KEYS: [(&str, u32); 2] = [(r#"{"id":1}"#, 1), (r#"{"id":1__rand_int__}"#, 100_000)];
/// Short ones, since the machine's speed may change from second to second: each compares what comes one after the other.
const ROUNDS: usize = 16;

/// What is switched off and compared with everything on.
const OFF: [&str; 7] =
    ["acl,stats,slowlog,events,hooks,metrics", "acl", "stats", "slowlog", "events", "hooks", "metrics"];

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
            for (key, keys) in KEYS {
                let load = Load::on(server.port()).pipeline(pipeline).requests(requests);
                let load = if keys > 1 { load.range(keys) } else { load };
                // One by one where little else counts.
                for off in OFF.into_iter().take(if keys > 1 { 1 } else { OFF.len() }) {
                    let rate = |off: &str| {
                        server.client().set("disabled_plugins", off);
                        load.run(&["PGCACHE.READ", "users", key])
                    };
                    let Pair { ours, theirs, ratio } = Pair::of(ROUNDS, || rate("none"), || rate(off));
                    println!(
                        "{:<10} {pipeline:>8} {keys:>7} {off:>40} {ours:>12.0} {theirs:>12.0} {ratio:>6.3}",
                        kind.name
                    );
                }
            }
        }
    });
}

/// Has every key that is asked for stand in the cache: the row, and copies of it.
fn fill(client: &mut Client) {
    let [(key, _), (_, keys)] = KEYS;
    let value = client.read("users", key).text();
    let first = client.key("users", key);
    let first = first.strip_suffix('}').expect("a lookup key is an object");
    entries::fill(client, (0..keys).map(|number| format!("{first}{number:012}}}")), &value);
}
