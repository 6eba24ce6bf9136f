//! Many changes for a long time, told by the write-ahead log: `make check-load`. Prints how late they are seen, what memory that takes, and
//! how long PING waits meanwhile.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use support::watched::{start_listening, watch};
use support::{on_every_server, Client, Database, Postgres, Server};

/// How many rows the table has.
const ROWS: u32 = 50_000;
/// How many rows one transaction changes.
const TOGETHER: u32 = 5;
const WRITERS: u32 = 4;
/// A part of the time, for which figures are printed.
const PART: Duration = Duration::from_secs(10);

/// What PING may take, of a thousand all but one.
const PING: Duration = Duration::from_millis(5);
/// By how much the server may grow after the first part, in MB.
const GROWTH: u64 = 16;

fn chosen(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What all threads share.
struct Load<'l> {
    database: &'l Database<'l>,
    server: &'l Server,
    is_over: AtomicBool,
    changes: AtomicU64,
}

/// What one part of the time came to.
#[derive(Default)]
struct Part {
    changes: u64,
    /// From COMMIT until a reader sees it.
    lags: Vec<Duration>,
    pings: Vec<Duration>,
    megabytes: u64,
}

fn percentile(times: &mut [Duration], percent: f64) -> Duration {
    times.sort_unstable();
    let place = (times.len() as f64 * percent / 100.0) as usize;
    times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

impl Load<'_> {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Changes rows at its share of `rate`, and catches up when it was held up.
    fn write(&self, rate: u32) {
        let mut client = self.database.connect();
        let update = client.prepare("UPDATE users SET name = md5(name) WHERE id = ANY ($1)").unwrap();
        let pause = Duration::from_secs(1) * TOGETHER * WRITERS / rate;
        let mut due = Instant::now();
        while self.goes_on() {
            // Row 1 is the probe's.
            let ids: Vec<i64> = (0..TOGETHER).map(|_| i64::from(fastrand::u32(2..=ROWS))).collect();
            let changed = client.execute(&update, &[&ids]).unwrap();
            self.changes.fetch_add(changed, Ordering::Relaxed);
            due += pause;
            sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Keeps rows in the cache.
    fn read(&self) {
        let mut client = self.server.client();
        while self.goes_on() {
            client.read("users", &format!(r#"{{"id":{}}}"#, fastrand::u32(2..=ROWS)));
            sleep(Duration::from_micros(200));
        }
    }

    /// For how long a change is not seen, again and again until `end`.
    fn probe(&self, end: Instant) -> Vec<Duration> {
        let (mut writer, mut client) = (self.database.connect(), self.server.client());
        let mut lags = vec![];
        while Instant::now() < end {
            let name = format!("probe {}", fastrand::u64(..));
            writer.execute("UPDATE users SET name = $1 WHERE id = 1", &[&name]).unwrap();
            let committed = Instant::now();
            while client.read("users", r#"{"id":1}"#).json()["name"] != name {}
            lags.push(committed.elapsed());
            sleep(Duration::from_millis(20));
        }
        lags
    }

    fn ping(&self, end: Instant) -> Vec<Duration> {
        let mut client = self.server.client();
        let mut pings = vec![];
        while Instant::now() < end {
            let sent = Instant::now();
            client.call(&["PING"]);
            pings.push(sent.elapsed());
            sleep(Duration::from_millis(1));
        }
        pings
    }

    fn part(&self) -> Part {
        let (before, end) = (self.changes.load(Ordering::Relaxed), Instant::now() + PART);
        let (lags, pings) = scope(|scope| {
            let lags = scope.spawn(|| self.probe(end));
            let pings = scope.spawn(|| self.ping(end));
            (lags.join().unwrap(), pings.join().unwrap())
        });
        let changes = self.changes.load(Ordering::Relaxed) - before;
        Part { changes, lags, pings, megabytes: memory(self.server) }
    }
}

/// What the server's process takes, in MB.
fn memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn tell(part: &mut Part) {
    let rate = part.changes as f64 / PART.as_secs_f64();
    let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| percentile(&mut part.lags, percent).as_secs_f64() * 1e3);
    let ping = percentile(&mut part.pings, 99.9).as_secs_f64() * 1e3;
    eprintln!(
        "{rate:>9.0} changes/s  lag p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms  PING p99.9 {ping:.2} ms  {} MB",
        part.megabytes
    );
}

#[test]
#[ignore = "takes a minute: make check-load"]
fn lag_and_memory_stay_flat_at_ten_thousand_changes_a_second() {
    let (rate, seconds) = (chosen("PGCACHE_LOAD_RATE", 10_000), chosen("PGCACHE_LOAD_SECONDS", 60));
    let mode = std::env::var("PGCACHE_LOAD_MODE").unwrap_or_else(|_| "wal".into());
    on_every_server(|kind| {
        let postgres = Postgres::start_with("autovacuum=on\nshared_buffers=256MB\nmax_wal_size=4GB");
        let database = postgres.database();
        database.with_users(ROWS);
        let server = start_listening(Server::setup(&kind).on(&database).setting("invalidation", &mode));
        let mut client: Client = server.client();
        watch(&mut client, "users");
        let load = Load { database: &database, server: &server, is_over: false.into(), changes: 0.into() };
        let mut parts: Vec<Part> = scope(|scope| {
            (0..WRITERS).for_each(|_| drop(scope.spawn(|| load.write(rate))));
            scope.spawn(|| load.read());
            let parts = (0..(u64::from(seconds) / PART.as_secs()).max(2)).map(|_| load.part()).collect();
            load.is_over.store(true, Ordering::Relaxed);
            parts
        });
        parts.iter_mut().for_each(tell);
        let mut pings: Vec<Duration> = parts.iter().flat_map(|part| part.pings.clone()).collect();
        assert!(percentile(&mut pings, 99.9) < PING, "PING waits");
        let (first, last) = (parts[0].megabytes, parts[parts.len() - 1].megabytes);
        assert!(last <= first + GROWTH, "the server has grown from {first} to {last} MB");
    });
}
