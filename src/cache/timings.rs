//! Timings: how long a command waited for a worker, and how long for PostgreSQL.

use std::time::Duration;

/// `time` in whole microseconds.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Where a command's time was spent outside of the server's main thread, in microseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Waiting for a worker.
    pub queue_us: u64,
    /// Waiting for PostgreSQL.
    pub postgres_us: u64,
}

impl Timings {
    /// As much of it as fits into `duration_us`: who joined a load that was under way did not wait for all of it.
    pub fn within(self, duration_us: u64) -> Self {
        let postgres_us = self.postgres_us.min(duration_us);
        Self { postgres_us, queue_us: self.queue_us.min(duration_us - postgres_us) }
    }

    /// The longer of each: the parts of a MULTIREAD are waited for side by side.
    pub fn max(self, other: Self) -> Self {
        Self { queue_us: self.queue_us.max(other.queue_us), postgres_us: self.postgres_us.max(other.postgres_us) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_spent_more_than_the_time_that_passed() {
        let timings = Timings { queue_us: 30, postgres_us: 50 };
        assert_eq!(timings.within(100), timings);
        assert_eq!(timings.within(60), Timings { queue_us: 10, postgres_us: 50 });
        assert_eq!(timings.within(20), Timings { queue_us: 0, postgres_us: 20 });
    }
}
