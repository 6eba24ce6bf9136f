//! Timings: where the time of a command went whose client has waited.

use std::time::Duration;

use crate::clock::Tick;

/// `time` in whole microseconds.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Where the time went, in microseconds. What is left of a command's duration is time in which the main thread did something
/// else first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Waiting for a worker, for a load.
    pub queue_us: u64,
    /// Waiting for PostgreSQL, for a load.
    pub postgres_us: u64,
    /// Waiting for what PostgreSQL says of a table or a query, or for what `PGCACHE.WATCH` does there.
    pub catalog_us: u64,
    /// At work for the command on the server's main thread.
    pub main_us: u64,
}

impl Timings {
    /// Those of a command that PostgreSQL's catalog was asked for, at the moment when it answers.
    pub fn catalog(asked: Tick) -> Self {
        Self { catalog_us: asked.elapsed_us(), ..Self::default() }
    }

    /// As much of it as fits into `duration_us`: who joined a load that was under way did not wait for all of it.
    pub fn within(self, duration_us: u64) -> Self {
        let mut left_us = duration_us;
        let mut take = |us: u64| {
            let taken_us = us.min(left_us);
            left_us -= taken_us;
            taken_us
        };
        let (main_us, catalog_us, postgres_us) = (take(self.main_us), take(self.catalog_us), take(self.postgres_us));
        Self { main_us, catalog_us, postgres_us, queue_us: take(self.queue_us) }
    }

    /// The two together: loads are waited for side by side, and the main thread does one thing after the other.
    pub fn and(self, other: Self) -> Self {
        Self {
            queue_us: self.queue_us.max(other.queue_us),
            postgres_us: self.postgres_us.max(other.postgres_us),
            catalog_us: self.catalog_us + other.catalog_us,
            main_us: self.main_us + other.main_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Timings = Timings { queue_us: 30, postgres_us: 50, catalog_us: 10, main_us: 5 };

    #[test]
    fn nobody_has_spent_more_than_the_time_that_passed() {
        assert_eq!(SOME.within(100), SOME);
        assert_eq!(SOME.within(70), Timings { queue_us: 5, ..SOME });
        assert_eq!(SOME.within(20), Timings { queue_us: 0, postgres_us: 5, ..SOME });
        assert_eq!(SOME.within(4), Timings { main_us: 4, ..Timings::default() });
    }

    #[test]
    fn loads_are_waited_for_side_by_side_and_work_adds_up() {
        let other = Timings { queue_us: 40, postgres_us: 20, catalog_us: 1, main_us: 2 };
        assert_eq!(SOME.and(other), Timings { queue_us: 40, postgres_us: 50, catalog_us: 11, main_us: 7 });
    }
}
