//! Barriers: clients that wait until everything that was committed before they asked has been applied here.

use std::time::Instant;

use crate::cache::{Answer, Error, ErrorKind, Reply, Timings, Value, WaiterId};
use crate::clock::Tick;
use crate::engine::catalog::sources::queue_is_full;
use crate::engine::host::{Callback, Host};
use crate::engine::{Caller, Engine, Store};
use crate::settings::Invalidation;
use crate::workers::SourceIndex;

/// One client that waits.
#[derive(Debug)]
pub struct Barrier {
    /// Who waits.
    pub waiter: WaiterId,
    source: SourceIndex,
    /// A heartbeat that is sent from then on has everything behind it that the client has seen committed.
    called: Instant,
    /// The same moment, for what the client is told.
    pub asked: Tick,
    deadline_ms: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Barriers(Vec<Barrier>);

impl Barriers {
    /// Takes out those that a heartbeat of `source` passes which was sent at `sent`.
    fn passed(&mut self, source: SourceIndex, sent: Instant) -> Vec<Barrier> {
        self.take(|barrier| barrier.source == source && barrier.called <= sent)
    }

    /// Takes out those that have waited until `now_ms` for too long.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Barrier> {
        self.take(|barrier| barrier.deadline_ms <= now_ms)
    }

    fn take(&mut self, is_taken: impl Fn(&Barrier) -> bool) -> Vec<Barrier> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(is_taken);
        self.0 = left;
        taken
    }
}

impl<H: Host> Engine<H> {
    /// Has the client of `ctx` wait until everything that is committed in `source` by now has been applied, for `timeout_ms`
    /// or `load_timeout_ms`.
    pub fn barrier(
        &mut self,
        ctx: H::Context<'_>,
        source: SourceIndex,
        timeout_ms: Option<u64>,
    ) -> Result<Answer, Error> {
        let is_told = self.freshness.leases.get(source).is_some_and(|known| known.mode != Invalidation::Off);
        if !is_told {
            let name = self.sources.name(source);
            return Err(Error::malformed(format!("source {name} tells of no changes: invalidation is off")));
        }
        let active = self.sources.get(source).ok_or_else(queue_is_full)?;
        active.refuse_if_down()?;
        if ctx.denies_blocking() {
            let text = "PGCACHE.BARRIER waits for PostgreSQL, which a command in MULTI, a script or a function cannot";
            return Err(Error::new(ErrorKind::Miss, text));
        }
        let now_ms = ctx.monotonic_ms();
        let deadline_ms = timeout_ms.map_or_else(|| self.load_deadline_ms(now_ms), |ms| now_ms.saturating_add(ms));
        let waiter = Caller::server(ctx).wait(self, ctx)?;
        let barrier = Barrier { waiter, source, called: Instant::now(), asked: Tick::now(), deadline_ms };
        self.requests.barriers.0.push(barrier);
        // After that moment, so that the heartbeat is.
        self.sources.get(source).into_iter().for_each(|active| active.known.beat.urge());
        Ok(Answer::Blocked(waiter))
    }

    /// A heartbeat that was sent at `sent` has come back, and everything that was told before it has been applied.
    pub fn pass_barriers(&mut self, source: SourceIndex, sent: Instant) {
        for Barrier { waiter, asked, .. } in self.requests.barriers.passed(source, sent) {
            let waited_us = i64::try_from(asked.elapsed_us()).unwrap_or(i64::MAX);
            self.requests.waiters.resume(waiter, Timings::catalog(asked));
            self.requests.waiters.answer(waiter, Reply::Value(Value::Integer(waited_us)));
        }
    }
}

/// `PGTIMEOUT`.
pub fn not_passed() -> Error {
    let text =
        "not all changes that were committed before PGCACHE.BARRIER were applied in time: try again, or give it longer";
    Error::new(ErrorKind::Timeout, text)
}
