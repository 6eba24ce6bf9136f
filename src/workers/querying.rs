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
use crate::postgres::query::{self, Discovery, QueryLimits, QueryPlan};

/// Most bytes of one answer: it stands in memory several times on its way to the client.
const MAX_BYTES: usize = 64 << 20;

impl Errands {
    /// Runs a query once for each of its tasks' parameters.
    pub(super) fn run_queries(
        &self,
        plan: &AccountedQuery,
        tasks: &[Task],
    ) -> Vec<(FlightId, Result<Fetched, Error>)> {
        let each = tasks.iter().flat_map(|task| task.keys.iter().map(|key| (task.deadline, key)));
        each.map(|(deadline, (flight, values))| (*flight, self.run_query(plan, values, deadline))).collect()
    }

    fn run_query(
        &self,
        query: &AccountedQuery,
        values: &KeyValues,
        deadline: Instant,
    ) -> Result<Fetched, Error> {
        let limits = QueryLimits { max_rows: self.settings.get().max_query_rows, max_bytes: MAX_BYTES };
        let params = values.first().map_or("[]", |params| &**params);
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
