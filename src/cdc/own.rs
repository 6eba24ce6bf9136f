//! Transactions of our own: heartbeats by NOTIFY take numbers, and change nothing that is compared.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::cache::PgSnapshot;

/// How many are remembered: four come in a second, and twenty where `max_staleness_ms` is short.
const REMEMBERED: usize = 128;

/// A look at which transactions had ended.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// When the server was started that was asked: another one gives the same numbers to others.
    pub(crate) started: String,
    /// What it has said.
    pub(crate) snapshot: PgSnapshot,
}

/// Their numbers. The thread that listens enters them, the one that compares looks.
#[derive(Debug, Default)]
pub(crate) struct OwnTransactions {
    ended: Mutex<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    /// When the server was started that gave them.
    started: String,
    /// As `xid8` has them.
    numbers: VecDeque<u64>,
}

impl OwnTransactions {
    /// One has ended, on the server that was started then.
    pub(crate) fn ended(&self, started: &str, number: u64) {
        let mut ended = self.ended.lock();
        if ended.started != started {
            *ended = Ended { started: started.to_owned(), numbers: VecDeque::new() };
        }
        if ended.numbers.len() >= REMEMBERED {
            ended.numbers.pop_front();
        }
        ended.numbers.push_back(number);
    }

    /// Whether nobody else's transaction has written and ended between these two.
    pub(crate) fn are_all_between(&self, before: &Moment, now: &Moment) -> bool {
        let ended = self.ended.lock();
        let is_ours = |number: &u64| ended.started == now.started && ended.numbers.contains(number);
        let is_same_server = before.started == now.started;
        let (before, now) = (&before.snapshot, &now.snapshot);
        let count = now.xmax.saturating_sub(before.xmax);
        let of_others = |snapshot: &PgSnapshot| {
            let running = snapshot.running.iter();
            running.filter(|number| !is_ours(number)).copied().collect::<Vec<u64>>()
        };
        is_same_server
            && now.xmax >= before.xmax
            && count <= REMEMBERED as u64
            && (before.xmax..now.xmax).all(|number| is_ours(&number))
            && of_others(before) == of_others(now)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn moment(started: &str, snapshot: &str) -> Moment {
        Moment { started: started.into(), snapshot: snapshot.parse().unwrap() }
    }

    #[test]
    fn a_transaction_of_others_is_seen_between_ours() {
        let own = OwnTransactions::default();
        let is_quiet = |before: &str, now: &str| own.are_all_between(&moment("a", before), &moment("a", now));
        assert!(is_quiet("5:5:", "5:5:"));
        assert!(!is_quiet("5:5:", "6:6:"));
        [5, 6, 8].iter().for_each(|number| own.ended("a", *number));
        assert!(is_quiet("5:5:", "7:7:"), "ours alone");
        assert!(!is_quiet("5:5:", "9:9:"), "7 is somebody's");
        assert!(is_quiet("3:7:3", "3:7:3"), "it still runs");
        assert!(!is_quiet("3:7:3", "7:7:"), "it has ended");
        assert!(is_quiet("3:6:3,5", "3:7:3"), "of these ours has");
        assert!(!is_quiet("7:7:", "5:5:"), "time goes forward");
        assert!(!own.are_all_between(&moment("a", "5:5:"), &moment("b", "5:5:")), "another server");
        own.ended("b", 5);
        assert!(!is_quiet("5:5:", "7:7:"), "those were another server's");
    }

    #[test]
    fn old_ones_are_forgotten() {
        let own = OwnTransactions::default();
        (0..1000).for_each(|number| own.ended("a", number));
        assert!(own.are_all_between(&moment("a", "900:900:"), &moment("a", "1000:1000:")));
        assert!(!own.are_all_between(&moment("a", "800:800:"), &moment("a", "1000:1000:")));
        assert_eq!(own.ended.lock().numbers.len(), REMEMBERED);
    }
}
