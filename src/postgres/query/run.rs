//! Running a query: its rows as one JSON array, and the relations that it has read.

use std::cell::RefCell;
use std::slice;
use std::sync::Arc;

use ::postgres::types::ToSql;
use ::postgres::{Error as PgError, Row, Statement};

use super::error::QueryError;
use super::parameters::{Parameters, Text};
use super::plan::{QueryLimits, QueryPlan};
use super::rows::Rows;
use super::statement::{check, trimmed, wrapped};
use super::transaction::{abandon, begin, beginning, end, forget, relations, LOCKED};
use crate::cache::Error;
use crate::postgres::connection::client::{Request, What};
use crate::postgres::connection::isolation;
use crate::postgres::{means_catalog_changed, Session};

/// What a query brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRows {
    /// The rows, as `row_to_json` writes them, in an array.
    pub json: Arc<[u8]>,
    /// The relations (`pg_class.oid`) that were locked while it ran, whatever their kind: everything it has read. Sorted,
    /// each once.
    pub relations: Box<[u32]>,
    /// Whether a parameter means something else at another time, as `today` does for a date.
    pub reads_clock: bool,
}

/// Runs `plan` with `params`, a JSON array, in a read-only transaction that is rolled back.
///
/// Of a query that was described as plain the description says what it reads, so that no relations are told. Its rows are given to
/// `hand_over` before the transaction has ended, and `None` is returned: whoever asked need not wait for that.
///
/// # Errors
/// Outside what PostgreSQL says, for [`super::super::error_from`] and for whoever looks for another connection; inside
/// errors that are told as they are: a wrong number of parameters, too many rows, `PGBADVALUE`, a statement that is wrong.
pub fn run(
    session: &mut Session,
    plan: &QueryPlan,
    params: &str,
    limits: QueryLimits,
    is_plain: bool,
    hand_over: &mut dyn FnMut(QueryRows),
) -> Result<Result<Option<QueryRows>, Error>, PgError> {
    let params = match check(&plan.sql, &plan.title).and_then(|()| Parameters::parse(params, &plan.title)) {
        Ok(params) => params,
        Err(error) => return Ok(Err(error)),
    };
    let query = Query { plan, params, limits, sql: wrapped(&plan.sql, limits), is_plain };
    match query.run_again(session, hand_over) {
        Ok(rows) => Ok(Ok(rows)),
        Err(error) => error.told(&plan.title).map(Err),
    }
}

struct Query<'q> {
    plan: &'q QueryPlan,
    params: Parameters<'q>,
    limits: QueryLimits,
    /// What is run.
    sql: String,
    /// Whether its description says what it reads.
    is_plain: bool,
}

impl Query<'_> {
    /// Runs it with the statement as it was prepared earlier; prepares it again when the server no longer knows it or it was
    /// prepared for what its tables are no more.
    fn run_again(
        &self,
        session: &mut Session,
        hand_over: &mut dyn FnMut(QueryRows),
    ) -> Result<Option<QueryRows>, QueryError> {
        let was_prepared = session.is_prepared(&self.sql);
        match self.run_once(session, hand_over) {
            Err(error) if was_prepared && !session.is_closed() && is_outdated(&error) => {
                session.forget(&self.sql);
                self.run_once(session, hand_over)
            }
            result => result,
        }
    }

    fn run_once(
        &self,
        session: &mut Session,
        hand_over: &mut dyn FnMut(QueryRows),
    ) -> Result<Option<QueryRows>, QueryError> {
        if session.is_shared() {
            return self.run_shared(session).map(Some);
        }
        let prepared = session.prepare_isolated(&self.sql, |session| prepare(session, self.plan, &self.sql));
        let statement = prepared.map_err(QueryError::Parse)?;
        let texts = self.params.texts(statement.params(), &self.plan.title)?;
        let (begin, locked) = match self.is_plain {
            true => (session.isolating().to_owned(), ""),
            false => (beginning(session), LOCKED),
        };
        let reads_clock = self.params.read_clock(statement.params());
        let rows = RefCell::new(Rows::new(&self.plan.title, self.limits));
        let mut is_handed_over = false;
        let mut take = |row: Row| rows.borrow_mut().take(&row);
        let mut on_rows = |results: &[Result<(), PgError>]| {
            let is_whole = self.is_plain && results.iter().all(Result::is_ok);
            if let Some(json) = is_whole.then(|| rows.borrow_mut().whole()).flatten() {
                hand_over(QueryRows { json, relations: Box::default(), reads_clock });
                is_handed_over = true;
            }
        };
        let params = parameters(&texts);
        let mut request = Request::new(What::Prepared(&statement, &params), &mut take);
        let end = [locked, isolation::END];
        let parts = session.roll_back(&begin, slice::from_mut(&mut request), end, &mut on_rows);
        if is_handed_over {
            return Ok(None);
        }
        let is_bound = request.is_bound || texts.is_empty();
        let json = rows.into_inner().finish()?;
        let parts = parts.map_err(QueryError::Around)?;
        parts.begun.map_err(QueryError::Around)?;
        let rows = parts.rows.into_iter().collect::<Result<(), _>>();
        rows.map_err(|error| trouble_of(error, is_bound))?;
        let [locks, last] = parts.end;
        last.map_err(QueryError::Around)?;
        let relations = relations(&locks.map_err(QueryError::Around)?);
        Ok(Some(QueryRows { json, relations, reads_clock }))
    }

    /// The same in a session whose server process is others' too: prepared in the transaction, step by step.
    fn run_shared(&self, session: &mut Session) -> Result<QueryRows, QueryError> {
        let rows = self.rows_in_steps(session);
        match rows {
            Ok((json, reads_clock)) => {
                Ok(QueryRows { json, relations: end(session, "").map_err(QueryError::Around)?, reads_clock })
            }
            Err(error) => {
                abandon(session);
                Err(error)
            }
        }
    }

    /// The rows, and whether the parameters read the clock.
    fn rows_in_steps(&self, session: &mut Session) -> Result<(Arc<[u8]>, bool), QueryError> {
        begin(session).map_err(QueryError::Around)?;
        let statement = prepare(session, self.plan, &self.sql).map_err(QueryError::Parse)?;
        forget(session).map_err(QueryError::Around)?;
        let texts = self.params.texts(statement.params(), &self.plan.title)?;
        let mut rows = Rows::new(&self.plan.title, self.limits);
        let mut take = |row: Row| rows.take(&row);
        let params = parameters(&texts);
        let mut request = Request::new(What::Prepared(&statement, &params), &mut take);
        let streamed = session.stream(&mut request);
        let is_bound = request.is_bound || texts.is_empty();
        let json = rows.finish()?;
        streamed.map_err(|error| trouble_of(error, is_bound))?;
        Ok((json, self.params.read_clock(statement.params())))
    }
}

/// Prepares `sql`, what is run for `plan`. By itself the client's SQL has to be one statement before it may become a part of ours.
pub(super) fn prepare(session: &mut Session, plan: &QueryPlan, sql: &str) -> Result<Statement, PgError> {
    session.prepare_once(trimmed(&plan.sql))?;
    session.statement(sql)
}

pub(super) fn parameters(texts: &[Text]) -> Vec<&(dyn ToSql + Sync)> {
    texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect()
}

/// Input functions are run before anything else: without parameters only the statement can have failed.
fn trouble_of(error: PgError, is_bound: bool) -> QueryError {
    match is_bound {
        true => QueryError::Run(error),
        false => QueryError::Bind(error),
    }
}

/// 26000: no such prepared statement. XX000: a parameter's type is gone. Else what its tables were may be at fault.
fn is_outdated(error: &QueryError) -> bool {
    error.cause().is_some_and(|error| {
        let code = error.code().map(|code| code.code());
        matches!(code, Some("26000" | "XX000")) || means_catalog_changed(error)
    })
}
