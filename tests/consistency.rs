//! Writers, readers and faults: no read is older than the cache may be, and nothing stays out of date.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "consistency/mod.rs"]
mod consistency;
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use consistency::nemesis::{self, Nemesis};
use consistency::plan::{Mode, Plan};
use consistency::report;
use consistency::run::{run, Findings};
use support::{on_every_server, Kind};

/// For how long each fault lasts here; `make check-consistency` takes longer.
const SHORT: Duration = Duration::from_millis(2_500);

/// Runs side by side would be each other's noise.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs and reports.
fn reported(kind: &Kind, nemesis: &dyn Nemesis, plan: &Plan) -> Findings {
    let _alone = alone();
    let findings = run(kind, nemesis, plan);
    eprintln!("{}\n{}", report::head(), report::line(nemesis.name(), plan.mode, &findings));
    report::details(&findings).iter().for_each(|line| eprintln!("  {line}"));
    findings
}

/// Panics unless the contract was kept.
fn assert_kept(nemesis: &dyn Nemesis, findings: &Findings) {
    let violations = &findings.verdict.violations;
    assert!(violations.is_empty(), "{}: {:#?}", nemesis.name(), violations.lines());
    let strange = |code: &&String| !nemesis.refusals().contains(&code.as_str());
    let strange: Vec<_> = findings.writers_refused.keys().filter(strange).collect();
    assert!(strange.is_empty(), "writers were refused: {:?}", findings.writers_refused);
    let disturbed = !nemesis.disturbs_readers() && !findings.readers_refused.is_empty();
    assert!(!disturbed, "readers were refused: {:?}", findings.readers_refused);
    assert!(findings.writes > 0 && findings.verdict.reads > 0 && findings.blows > 0);
}

fn check(name: &str, mode: Mode) {
    on_every_server(|kind| {
        let nemesis = nemesis::named(name);
        let findings = reported(&kind, nemesis, &Plan::new(mode, SHORT));
        assert_kept(nemesis, &findings);
    });
}

#[test]
fn nothing_goes_wrong_and_writers_invalidate() {
    check("none", Mode::Off);
}
