//! Scheduling noise: how late a thread wakes that only wanted to sleep for a millisecond.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::ages::Ages;
use super::clock::{Clock, Nanos, MILLISECOND};

/// A change passes from the writer's process to the one that notifies, to the module's thread that listens, to the
/// server's main thread, and its reader has to wake as well.
const HANDS: u64 = 4;

/// What the control thread saw.
#[derive(Debug, Default)]
pub struct Noise {
    /// Times at which the thread should have run and did not, in order; they do not overlap.
    late: Vec<(Nanos, Nanos)>,
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
    }

    /// What nobody can be blamed for in this stretch of time: all lateness, but only so often the worst of it as
    /// there are threads on the way of a change.
    pub fn within(&self, from: Nanos, to: Nanos) -> Nanos {
        let first = self.late.partition_point(|(_, woke)| *woke < from);
        let part = |(due, woke): &(Nanos, Nanos)| (*woke).min(to).saturating_sub((*due).max(from));
        let late = self.late[first..].iter().take_while(|(due, _)| *due < to).map(part);
        let (sum, worst) = late.fold((0, 0), |(sum, worst), late| (sum + late, worst.max(late)));
        sum.min(worst * HANDS)
    }

    /// How late it woke, each time.
    pub fn ages(&self) -> Ages {
        self.late.iter().map(|(due, woke)| woke - due).collect()
    }
}
