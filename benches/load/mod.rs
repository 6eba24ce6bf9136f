//! Load on a server by redis-benchmark: one command, again and again, from many clients.
//!
//! Each bench uses a part of this only.
#![allow(dead_code)]

pub mod entries;
pub mod pair;

use std::process::{Command, Output, Stdio};

/// How the load looks. Without a range `__rand_int__` stays as it is.
#[derive(Clone, Copy)]
pub struct Load {
    port: u16,
    clients: u32,
    processes: u32,
    pipeline: u32,
    requests: u32,
    range: u32,
}

/// One look at every pipeline that is measured, with as many requests as take a fraction of a second.
pub const PIPELINES: [(u32, u32); 2] = [(1, 20_000), (32, 200_000)];

impl Load {
    /// 50 clients of one process that send one request at a time to a server on loopback.
    pub fn on(port: u16) -> Self {
        Self { port, clients: 50, processes: 1, pipeline: 1, requests: 50_000, range: 0 }
    }

    /// So many connections.
    pub fn clients(self, clients: u32) -> Self {
        Self { clients, ..self }
    }

    /// So many processes, which share connections and requests evenly. (redis-benchmark's own threads look four times a second
    /// whether they are done: too seldom for runs of a second.)
    pub fn processes(self, processes: u32) -> Self {
        Self { processes, ..self }
    }

    /// So many requests that a client sends before it waits.
    pub fn pipeline(self, pipeline: u32) -> Self {
        Self { pipeline, ..self }
    }

    /// So many requests in all.
    pub fn requests(self, requests: u32) -> Self {
        Self { requests, ..self }
    }

    /// Each `__rand_int__` in the command becomes twelve digits of a number below `range`.
    pub fn range(self, range: u32) -> Self {
        Self { range, ..self }
    }

    /// Requests a second. Panics when the server answered with an error.
    pub fn run(&self, command: &[&str]) -> f64 {
        let start = |_| self.process(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let processes: Vec<_> = (0..self.processes).map(start).collect::<Result<_, _>>().expect("redis-benchmark");
        processes.into_iter().map(|process| rate(&process.wait_with_output().unwrap())).sum()
    }

    fn process(&self, command: &[&str]) -> Command {
        let figures = [
            ("-p", u32::from(self.port)),
            ("-c", self.clients / self.processes),
            ("-n", self.requests / self.processes),
            ("-P", self.pipeline),
        ];
        let mut process = Command::new("redis-benchmark");
        for (option, figure) in figures {
            process.args([option, &figure.to_string()]);
        }
        if self.range > 0 {
            process.args(["-r", &self.range.to_string()]);
        }
        process.arg("--csv").args(command);
        process
    }
}

/// The requests a second that redis-benchmark tells.
fn rate(output: &Output) -> f64 {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("Error"), "redis-benchmark: {errors} {text}");
    let line = text.lines().last().unwrap_or_else(|| panic!("redis-benchmark said nothing"));
    // The command itself holds commas and quotes, so the figures are counted from the end, behind six latencies.
    let figure = line.rsplit("\",\"").nth(6).and_then(|figure| figure.parse().ok());
    figure.unwrap_or_else(|| panic!("no figure in {line}"))
}

/// The one in the middle.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
