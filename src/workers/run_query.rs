//! The jobs behind PGCACHE.QUERY: running a query, and asking what it reads.

use std::sync::Arc;
use std::time::Instant;

use ::postgres::Error as PgError;

use super::accounted::AccountedQuery;
use super::batch::Task;
use super::messages::Message;
use super::worker::{HandOver, Worker};
use crate::cache::{FlightId, PgSnapshot};
use crate::postgres::query::{Discovery, QueryLimits, QueryPlan, QueryRows};
use crate::postgres::rows::load::{Fetched, KeyValues};
use crate::postgres::{query, visibility, Session};

/// Most bytes of one answer: it stands in memory several times on its way to the client.
const MAX_BYTES: usize = 64 << 20;

/// One who asks.
struct Asked<'t> {
    flight: FlightId,
    /// A JSON array.
    params: &'t str,
    deadline: Instant,
    /// Whether it has to say what PostgreSQL showed.
    is_guarded: bool,
}

fn asked(tasks: &[Task]) -> impl Iterator<Item = Asked<'_>> {
    let each = tasks.iter().flat_map(|task| task.keys.iter().map(move |key| (task, key)));
    each.map(|(task, (flight, values)): (&Task, &(FlightId, KeyValues))| {
        let params = values.first().map_or("[]", |params| &**params);
        Asked { flight: *flight, params, deadline: task.deadline, is_guarded: task.is_guarded }
    })
}

impl Worker {
    /// Runs a query once for each of its tasks' parameters, and gives `hand_over` what they bring, some at a time.
    pub(super) fn run_queries(&self, plan: &AccountedQuery, tasks: &[Task], hand_over: HandOver<'_>) {
        let all: Vec<Asked<'_>> = asked(tasks).collect();
        let mut left = &all[..];
        while !left.is_empty() {
            let (some, rest) = left.split_at(plan.together().min(left.len()));
            let began = Instant::now();
            self.run_some(plan, some, hand_over);
            plan.took(began.elapsed(), some.len());
            left = rest;
        }
    }

    /// Runs it for a few who ask: together, where there is more than one, and each by itself when that fails.
    fn run_some(&self, plan: &AccountedQuery, some: &[Asked<'_>], hand_over: HandOver<'_>) {
        let mut is_over = vec![false; some.len()];
        if some.len() > 1 {
            self.run_together(plan, some, &mut |loaded, snapshot| {
                loaded.iter().for_each(|(index, _)| is_over[*index] = true);
                let outcome = |(index, rows): (usize, _)| (some[index].flight, Ok(Fetched::Rows(rows, None)));
                hand_over(loaded.into_iter().map(outcome).collect(), snapshot);
            });
        }
        let left = some.iter().zip(is_over).filter(|(_, is_over)| !is_over);
        left.for_each(|(asked, _)| self.run_query(plan, asked, hand_over));
    }

    fn run_together(
        &self,
        query: &AccountedQuery,
        some: &[Asked<'_>],
        hand_over: &mut dyn FnMut(Vec<(usize, QueryRows)>, Option<PgSnapshot>),
    ) {
        let params: Vec<&str> = some.iter().map(|asked| asked.params).collect();
        let deadline = some.iter().map(|asked| asked.deadline).max().unwrap_or_else(Instant::now);
        let is_guarded = some.iter().any(|asked| asked.is_guarded);
        let ran = self.with_session(deadline, |session| {
            session.use_vocabulary(query.vocabulary);
            let snapshot = visibility::look(session, is_guarded)?;
            let mut hand_over = |loaded| hand_over(loaded, snapshot.clone());
            query::run_together(session, &query.plan, &params, self.limits(), &mut hand_over)
        });
        if let Err(failure) = ran {
            log::debug!("runs of {} in one transaction failed: {failure:?}", query.plan.title);
        }
    }

    fn limits(&self) -> QueryLimits {
        QueryLimits { max_rows: self.settings.get().max_query_rows, max_bytes: MAX_BYTES }
    }

    fn run_query(&self, query: &AccountedQuery, asked: &Asked<'_>, hand_over: HandOver<'_>) {
        let ran = self.with_session(asked.deadline, |session| {
            session.use_vocabulary(query.vocabulary);
            let snapshot = visibility::look(session, asked.is_guarded)?;
            let mut early = |rows| hand_over(vec![(asked.flight, Ok(Fetched::Rows(rows, None)))], snapshot.clone());
            let ran = query::run(session, &query.plan, asked.params, self.limits(), query.is_plain, &mut early)?;
            match ran {
                Ok(Some(rows)) => self.accounted(session, query, rows).map(|fetched| Some((Ok(fetched), snapshot))),
                Ok(None) => Ok(None),
                Err(error) => Ok(Some((Err(error), None))),
            }
        });
        let late = ran.unwrap_or_else(|failure| Some((Err(failure.into_error(&query.plan.title)), None)));
        if let Some((outcome, snapshot)) = late {
            hand_over(vec![(asked.flight, outcome)], snapshot);
        }
    }

    /// `rows`, with what is to be known of the relations that were read and are not accounted for.
    fn accounted(&self, session: &mut Session, query: &AccountedQuery, rows: QueryRows) -> Result<Fetched, PgError> {
        let unknown = query.unknown(&rows.relations);
        if unknown.is_empty() {
            return Ok(Fetched::Rows(rows, None));
        }
        let asked = Instant::now();
        let description = query::describe_relations(session, &unknown, self.source.settings().invalidation)?;
        Ok(Fetched::Rows(rows, Some(Box::new(Discovery { description, asked }))))
    }

    /// Tells what a query reads.
    pub(super) fn describe_query(&self, plan: Arc<QueryPlan>) {
        let (invalidation, asked) = (self.source.settings().invalidation, Instant::now());
        let deadline = asked + self.settings.get().load_timeout;
        let described = self.with_session(deadline, |session| query::describe(session, &plan.sql, invalidation));
        let result = described.unwrap_or_else(|failure| Err(failure.into_error(&plan.title)));
        self.sender.send(Message::QueryDescribed { source: self.index, plan, result, asked });
    }
}
