//! Running a query: its rows as one JSON array, and the relations that it has read.

use std::sync::Arc;

use ::postgres::fallible_iterator::FallibleIterator;
use ::postgres::{Error as PgError, RowIter, Statement};

use super::parameters::{Parameters, Text};
use super::plan::{QueryLimits, QueryPlan};
use super::statement::{check, trimmed, wrapped};
use super::transaction::{abandon, begin, end, forget, Purpose};
use super::trouble::Trouble;
use crate::cache::error::Error;
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

/// Runs `plan` with `params`, a JSON array.
///
/// # Errors
/// Outside what PostgreSQL says, for [`super::super::error_from`] and for whoever looks for another connection; inside
/// errors that are told as they are: a wrong number of parameters, too many rows, `PGBADVALUE`, a statement that is wrong.
pub fn run(
    session: &mut Session,
    plan: &QueryPlan,
    params: &str,
    limits: QueryLimits,
) -> Result<Result<QueryRows, Error>, PgError> {
    run_by(session, plan, params, limits, |query, session| query.run_once(session))
}

/// The same for a query that was described as plain, in a transaction of PostgreSQL's own: one round trip instead of three, without
/// the question for its locks. The relations that it has read are those of its description, so none are told.
///
/// # Errors
/// As for [`run`].
pub fn run_plain(
    session: &mut Session,
    plan: &QueryPlan,
    params: &str,
    limits: QueryLimits,
) -> Result<Result<QueryRows, Error>, PgError> {
    run_by(session, plan, params, limits, |query, session| query.run_alone(session))
}

/// One way to run a query.
type Way = fn(&Query<'_>, &mut Session) -> Result<QueryRows, Trouble>;

fn run_by(
    session: &mut Session,
    plan: &QueryPlan,
    params: &str,
    limits: QueryLimits,
    way: Way,
) -> Result<Result<QueryRows, Error>, PgError> {
    let params = match check(&plan.sql, &plan.title).and_then(|()| Parameters::parse(params, &plan.title)) {
        Ok(params) => params,
        Err(error) => return Ok(Err(error)),
    };
    let query = Query { plan, params, limits, sql: wrapped(&plan.sql, limits.max_rows) };
    match query.run_again(session, way) {
        Ok(rows) => Ok(Ok(rows)),
        Err(trouble) => trouble.told(&plan.title).map(Err),
    }
}

struct Query<'q> {
    plan: &'q QueryPlan,
    params: Parameters<'q>,
    limits: QueryLimits,
    /// What is run.
    sql: String,
}

impl Query<'_> {
    /// Runs it in this way with the statement as it was prepared earlier; prepares it again when the server no longer knows it
    /// or it was prepared for what its tables are no more.
    fn run_again(&self, session: &mut Session, way: Way) -> Result<QueryRows, Trouble> {
        let was_prepared = session.is_prepared(&self.sql);
        match way(self, session) {
            Err(trouble) if was_prepared && !session.is_closed() && is_outdated(&trouble) => {
                session.forget(&self.sql);
                way(self, session)
            }
            result => result,
        }
    }

    fn run_alone(&self, session: &mut Session) -> Result<QueryRows, Trouble> {
        let statement = session.statement(&self.sql).map_err(Trouble::Parse)?;
        let (json, reads_clock) = self.rows_of(session, &statement)?;
        Ok(QueryRows { json, relations: Box::default(), reads_clock })
    }

    fn run_once(&self, session: &mut Session) -> Result<QueryRows, Trouble> {
        match self.rows(session) {
            Ok((json, reads_clock)) => {
                Ok(QueryRows { json, relations: end(session, "").map_err(Trouble::Around)?, reads_clock })
            }
            Err(trouble) => {
                abandon(session, "");
                Err(trouble)
            }
        }
    }

    /// The rows, and whether the parameters read the clock.
    fn rows(&self, session: &mut Session) -> Result<(Arc<[u8]>, bool), Trouble> {
        let statement = self.statement(session)?;
        self.rows_of(session, &statement)
    }

    fn rows_of(&self, session: &mut Session, statement: &Statement) -> Result<(Arc<[u8]>, bool), Trouble> {
        let texts = self.params.texts(statement.params(), &self.plan.title)?;
        let result = self.stream(session, statement, &texts);
        if let Err(trouble) = &result {
            trouble.cause().into_iter().for_each(|error| session.note(error));
        }
        Ok((result?, self.params.read_clock(statement.params())))
    }

    /// Begins the transaction, with the statement prepared. By itself the client's SQL has to be one statement before it
    /// may become a part of ours.
    fn statement(&self, session: &mut Session) -> Result<Statement, Trouble> {
        if session.is_prepared(&self.sql) {
            begin(session, Purpose::Run).map_err(Trouble::Around)?;
            return session.statement(&self.sql).map_err(Trouble::Parse);
        }
        begin(session, Purpose::Prepare).map_err(Trouble::Around)?;
        session.prepare_once(trimmed(&self.plan.sql)).map_err(Trouble::Parse)?;
        let statement = session.statement(&self.sql).map_err(Trouble::Parse)?;
        forget(session).map_err(Trouble::Around)?;
        Ok(statement)
    }

    fn stream(
        &self,
        session: &mut Session,
        statement: &Statement,
        texts: &[Text],
    ) -> Result<Arc<[u8]>, Trouble> {
        let rows = session.stream(statement, texts).map_err(|error| match texts {
            // Without parameters only planning can have failed.
            [] => Trouble::Run(error),
            _ => Trouble::Bind(error),
        })?;
        self.collect(rows)
    }

    fn collect(&self, mut rows: RowIter<'_>) -> Result<Arc<[u8]>, Trouble> {
        let mut json = vec![b'['];
        let mut count = 0;
        while let Some(row) = rows.next().map_err(Trouble::Run)? {
            if count == self.limits.max_rows {
                return Err(self.too_many_rows().into());
            }
            if count > 0 {
                json.push(b',');
            }
            json.extend_from_slice(row.try_get::<_, &str>(0).map_err(Trouble::Run)?.as_bytes());
            // With the bracket that is still to come.
            if json.len() >= self.limits.max_bytes {
                return Err(self.too_many_bytes().into());
            }
            count += 1;
        }
        json.push(b']');
        Ok(json.into())
    }

    fn too_many_rows(&self) -> Error {
        let (title, rows) = (&self.plan.title, self.limits.max_rows);
        Error::malformed(format!(
            "{title} returns more than {rows} rows: add a LIMIT or raise max_query_rows"
        ))
    }

    fn too_many_bytes(&self) -> Error {
        let (title, bytes) = (&self.plan.title, self.limits.max_bytes);
        Error::malformed(format!("{title} returns more than {bytes} bytes"))
    }
}

/// 26000: no such prepared statement. XX000: a parameter's type is gone. Else what its tables were may be at fault.
fn is_outdated(trouble: &Trouble) -> bool {
    trouble.cause().is_some_and(|error| {
        let code = error.code().map(|code| code.code());
        matches!(code, Some("26000" | "XX000")) || means_catalog_changed(error)
    })
}
