//! Load on a server by redis-benchmark: one command, again and again, from 50 clients.

use std::process::Command;

/// How the load looks.
pub struct Load {
    /// The server's port.
    pub port: u16,
    /// Requests that a client sends before it waits.
    pub pipeline: u32,
    /// Requests in all.
    pub requests: u32,
}

/// One look at every pipeline that is measured, with as many requests as take about a second.
pub const PIPELINES: [(u32, u32); 2] = [(1, 100_000), (32, 1_000_000)];

impl Load {
    /// Requests a second.
    pub fn run(&self, command: &[&str]) -> f64 {
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

/// The one in the middle.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
