//! Recent latencies: those since they were last asked for.

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

/// Remembers how things stood at the last look.
#[derive(Debug, Default)]
pub struct Recent {
    before: Latencies,
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
        self.before = now;
        since
    }
}
