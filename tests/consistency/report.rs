//! The report: a line of figures for each run, and every violation.

use std::collections::BTreeMap;

use super::clock::{milliseconds, Nanos};
use super::plan::Mode;
use super::run::Findings;

/// Above the lines. Ages are in milliseconds, of reads that were out of date; `quiet`: without scheduling noise.
pub fn head() -> String {
    format!(
        "{:<34} {:<7} {:>8} {:>7} {:>9} {:>8} {:>7} {:>6} {:>8} {:>8} {:>8} {:>9} {:>9} {:>7} {:>7} {:>6}",
        "nemesis",
        "mode",
        "writes",
        "/s",
        "reads",
        "near",
        "stale",
        "nil",
        "p50",
        "p99",
        "max",
        "quiet p99",
        "quiet max",
        "noise99",
        "noise",
        "blows"
    )
}

/// One run's line.
pub fn line(nemesis: &str, mode: Mode, findings: &Findings) -> String {
    let Findings { writes, seconds, verdict, noise, blows, .. } = findings;
    let rate = *writes as f64 / seconds.max(0.001);
    let (stale, quiet) = (&verdict.stale, &verdict.beyond_noise);
    format!(
        "{nemesis:<34} {:<7} {writes:>8} {rate:>7.0} {:>9} {:>8} {:>7} {:>6} {:>8.2} {:>8.2} {:>8.2} {:>9.2} {:>9.2} {:>7.2} {:>7.2} {:>6}",
        mode.name(),
        verdict.reads,
        findings.near,
        stale.count(),
        verdict.stale_nils,
        stale.percentile(50.0),
        stale.percentile(99.0),
        stale.max(),
        quiet.percentile(99.0),
        quiet.max(),
        noise.percentile(99.0),
        noise.max(),
        blows.len(),
    )
}

/// What went wrong or was refused in a run.
pub fn details(findings: &Findings) -> Vec<String> {
    let mut lines = findings.verdict.violations.lines();
    if !lines.is_empty() {
        let blow = |(began, ended): &(Nanos, Nanos)| format!("{:.0}-{:.0}", milliseconds(*began), milliseconds(*ended));
        let blows: Vec<String> = findings.blows.iter().map(blow).collect();
        lines.push(format!("blows, in ms: {}", blows.join(" ")));
    }
    lines.extend(refused("writers", &findings.writers_refused));
    lines.extend(refused("readers", &findings.readers_refused));
    lines
}

fn refused(who: &str, errors: &BTreeMap<String, usize>) -> Option<String> {
    let each: Vec<String> = errors.iter().map(|(code, count)| format!("{code} {count}")).collect();
    (!each.is_empty()).then(|| format!("{who} were refused: {}", each.join(", ")))
}
