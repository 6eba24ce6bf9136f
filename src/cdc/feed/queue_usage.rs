//! How full PostgreSQL's queue of notifications is: when it is crowded, triggers may leave notices out, so that no commit
//! fails.

use std::time::{Duration, Instant};

use crate::cache::{Gap, PgSnapshot};
use crate::cdc::in_doubt::InDoubt;

/// Triggers stop at half of the queue. Here doubt begins at a quarter: no writer fills the other quarter between two
/// looks.
const CROWDED: f64 = 0.25;
/// Unless they are that far apart: 2 GB of notifications would take longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What was seen of it.
#[derive(Debug)]
pub(crate) struct QueueUsage {
    is_crowded: bool,
    seen: Instant,
    in_doubt: InDoubt,
}

impl QueueUsage {
    /// Not crowded, as far as is known.
    pub(crate) fn new() -> Self {
        Self { is_crowded: false, seen: Instant::now(), in_doubt: InDoubt::default() }
    }

    /// Whether notices may be left out.
    pub(crate) fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// The queue is this full (1: full) at `snapshot`. Returns the gap that this means: once when it gets crowded, again
    /// when it no longer is, and when transactions end that may have left something out.
    pub(crate) fn measure(&mut self, usage: f64, snapshot: &PgSnapshot) -> Option<Gap> {
        let was_unseen = self.seen.elapsed() > LONGEST_PAUSE;
        let was_crowded = std::mem::replace(&mut self.is_crowded, usage > CROWDED);
        self.seen = Instant::now();
        if was_crowded || was_unseen {
            self.in_doubt.begin(Gap::Overflow, snapshot);
        }
        let ended = self.in_doubt.ended(snapshot);
        (was_crowded != self.is_crowded || was_unseen).then_some(Gap::Overflow).or(ended)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_crowded_queue_is_a_gap_at_its_beginning_and_its_end() {
        let snapshot = |text: &str| text.parse::<PgSnapshot>().unwrap();
        let mut queue = QueueUsage::new();
        assert_eq!(queue.measure(0.2, &snapshot("5:5:")), None);
        assert_eq!(queue.measure(0.3, &snapshot("5:5:")), Some(Gap::Overflow));
        assert!(queue.is_crowded());
        assert_eq!(queue.measure(0.6, &snapshot("5:6:5")), None);
        assert_eq!(queue.measure(0.1, &snapshot("5:8:5,7")), Some(Gap::Overflow));
        assert!(!queue.is_crowded());
        assert_eq!(queue.measure(0.1, &snapshot("5:9:5,8")), Some(Gap::Overflow), "7 may have left something out");
        assert_eq!(queue.measure(0.1, &snapshot("5:9:5")), None);
        assert_eq!(queue.measure(0.1, &snapshot("9:9:")), Some(Gap::Overflow));
        assert_eq!(queue.measure(0.1, &snapshot("9:9:")), None);
    }

    #[test]
    fn a_queue_that_nobody_looked_at_for_long_is_a_gap() {
        let mut queue = QueueUsage::new();
        queue.seen -= LONGEST_PAUSE * 2;
        assert_eq!(queue.measure(0.0, &PgSnapshot::default()), Some(Gap::Overflow));
        assert_eq!(queue.measure(0.0, &PgSnapshot::default()), None);
    }
}
