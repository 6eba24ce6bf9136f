//! Recent latencies: those since they were last asked for.

use std::collections::VecDeque;

use super::latency::Latency;

/// The commands' time and its parts.
#[derive(Debug, Default, Clone)]
pub struct Latencies {
    /// From arrival to answer.
    pub command: Latency,
    /// Waiting for a worker.
    pub queue: Latency,
    /// Waiting for PostgreSQL.
    pub postgres: Latency,
    /// The rest.
    pub main: Latency,
    /// Waiting for PostgreSQL's catalog.
    pub catalog: Latency,
}

/// How many looks back "the last seconds" go.
const LOOKS: usize = 10;

/// Remembers how things stood at the last looks.
#[derive(Debug, Default)]
pub struct Recent {
    before: Latencies,
    /// The commands' time at the last [`LOOKS`] looks, the oldest first.
    commands: VecDeque<Latency>,
}

impl Recent {
    /// What was added since the last look. That is from now on when they stand at `now`.
    pub fn look(&mut self, now: Latencies) -> Latencies {
        let since = Latencies {
            command: now.command.since(&self.before.command),
            queue: now.queue.since(&self.before.queue),
            postgres: now.postgres.since(&self.before.postgres),
            main: now.main.since(&self.before.main),
            catalog: now.catalog.since(&self.before.catalog),
        };
        self.commands.push_back(std::mem::replace(&mut self.before, now).command);
        if self.commands.len() > LOOKS {
            self.commands.pop_front();
        }
        since
    }

    /// The time of the commands since [`LOOKS`] looks ago.
    pub fn commands(&self) -> Latency {
        self.commands.front().map_or_else(Latency::default, |oldest| self.before.command.since(oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_are_those_of_the_last_ten_looks() {
        let (mut recent, mut now) = (Recent::default(), Latencies::default());
        for us in 1..=30 {
            now.command.record(us);
            assert_eq!(recent.look(now.clone()).command.percentiles().max_us, us);
        }
        let told = recent.commands().percentiles();
        assert_eq!((told.count, told.p50_us, told.max_us), (10, 25, 30));
    }
}
