//! Scheduling noise: how late a thread wakes that only wanted to sleep for a millisecond.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::ages::Ages;
use super::clock::{Clock, Nanos, MILLISECOND};

/// What the control thread saw.
#[derive(Debug, Default)]
pub struct Noise {
    /// Times at which the thread should have run and did not, in order; they do not overlap.
    late: Vec<(Nanos, Nanos)>,
    /// How much lateness there was before each of them.
    before: Vec<Nanos>,
    total: Nanos,
}

impl Noise {
    /// Sleeps and looks at the clock until it is told to stop.
    pub fn measure(clock: Clock, stop: &AtomicBool) -> Self {
        let mut noise = Self::default();
        while !stop.load(Ordering::Relaxed) {
            let due = clock.now() + MILLISECOND;
            sleep(Duration::from_nanos(MILLISECOND));
            noise.add(due, clock.now());
        }
        noise
    }

    /// The thread was due and woke.
    pub fn add(&mut self, due: Nanos, woke: Nanos) {
        self.late.push((due, woke.max(due)));
        self.before.push(self.total);
        self.total += woke.saturating_sub(due);
    }

    /// How much lateness there was in this stretch of time: nobody can be blamed for that much.
    pub fn within(&self, from: Nanos, to: Nanos) -> Nanos {
        self.until(to).saturating_sub(self.until(from))
    }

    fn until(&self, moment: Nanos) -> Nanos {
        let next = self.late.partition_point(|(due, _)| *due < moment);
        let Some(last) = next.checked_sub(1) else { return 0 };
        let (due, woke) = self.late[last];
        self.before[last] + woke.min(moment) - due
    }

    /// How late it woke, each time.
    pub fn ages(&self) -> Ages {
        self.late.iter().map(|(due, woke)| woke - due).collect()
    }
}
