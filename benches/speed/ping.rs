//! PING: for how long the server keeps others waiting while 200 clients miss, against 200 clients that GET and SET.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::cold::cold_run;
use crate::figure::Figure;
use crate::load::pair::Pair;
use crate::load::Load;
use crate::stage::{Stage, ANY_KEY, ROWS};
use crate::support::{Client, Server};

const CLIENTS: u32 = 200;
const REQUESTS: u32 = 50_000;
const ROUNDS: usize = 7;

/// The time that 999 in a thousand PINGs do not exceed.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let (server, plain) = (stage.with_all_rows().server(), stage.plain());
    let misses = Load::on(server.port()).clients(CLIENTS).requests(REQUESTS);
    let cold = || {
        pings(&server, || {
            cold_run(&server, misses, REQUESTS, &["PGCACHE.READ", "users", ANY_KEY]);
        })
    };
    let pair = Pair::of(ROUNDS, cold, || pings(&plain, || gets_and_sets(&plain)));
    let name = "PING p99.9 while 200 clients miss, against 200 that GET and SET";
    vec![Figure::new("ping", name, "ms", pair)]
}

/// As many GETs as SETs at once, of 300 bytes.
fn gets_and_sets(server: &Server) {
    let load = Load::on(server.port()).clients(CLIENTS / 2).requests(REQUESTS).range(ROWS);
    let value = "x".repeat(300);
    thread::scope(|scope| {
        scope.spawn(|| load.run(&["GET", "users:__rand_int__"]));
        scope.spawn(|| load.run(&["SET", "users:__rand_int__", &value, "EX", "3600"]));
    });
}

/// The 99.9th percentile, in milliseconds, of PINGs one after the other while `work` runs.
fn pings(server: &Server, work: impl FnOnce()) -> f64 {
    let is_over = AtomicBool::new(false);
    let mut times = thread::scope(|scope| {
        let pinging = scope.spawn(|| times(&mut server.client(), &is_over));
        work();
        is_over.store(true, Ordering::Relaxed);
        pinging.join().unwrap()
    });
    times.sort_by(f64::total_cmp);
    times[times.len() * 999 / 1000]
}

fn times(client: &mut Client, is_over: &AtomicBool) -> Vec<f64> {
    let mut times = vec![];
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        client.call(&["PING"]);
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times
}
