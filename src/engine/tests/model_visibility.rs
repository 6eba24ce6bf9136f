//! Changes of the model that are told before they are visible: a commit is written to the log first, and shown later.

use super::Model;
use crate::cache::PgSnapshot;
use crate::workers::FeedEvent;

impl Model {
    /// A transaction is written to the log.
    pub(super) fn begin_change(&mut self) {
        self.change += 1;
        if self.is_early {
            self.invisible.insert(self.change);
        }
    }

    /// Since when what is committed now counts: nobody has to know of it before it is visible.
    pub(super) fn commit_ms(&self) -> u64 {
        if self.is_early {
            u64::MAX
        } else {
            self.now_ms
        }
    }

    /// A transaction becomes visible.
    pub(super) fn show(&mut self, which: usize) {
        if let Some(change) = self.invisible.iter().nth(which % self.invisible.len().max(1)).copied() {
            self.show_change(change);
        }
    }

    fn show_change(&mut self, change: u64) {
        self.invisible.remove(&change);
        let now_ms = self.now_ms;
        let states = self.rows.iter_mut().flatten().filter(|state| state.change == change);
        states.for_each(|state| state.at_ms = now_ms);
    }

    /// Whoever changes a row waits until the change before is visible.
    pub(super) fn show_row(&mut self, row: usize) {
        let invisible =
            self.rows[row].iter().map(|state| state.change).filter(|change| self.invisible.contains(change));
        for change in invisible.collect::<Vec<_>>() {
            self.show_change(change);
        }
    }

    /// The state of `row` that PostgreSQL shows.
    pub(super) fn latest_visible(&self, row: usize) -> usize {
        let is_visible = |change: &u64| !self.invisible.contains(change);
        self.rows[row].iter().rposition(|state| is_visible(&state.change)).expect("there is a first state")
    }

    /// What PostgreSQL says of its transactions.
    pub(super) fn snapshot(&self) -> PgSnapshot {
        let running: Vec<String> = self.invisible.iter().map(u64::to_string).collect();
        let next = self.change + 1;
        let xmin = self.invisible.first().copied().unwrap_or(next);
        format!("{xmin}:{next}:{}", running.join(",")).parse().expect("it is one")
    }

    /// The thread that listens looks which transactions have ended.
    pub(super) fn look(&mut self) {
        if self.is_early && self.is_open {
            self.cache.feed(FeedEvent::Snapshot(self.snapshot()));
            self.lost.retain(|change| self.invisible.contains(change));
        }
    }

    /// What was not told yet will not be told.
    pub(super) fn lose_notices(&mut self) {
        self.told.clear();
        self.applied = self.change;
        self.lost.clone_from(&self.invisible);
    }
}
