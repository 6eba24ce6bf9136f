//! What the main thread shares with the threads that listen to a source: the relations that are known here, when they were compared
//! with the catalog, and what the threads are asked for.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::own::OwnTransactions;
use super::Urge;

/// One source's relations. The main thread enters them, the thread that compares them reads them.
#[derive(Debug, Default)]
pub struct Known {
    relations: Mutex<Vec<(u32, String)>>,
    is_urgent: Mutex<bool>,
    urged: Condvar,
    compared: Mutex<Option<Instant>>,
    /// The transactions that tell of changes by themselves.
    pub(crate) own: OwnTransactions,
    /// By which the feed is asked for a heartbeat.
    pub(crate) beat: Urge,
}

impl Known {
    /// Puts `relations` (`pg_class.oid`, and the name as `regclass` prints it) in the place of those before.
    pub fn set(&self, relations: Vec<(u32, String)>) {
        *self.relations.lock() = relations;
    }

    /// The relations of now.
    pub fn get(&self) -> Vec<(u32, String)> {
        self.relations.lock().clone()
    }

    /// Asks for a comparison soon, whatever the clock says.
    pub fn hurry(&self) {
        *self.is_urgent.lock() = true;
        self.urged.notify_all();
    }

    /// Whether somebody asked for one since the last call.
    pub fn take_hurry(&self) -> bool {
        std::mem::take(&mut self.is_urgent.lock())
    }

    /// Waits until somebody asks for one, but at most `longest`.
    pub fn await_hurry(&self, longest: Duration) {
        let mut is_urgent = self.is_urgent.lock();
        if !*is_urgent {
            self.urged.wait_for(&mut is_urgent, longest);
        }
    }

    /// A comparison of all of them, begun at `began`, has been told.
    pub fn compared(&self, began: Instant) {
        let mut compared = self.compared.lock();
        *compared = Some(compared.map_or(began, |last| last.max(began)));
    }

    /// When the last one that has been told began.
    pub fn last_compared(&self) -> Option<Instant> {
        *self.compared.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_that_was_kept_does_not_take_the_place_of_a_later_one() {
        let (known, now) = (Known::default(), Instant::now());
        assert_eq!(known.last_compared(), None);
        known.compared(now);
        known.compared(now.checked_sub(Duration::from_secs(60)).unwrap_or(now));
        assert_eq!(known.last_compared(), Some(now));
    }

    #[test]
    fn whoever_hurries_wakes_the_one_who_compares() {
        let known = Known::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| known.await_hurry(Duration::from_secs(3600)));
            known.hurry();
            assert!(waiting.join().is_ok());
        });
        assert!(known.take_hurry() && !known.take_hurry());
    }
}
