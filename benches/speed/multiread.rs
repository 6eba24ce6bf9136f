//! MULTIREAD: 100 hits against MGET of the same keys, and 100 misses against as many rows by pgbench.

use crate::clients::Clients;
use crate::cold::{cold_run, Select};
use crate::figure::{Figure, Goal};
use crate::load::entries;
use crate::load::pair::Pair;
use crate::load::Load;
use crate::stage::{key_of, prefix, Stage, ANY_KEY};

const KEYS: u32 = 100;
const ROUNDS: usize = 9;
const COLD_ROUNDS: usize = 5;
/// How many clients miss.
const MISSING: u32 = 8;
/// So few that hardly any row is asked for twice.
const COLD_REQUESTS: u32 = 400;

/// Hits, then misses.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let misses = Clients::in_one_thread_and_in_two(MISSING).map(|clients| misses(stage, clients));
    [hits(stage)].into_iter().chain(misses).collect()
}

fn hits(stage: &Stage) -> Figure {
    let server = stage.server();
    let mut client = server.client();
    let value = client.read("users", &key_of(0)).text();
    let prefix = prefix(&mut client, "users");
    let keys: Vec<String> = (0..KEYS).map(key_of).collect();
    let cache_keys: Vec<String> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
    entries::fill(&mut client, cache_keys.iter().cloned(), &value);

    let load = Load::on(server.port()).requests(5_000);
    let array = format!("[{}]", keys.join(","));
    let mget: Vec<&str> = ["MGET"].into_iter().chain(cache_keys.iter().map(String::as_str)).collect();
    let pair = Pair::of(ROUNDS, || load.run(&["PGCACHE.MULTIREAD", "users", &array]), || load.run(&mget));
    Figure::new("multiread", "MULTIREAD of 100 hits against MGET, 50 clients", "rows/s", pair.times(KEYS.into()))
        .goal(Goal::AtLeast(0.60, 0.8))
}

fn misses(stage: &Stage, clients: Clients) -> Figure {
    let server = stage.with_all_rows().server();
    let array = format!("[{}]", vec![ANY_KEY; KEYS as usize].join(","));
    let load = clients.load(server.port()).requests(COLD_REQUESTS);
    let select = Select::on(stage, clients);
    let pair = Pair::of(
        COLD_ROUNDS,
        || cold_run(&server, load, COLD_REQUESTS * KEYS, &["PGCACHE.MULTIREAD", "users", &array]) * f64::from(KEYS),
        || select.rows_per_second(),
    );
    Figure::new("multiread", format!("MULTIREAD of 100 misses against pgbench, {clients}"), "rows/s", pair)
        .goal(Goal::AtLeast(3.0, 10.0))
}
