//! Commands that wait until PostgreSQL has said what their query reads.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Answer, Error, Timings, WaiterId};
use crate::clock::Tick;
use crate::engine::catalog::sources::queue_is_full;
use crate::engine::host::Host;
use crate::engine::queries::{Request, Wanted};
use crate::engine::requests::questions::Questions;
use crate::engine::{Caller, Engine, Store};
use crate::postgres::query::{QueryDescription, QueryPlan};
use crate::workers::{Job, SourceIndex};

/// The queries that PostgreSQL is being asked about.
pub(super) type Descriptions<H> = Questions<(SourceIndex, Arc<QueryPlan>), PendingQuery<H>>;

/// A command that waits for that.
#[derive(Debug)]
pub(super) struct PendingQuery<H: Host> {
    caller: Caller<H>,
    request: Request,
    wanted: Wanted,
    /// When PostgreSQL was asked.
    pub asked: Tick,
}

impl<H: Host> PendingQuery<H> {
    /// Who waits.
    pub fn waiter(&self) -> Option<WaiterId> {
        self.caller.waiter
    }
}

impl<H: Host> Engine<H> {
    /// Has PostgreSQL asked what the query reads, unless it is being asked, and goes on with `request` then.
    pub fn await_description(
        &mut self,
        ctx: H::Context<'_>,
        request: &Request,
        wanted: Wanted,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error> {
        let waiter = caller.wait(self, ctx)?;
        let pending = PendingQuery { caller: caller.take(), request: request.clone(), wanted, asked: Tick::now() };
        let plan = Arc::new(QueryPlan { sql: (*request.sql).into(), title: request.title.clone() });
        let key = (request.source, plan);
        let Err(pending) = self.requests.descriptions.join(&key, pending) else {
            return Ok(Answer::Blocked(waiter));
        };
        let active = self.sources.get(request.source).ok_or_else(queue_is_full)?;
        active.push_job(Job::DescribeQuery(Arc::clone(&key.1)), self.settings.get().queue_limit)?;
        self.requests.descriptions.ask(key, pending, self.load_deadline_ms(ctx.monotonic_ms()));
        Ok(Answer::Blocked(waiter))
    }

    /// What PostgreSQL is being asked about the first source's query `sql`.
    #[cfg(test)]
    pub fn plan_asked(&self, sql: &str) -> Option<Arc<QueryPlan>> {
        let plan = Arc::new(QueryPlan { sql: sql.into(), title: "the query".into() });
        self.requests.descriptions.find(&(0, plan)).map(|(_, asked)| Arc::clone(asked))
    }

    /// PostgreSQL has said what a query reads, or why it cannot be run.
    pub fn query_described(
        &mut self,
        ctx: H::Context<'_>,
        source: SourceIndex,
        plan: &Arc<QueryPlan>,
        result: Result<QueryDescription, Error>,
        asked: Instant,
    ) {
        let key = (source, Arc::clone(plan));
        // The answer to a question that was given up is none to the same question, asked later.
        if !self.requests.descriptions.find(&key).is_some_and(|(_, asked)| Arc::ptr_eq(asked, plan)) {
            return;
        }
        let waiting = self.requests.descriptions.answered(&key).unwrap_or_default();
        let Some(stem) = waiting.first().map(|pending| Rc::clone(&pending.request.stem)) else { return };
        let result = result.and_then(|described| self.enter_query(ctx, source, stem, plan, described, asked));
        for PendingQuery { mut caller, request, wanted, asked } in waiting {
            let Some(waiter) = caller.waiter.filter(|waiter| self.requests.waiters.is_waiting(*waiter)) else {
                continue;
            };
            self.requests.waiters.resume(waiter, Timings::catalog(asked));
            match &result {
                Err(error) => self.fail(waiter, error.clone()),
                Ok(()) => {
                    let answer = self.query(ctx, &request, wanted, &mut caller);
                    self.conclude(&caller, answer);
                }
            }
            self.requests.waiters.suspend(waiter);
        }
    }
}
