//! What plugins cost a hit: all on, against each one and all of them off, as ratios in one run: `make bench`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

mod load;

use load::{median, Load, PIPELINES};
use support::{on_every_server, Postgres, Server};

const KEY: &str = r#"{"id":1}"#;
/// Short ones, since the machine's speed may change from second to second: each compares what comes one after the other.
const ROUNDS: usize = 16;
/// How much shorter than elsewhere.
const SHORTER: u32 = 4;

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
            let load = Load { port: server.port(), pipeline, requests: requests / SHORTER };
            for off in OFF {
                let pairs: Vec<(f64, f64)> =
                    (0..ROUNDS).map(|round| pair(&server, &load, off, round)).collect();
                let on_rate = median(pairs.iter().map(|pair| pair.0));
                let off_rate = median(pairs.iter().map(|pair| pair.1));
                let ratio = median(pairs.iter().map(|(on, off)| on / off));
                println!(
                    "{:<10} {pipeline:>8} {off:>40} {on_rate:>12.0} {off_rate:>12.0} {ratio:>6.2}",
                    kind.name
                );
            }
        }
    });
}

/// The rates with everything on, and with `off` switched off; every other time the other way round.
fn pair(server: &Server, load: &Load, off: &str, round: usize) -> (f64, f64) {
    let mut client = server.client();
    let mut run = |off: &str| {
        client.set("disabled_plugins", off);
        load.run(&["PGCACHE.READ", "users", KEY])
    };
    if round % 2 == 0 {
        let on = run("none");
        (on, run(off))
    } else {
        let rate = run(off);
        (run("none"), rate)
    }
}
