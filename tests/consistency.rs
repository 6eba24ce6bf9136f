//! Writers, readers and faults: no read is older than the cache may be, and nothing stays out of date.
#![allow(clippy::unwrap_used)]

#[path = "consistency/mod.rs"]
mod consistency;
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use consistency::nemesis::{self, Nemesis};
use consistency::plan::{Feed, Mode, Plan};
use consistency::report;
use consistency::run::{run, Findings};
use support::network::{cannot_run, Network};
use support::{on_every_server, Kind};

/// For how long each fault lasts here; `make check-consistency` takes longer.
const SHORT: Duration = Duration::from_secs(2);
/// Within this time the checker has to find out that a build does not guard its fills.
const CAUGHT_WITHIN: Duration = Duration::from_secs(300);
/// In milliseconds, scheduling noise aside: how old answers may be when nothing goes wrong.
const HEALTHY_P99: f64 = 5.0;
const HEALTHY_MAX: f64 = 50.0;

/// Runs side by side would be each other's noise.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs and reports.
fn reported(kind: &Kind, nemesis: &dyn Nemesis, plan: &Plan) -> Findings {
    // On a thread of its own: from some networks there is no way back.
    let findings = thread::scope(|scope| scope.spawn(|| run(kind, nemesis, plan)).join());
    let findings = findings.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    eprintln!("{}\n{}", report::head(), report::line(nemesis.name(), plan.mode, &findings));
    report::details(&findings).iter().for_each(|line| eprintln!("  {line}"));
    findings
}

/// What of the contract was not kept.
fn complaints(nemesis: &dyn Nemesis, findings: &Findings) -> Vec<String> {
    let mut complaints = findings.verdict.violations.lines();
    let strange = |code: &&String| !nemesis.refusals().contains(&code.as_str());
    if findings.writers_refused.keys().any(|code| strange(&code)) {
        complaints.push(format!("writers were refused: {:?}", findings.writers_refused));
    }
    if !nemesis.disturbs_readers() && !findings.readers_refused.is_empty() {
        complaints.push(format!("readers were refused: {:?}", findings.readers_refused));
    }
    if findings.writes == 0 || findings.verdict.reads == 0 || findings.blows.is_empty() {
        complaints.push("nothing happened".into());
    }
    complaints
}

fn check(name: &str, mode: Mode) {
    let _alone = alone();
    let nemesis = nemesis::named(name);
    if !can_run(nemesis) {
        return;
    }
    on_every_server(|kind| {
        if !nemesis.works_on(&kind) {
            return;
        }
        let findings = reported(&kind, nemesis, &Plan::new(mode, SHORT));
        assert_eq!(complaints(nemesis, &findings), Vec::<String>::new(), "{name}");
    });
}

/// Whether the machine has what this nemesis needs. If not, that is told.
fn can_run(nemesis: &dyn Nemesis) -> bool {
    let possible = if nemesis.takes_network() { Network::is_possible() } else { Ok(()) };
    possible.map_err(|why| cannot_run(nemesis.name(), &why)).is_ok()
}

#[test]
fn nothing_goes_wrong_with_notify() {
    check("none", Mode::Notify);
}

#[test]
fn nothing_goes_wrong_with_the_outbox() {
    check("none", Mode::Outbox);
}

#[test]
fn nothing_goes_wrong_and_writers_invalidate() {
    check("none", Mode::Off);
}

#[test]
fn backends_that_load_are_killed() {
    check("kill-load-backends", Mode::Notify);
}

#[test]
fn the_backend_that_brings_notices_is_killed() {
    check("kill-notice-backend", Mode::Outbox);
}

#[test]
fn the_backend_that_brings_notices_stops_and_says_nothing() {
    check("stop-notice-backend", Mode::Notify);
}

#[test]
fn postgres_crashes_and_restarts() {
    check("restart-postgres", Mode::Outbox);
}

#[test]
fn the_server_restarts_with_saved_entries() {
    check("restart-server-with-saved-entries", Mode::Notify);
}

#[test]
fn the_cache_is_flushed_while_loads_are_under_way() {
    check("flushall", Mode::Outbox);
}

#[test]
fn entries_are_evicted() {
    check("evictions", Mode::Notify);
}

#[test]
fn the_table_is_redefined_and_renamed() {
    check("ddl", Mode::Notify);
}

#[test]
fn loads_pause_between_row_read_and_stored() {
    check("fill-pause", Mode::Outbox);
}

#[test]
fn nothing_goes_wrong_with_the_log() {
    check("none", Mode::Wal);
}

#[test]
fn commits_wait_for_a_standby() {
    check("slow-standby", Mode::Wal);
}

#[test]
fn the_walsender_is_killed() {
    check("kill-walsender", Mode::Wal);
}

#[test]
fn the_walsender_stops_and_says_nothing() {
    check("stop-walsender", Mode::Wal);
}

#[test]
fn postgres_crashes_and_restarts_its_log() {
    check("restart-postgres", Mode::Wal);
}

#[test]
fn slots_move_to_and_fro() {
    check("reshard", Mode::Cluster(Feed::Wal));
}

#[test]
fn slots_move_whole_to_and_fro() {
    check("migrate-slots", Mode::Cluster(Feed::Notify));
}

#[test]
fn a_primary_dies_and_its_replica_is_promoted() {
    check("kill-primary", Mode::Cluster(Feed::Outbox));
}

#[test]
fn a_cluster_is_cut_in_two_and_heals() {
    check("partition", Mode::Cluster(Feed::Notify));
}

#[test]
fn a_build_with_the_guard_off_is_caught() {
    is_caught("fill-pause", Mode::Notify);
}

/// What the log tells is not to be seen yet.
#[test]
fn a_build_with_the_guard_off_is_caught_when_commits_wait_for_a_standby() {
    is_caught("slow-standby", Mode::Wal);
}

fn is_caught(name: &str, mode: Mode) {
    let _alone = alone();
    let nemesis = nemesis::named(name);
    on_every_server(|kind| {
        let guarded = Plan::new(mode, SHORT);
        let unguarded = Plan { guarded: false, ..guarded.clone() };
        let began = Instant::now();
        while reported(&kind, nemesis, &unguarded).verdict.violations.is_empty() {
            assert!(began.elapsed() < CAUGHT_WITHIN, "the checker does not see what the guard is for");
        }
        let findings = reported(&kind, nemesis, &guarded);
        assert_eq!(complaints(nemesis, &findings), Vec::<String>::new());
    });
}

/// `make check-consistency`: what it is to do stands in the environment.
#[test]
#[ignore = "takes minutes: make check-consistency"]
fn at_length() {
    let _alone = alone();
    let chosen = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    let length = Duration::from_secs(chosen("PGCACHE_CHECK_SECONDS", "60").parse().unwrap());
    let nemeses = nemesis::chosen(&chosen("PGCACHE_CHECK_NEMESIS", "all"));
    let modes = Mode::chosen(&chosen("PGCACHE_CHECK_MODE", "notify"));
    on_every_server(|kind| {
        let (mut lines, mut failures) = (vec![report::head()], vec![]);
        for mode in &modes {
            for nemesis in nemeses
                .iter()
                .filter(|nemesis| nemesis.works_in(*mode) && nemesis.works_on(&kind) && can_run(**nemesis))
            {
                let findings = reported(&kind, *nemesis, &Plan::new(*mode, length));
                lines.push(report::line(nemesis.name(), *mode, &findings));
                let of = |complaint| format!("{} {}: {complaint}", nemesis.name(), mode.name());
                failures.extend(complaints(*nemesis, &findings).into_iter().map(of));
                // Elsewhere writers tell of their changes themselves, or six servers do: that takes as long as they wait for a core.
                if mode.tells_one() {
                    failures.extend(unhealthy(*nemesis, &findings).map(of));
                }
            }
        }
        eprintln!("\nOn {}, ages in milliseconds:\n{}", kind.name, lines.join("\n"));
        assert_eq!(failures, Vec::<String>::new());
    });
}

/// Whether answers were older than they may be when nothing goes wrong.
fn unhealthy(nemesis: &dyn Nemesis, findings: &Findings) -> Option<String> {
    let ages = &findings.verdict.beyond_noise;
    let slow = ages.percentile(99.0) > HEALTHY_P99 || ages.max() > HEALTHY_MAX;
    let (p99, max) = (ages.percentile(99.0), ages.max());
    (nemesis.is_harmless() && slow).then(|| format!("out of date for {p99:.2} ms at p99, {max:.2} ms at most"))
}
