//! Misses against asking PostgreSQL oneself: pgbench with prepared statements and the same number of clients in as many
//! threads.

use std::process::Stdio;

use crate::clients::Clients;
use crate::figure::{Figure, Goal};
use crate::load::entries;
use crate::load::pair::Pair;
use crate::load::Load;
use crate::stage::{prefix, Stage, ANY_KEY, FIRST_ID, ROWS};
use crate::support::Server;

const ROUNDS: usize = 5;

/// How many clients, what they ask for in all, and what that should come to.
const CROWDS: [(u32, u32, Goal); 3] =
    [(8, 20_000, Goal::AtLeast(0.35, 0.6)), (50, 50_000, Goal::AtLeast(1.0, 1.4)), (200, 50_000, Goal::None)];

/// 8, 50 and 200 clients.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let server = stage.with_all_rows().server();
    let mut figures = vec![];
    for (count, requests, goal) in CROWDS {
        for clients in Clients::in_one_thread_and_in_two(count) {
            let pair = pair(stage, &server, clients, requests);
            let name = format!("miss against pgbench, {clients}");
            figures.push(Figure::new("cold", name, "/s", pair).goal(goal));
        }
    }
    figures
}

fn pair(stage: &Stage, server: &Server, clients: Clients, requests: u32) -> Pair {
    let (load, select) = (clients.load(server.port()).requests(requests), Select::on(stage, clients));
    Pair::of(
        ROUNDS,
        || cold_run(server, load, requests, &["PGCACHE.READ", "users", ANY_KEY]),
        || select.rows_per_second(),
    )
}

/// Runs a command on rows by chance, `keys` of them in all, with nothing cached before. Requests a second. Panics when more
/// than three in a hundred were hits.
pub fn cold_run(server: &Server, load: Load, keys: u32, command: &[&str]) -> f64 {
    let mut client = server.client();
    let prefix = prefix(&mut client, "users");
    entries::clear(&mut client, &prefix);
    let before = client.figure("hits");
    let rate = load.range(ROWS).run(command);
    let hits = client.figure("hits") - before;
    assert!(hits * 100 <= u64::from(keys) * 3, "{hits} hits of {keys} reads");
    rate
}

/// SELECTs of one row by its primary key.
pub struct Select {
    stage: Stage,
    script: std::path::PathBuf,
    clients: Clients,
}

impl Select {
    /// By clients of `stage`'s database.
    pub fn on(stage: &Stage, clients: Clients) -> Self {
        let last = FIRST_ID + u64::from(ROWS) - 1;
        let script =
            format!("\\set id random({FIRST_ID}, {last})\nSELECT id, email, name, bio FROM users WHERE id = :id;\n");
        let script = stage.database().postgres.write_private("select.sql", &script);
        Self { stage: Stage { kind: stage.kind.clone() }, script, clients }
    }

    /// Rows a second. The first second is left out: each new connection reads the catalog then.
    pub fn rows_per_second(&self) -> f64 {
        let Clients { count, threads } = self.clients;
        let mut process = self.stage.pgbench(&self.script);
        process.args(["-T", "3", "-P", "1", "-c", &count.to_string(), "-j", &threads.to_string()]);
        let output = process.stdout(Stdio::null()).output().expect("pgbench");
        let text = String::from_utf8_lossy(&output.stderr);
        let seconds: Vec<f64> = text.lines().filter_map(tps).skip(1).collect();
        assert!(output.status.success() && !seconds.is_empty(), "pgbench: {text}");
        seconds.iter().sum::<f64>() / seconds.len() as f64
    }
}

/// `54321.0` of `progress: 1.0 s, 54321.0 tps, lat …`.
fn tps(line: &str) -> Option<f64> {
    line.strip_prefix("progress: ")?.split(", ").nth(1)?.strip_suffix(" tps")?.parse().ok()
}
