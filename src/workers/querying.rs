//! The errands behind PGCACHE.QUERY: running a query, and asking what it reads.

use std::sync::Arc;
use std::time::Instant;

use super::accounted::AccountedQuery;
use super::errand::Errands;
use super::group::Task;
use super::mail::Message;
use crate::cache::error::Error;
use crate::cache::flight::FlightId;
use crate::postgres::load::{Fetched, KeyValues};
use crate::postgres::query::{self, Discovery, QueryLimits, QueryPlan, QueryRows};

/// Most bytes of one answer: it stands in memory several times on its way to the client.
const MAX_BYTES: usize = 64 << 20;

/// One who asks.
struct Asked<'t> {
    flight: FlightId,
    /// A JSON array.
    params: &'t str,
    deadline: Instant,
}

fn asked(tasks: &[Task]) -> impl Iterator<Item = Asked<'_>> {
    let each = tasks.iter().flat_map(|task| task.keys.iter().map(|key| (task.deadline, key)));
    each.map(|(deadline, (flight, values)): (Instant, &(FlightId, KeyValues))| {
        let params = values.first().map_or("[]", |params| &**params);
        Asked { flight: *flight, params, deadline }
    })
}

impl Errands {
    /// Runs a query once for each of its tasks' parameters.
    pub(super) fn run_queries(
        &self,
        plan: &AccountedQuery,
        tasks: &[Task],
    ) -> Vec<(FlightId, Result<Fetched, Error>)> {
        let all: Vec<Asked<'_>> = asked(tasks).collect();
        let mut outcomes = Vec::with_capacity(all.len());
        let mut left = &all[..];
        while !left.is_empty() {
            let (some, rest) = left.split_at(plan.together().min(left.len()));
            let began = Instant::now();
            outcomes.extend(self.run_some(plan, some));
            plan.took(began.elapsed(), some.len());
            left = rest;
        }
        outcomes
    }

    /// Runs it for a few who ask: together, where there is more than one, and by itself whatever came to nothing so.
    fn run_some(&self, plan: &AccountedQuery, some: &[Asked<'_>]) -> Vec<(FlightId, Result<Fetched, Error>)> {
        let together = if some.len() > 1 { self.run_together(plan, some) } else { vec![None; some.len()] };
        let outcome = |(asked, rows): (&Asked<'_>, Option<QueryRows>)| match rows {
            Some(rows) => (asked.flight, Ok(Fetched::Rows(rows, None))),
            None => (asked.flight, self.run_query(plan, asked.params, asked.deadline)),
        };
        some.iter().zip(together).map(outcome).collect()
    }

    fn run_together(&self, query: &AccountedQuery, some: &[Asked<'_>]) -> Vec<Option<QueryRows>> {
        let params: Vec<&str> = some.iter().map(|asked| asked.params).collect();
        let deadline = some.iter().map(|asked| asked.deadline).max().unwrap_or_else(Instant::now);
        let ran = self.with_session(deadline, |session| {
            session.use_vocabulary(query.vocabulary);
            query::run_together(session, &query.plan, &params, self.limits())
        });
        ran.unwrap_or_else(|_| vec![None; some.len()])
    }

    fn limits(&self) -> QueryLimits {
        QueryLimits { max_rows: self.settings.get().max_query_rows, max_bytes: MAX_BYTES }
    }

    fn run_query(&self, query: &AccountedQuery, params: &str, deadline: Instant) -> Result<Fetched, Error> {
        let limits = self.limits();
        let invalidation = self.source.settings().invalidation;
        let ran = self.with_session(deadline, |session| {
            session.use_vocabulary(query.vocabulary);
            let rows = match query::run(session, &query.plan, params, limits, query.is_plain)? {
                Ok(rows) => rows,
                Err(error) => return Ok(Err(error)),
            };
            let unknown = query.unknown(&rows.relations);
            if unknown.is_empty() {
                return Ok(Ok(Fetched::Rows(rows, None)));
            }
            let asked = Instant::now();
            let description = query::describe_relations(session, &unknown, invalidation)?;
            Ok(Ok(Fetched::Rows(rows, Some(Box::new(Discovery { description, asked })))))
        });
        ran.map_err(|failure| failure.into_error(&query.plan.title))?
    }

    /// Tells what a query reads.
    pub(super) fn describe_query(&self, plan: Arc<QueryPlan>) {
        let (invalidation, asked) = (self.source.settings().invalidation, Instant::now());
        let deadline = asked + self.settings.get().load_timeout;
        let described =
            self.with_session(deadline, |session| query::describe(session, &plan.sql, invalidation));
        let result = described.unwrap_or_else(|failure| Err(failure.into_error(&plan.title)));
        self.postbox.send(Message::QueryDescribed { source: self.index, plan, result, asked });
    }
}
