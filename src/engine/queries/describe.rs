//! Describing queries: what PostgreSQL says that they read, and the commands that wait for that.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Answer, WaiterId};
use crate::cache::{Error, ErrorKind, TableDefinition};
use crate::engine::catalog::sources::queue_is_full;
use crate::engine::requests::questions::Questions;
use crate::engine::{Caller, Engine, Store, Table};
use crate::postgres::query::{Discovery, NamedRelation, QueryDescription, QueryPlan};
use crate::server::clock::monotonic_ms;
use crate::server::{Context, User};
use crate::workers::accounted::AccountedQuery;
use crate::workers::{Job, SourceIndex};

use super::ask::Wanted;
use super::{Query, Request};

/// The queries that PostgreSQL is being asked about.
pub(in crate::engine) type Descriptions = Questions<(SourceIndex, Arc<QueryPlan>), PendingQuery>;

/// A command that waits for that.
#[derive(Debug)]
pub(in crate::engine) struct PendingQuery {
    caller: Caller,
    request: Request,
    wanted: Wanted,
}

impl PendingQuery {
    /// Who waits.
    pub fn waiter(&self) -> Option<WaiterId> {
        self.caller.waiter
    }
}

impl Engine {
    /// Has PostgreSQL asked what the query reads, unless it is being asked, and goes on with `request` then.
    pub(super) fn await_description(
        &mut self,
        ctx: Context<'_>,
        request: &Request,
        wanted: Wanted,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let waiter = caller.wait(self, ctx)?;
        let client = caller.client;
        let caller = std::mem::replace(caller, Caller { waiter: Some(waiter), user: User::server(), client });
        let pending = PendingQuery { caller, request: request.clone(), wanted };
        let plan = Arc::new(QueryPlan { sql: (*request.sql).into(), title: request.title.clone() });
        let key = (request.source, plan);
        let Err(pending) = self.queries.descriptions.join(&key, pending) else {
            return Ok(Answer::Blocked(waiter));
        };
        let active = self.sources.get(request.source).ok_or_else(queue_is_full)?;
        active.push_job(Job::DescribeQuery(Arc::clone(&key.1)), self.settings.get().queue_limit)?;
        self.queries.descriptions.ask(key, pending, self.load_deadline_ms(monotonic_ms()));
        Ok(Answer::Blocked(waiter))
    }

    /// PostgreSQL has said what a query reads, or why it cannot be run.
    pub fn query_described(
        &mut self,
        ctx: Context<'_>,
        source: SourceIndex,
        plan: &Arc<QueryPlan>,
        result: Result<QueryDescription, Error>,
        asked: Instant,
    ) {
        let key = (source, Arc::clone(plan));
        // The answer to a question that was given up is none to the same question, asked later.
        if !self.queries.descriptions.find(&key).is_some_and(|(_, asked)| Arc::ptr_eq(asked, plan)) {
            return;
        }
        let waiting = self.queries.descriptions.answered(&key).unwrap_or_default();
        let Some(stem) = waiting.first().map(|pending| Rc::clone(&pending.request.stem)) else { return };
        let result = result.and_then(|described| self.enter_query(ctx, source, stem, plan, described, asked));
        for PendingQuery { mut caller, request, wanted } in waiting {
            let Some(waiter) = caller.waiter.filter(|waiter| self.requests.waiters.is_waiting(*waiter)) else {
                continue;
            };
            match &result {
                Err(error) => self.fail(waiter, error.clone()),
                Ok(()) => {
                    let answer = self.query(ctx, &request, wanted, &mut caller);
                    self.conclude(&caller, answer);
                }
            }
        }
    }

    /// Enters a query in the memo, and the tables that it reads in theirs: their changes are heard from now on.
    fn enter_query(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        stem: Rc<str>,
        plan: &Arc<QueryPlan>,
        described: QueryDescription,
        asked: Instant,
    ) -> Result<(), Error> {
        self.check_named(source, &described, &plan.title)?;
        let QueryDescription { tables, relations, untracked, is_plain, vocabulary, .. } = described;
        let allowed: Result<Vec<TableDefinition>, Error> =
            tables.into_iter().map(|table| self.allowed(source, table)).collect();
        let tables = self.enter_all(store, source, allowed?, asked);
        let since = self.queries.clock.next();
        let accounted = AccountedQuery::new(Arc::clone(plan), is_plain, vocabulary);
        let query = Rc::new(Query::new(source, stem, accounted, since));
        query.add(&tables, &relations, untracked);
        self.queries.remember(&query);
        Ok(())
    }

    /// `NOPERM` unless `allow_tables` opens every relation that the query names, and it is known to name all that it reads.
    fn check_named(&self, source: SourceIndex, described: &QueryDescription, title: &str) -> Result<(), Error> {
        for NamedRelation { schema, relation, display } in &described.named {
            self.check_allowed(source, schema, relation, display)?;
        }
        let settings = self.settings.get();
        let is_limited = settings.sources.get(source).is_some_and(|source| source.allow_tables.is_limited());
        if is_limited && described.runs_code {
            let text = format!(
                "{title} calls what may hide which tables it reads, so that allow_tables does not let it: {}",
                described.untracked.join("; ")
            );
            return Err(Error::new(ErrorKind::Denied, text));
        }
        Ok(())
    }

    fn enter_all(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        definitions: Vec<TableDefinition>,
        asked: Instant,
    ) -> Vec<Rc<Table>> {
        let enter = |definition| self.enter(store, source, Arc::new(definition), asked);
        let tables = definitions.into_iter().map(enter).collect();
        self.update_known_relations(source);
        tables
    }

    /// A run has read relations that planning did not show: functions did. From now on their changes are heard; `NOPERM` when
    /// one of them is not allowed.
    pub(super) fn account_for(&mut self, store: impl Store, query: &Query, discovery: Discovery) -> Result<(), Error> {
        let Discovery { description, asked } = discovery;
        let QueryDescription { tables, relations, untracked, .. } = description;
        let allowed: Result<Vec<TableDefinition>, Error> =
            tables.into_iter().map(|table| self.allowed(query.source, table)).collect();
        let tables = self.enter_all(store, query.source, allowed?, asked);
        query.add(&tables, &relations, untracked);
        Ok(())
    }
}

impl Query {
    /// What events call it: its name, or the digest of its statement.
    pub fn name(&self) -> &str {
        let stem = self.stem.strip_suffix(':').unwrap_or(&self.stem);
        stem.rsplit_once(':').map_or(stem, |(_, name)| name)
    }
}
