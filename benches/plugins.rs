//! What plugins cost a hit: all on, against each one and all of them off, as ratios in one run: `make bench-plugins`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

mod load;

use load::pair::Pair;
use load::{Load, PIPELINES};
use support::{on_every_server, Postgres, Server};

const KEY: &str = r#"{"id":1}"#;
/// Short ones, since the machine's speed may change from second to second: each compares what comes one after the other.
const ROUNDS: usize = 16;

/// What is switched off and compared with everything on.
const OFF: [&str; 7] =
    ["acl,stats,slowlog,events,hooks,metrics", "acl", "stats", "slowlog", "events", "hooks", "metrics"];

fn main() {
    println!(
        "{:<10} {:>8} {:>40} {:>12} {:>12} {:>6}",
        "server", "pipeline", "off", "on/s", "off/s", "ratio"
    );
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);
             INSERT INTO users VALUES (1, repeat('x', 270))",
        );
        let server = Server::start(&kind, &database);
        server.client().read("users", KEY);
        for (pipeline, requests) in PIPELINES {
            let load = Load::on(server.port()).pipeline(pipeline).requests(requests);
            for off in OFF {
                let rate = |off: &str| {
                    server.client().set("disabled_plugins", off);
                    load.run(&["PGCACHE.READ", "users", KEY])
                };
                let Pair { ours, theirs, ratio } = Pair::of(ROUNDS, || rate("none"), || rate(off));
                println!(
                    "{:<10} {pipeline:>8} {off:>40} {ours:>12.0} {theirs:>12.0} {ratio:>6.2}",
                    kind.name
                );
            }
        }
    });
}
