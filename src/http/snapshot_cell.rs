//! The snapshot cell: the pages that the main thread renders once a second, for the HTTP threads to read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::plugins::health::{Status, Verdict};
use crate::plugins::page::Page;

/// A snapshot this old says that the main thread is stuck: it makes one every second.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// How things stood at one moment.
#[derive(Debug)]
pub struct Snapshot {
    made: Instant,
    verdict: Verdict,
    pages: Vec<Page>,
}

/// The latest snapshot; none before the first.
#[derive(Debug, Default)]
pub struct SnapshotCell(Mutex<Option<Arc<Snapshot>>>);

impl SnapshotCell {
    /// Puts up how things stand now.
    pub fn publish(&self, verdict: Verdict, pages: Vec<Page>) {
        let snapshot = Arc::new(Snapshot { made: Instant::now(), verdict, pages });
        // The old one ends after the lock: that takes longer than to swap them.
        let old = self.0.lock().replace(snapshot);
        drop(old);
    }

    /// What is on it.
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.0.lock().clone()
    }
}

impl Snapshot {
    /// How old it is.
    pub fn age(&self) -> Duration {
        self.made.elapsed()
    }

    /// The page at `path`.
    pub fn page(&self, path: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.path == path)
    }

    /// How well the cache is, for one who reads this when it is `age` old.
    pub fn verdict(&self, age: Duration) -> Verdict {
        let mut verdict = self.verdict.clone();
        if age > STUCK_AFTER {
            verdict.status = Status::Unhealthy;
            let stuck = format!("the server's main thread has not come by for {} s", age.as_secs());
            verdict.reasons.insert(0, stuck);
        }
        verdict
    }
}

/// The verdict as JSON, and whether that is one to send traffic to.
pub fn health(verdict: &Verdict) -> (bool, String) {
    (verdict.status != Status::Unhealthy, verdict.to_json())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_main_thread_that_is_stuck_is_not_well() {
        let cell = SnapshotCell::default();
        assert!(cell.latest().is_none());
        let well = Verdict { status: Status::Healthy, reasons: vec![], warnings: vec![], sources: vec![] };
        cell.publish(well, vec![]);
        let snapshot = cell.latest().unwrap();
        let young = health(&snapshot.verdict(STUCK_AFTER));
        assert_eq!(young, (true, r#"{"status":"healthy","reasons":[],"warnings":[],"sources":{}}"#.to_owned()));
        let (is_well, text) = health(&snapshot.verdict(Duration::from_secs(7)));
        assert!(!is_well && text.contains("unhealthy") && text.contains("for 7 s"), "{text}");
    }
}
