//! Running a plain query for several who ask at once: in one transaction, because beginning and ending one costs as much as a quick query.

use ::postgres::types::ToSql;
use ::postgres::{Error as PgError, Row, Statement};

use super::parameters::{Parameters, Text};
use super::plan::{QueryLimits, QueryPlan};
use super::rows::Rows;
use super::run::{parameters, prepare, QueryRows};
use super::statement::{check, wrapped};
use crate::postgres::client::{Request, What};
use crate::postgres::error::is_lost;
use crate::postgres::{isolation, Session};

/// Whoever asks, with parameters that fit.
struct Asker<'q> {
    /// Position among all that ask.
    index: usize,
    params: Parameters<'q>,
    texts: Vec<Text>,
    rows: Rows<'q>,
}

/// Runs `plan`, a query that was described as plain, with each of `all`, JSON arrays of parameters, in one read-only transaction that is
/// rolled back. `None` for whatever did not go well: that is run by itself, which tells why.
///
/// # Errors
/// That the connection is lost.
pub fn run_together(
    session: &mut Session,
    plan: &QueryPlan,
    all: &[&str],
    limits: QueryLimits,
) -> Result<Vec<Option<QueryRows>>, PgError> {
    let nothing = || vec![None; all.len()];
    let sql = wrapped(&plan.sql, limits);
    if session.is_shared() || check(&plan.sql, &plan.title).is_err() {
        return Ok(nothing());
    }
    let statement = match session.prepare_isolated(&sql, |session| prepare(session, plan, &sql)) {
        Err(error) if is_lost(&error) => return Err(error),
        Err(_) => return Ok(nothing()),
        Ok(statement) => statement,
    };
    let askers = askers(plan, all, limits, &statement);
    let mut brought = nothing();
    for (index, rows) in enclosed(session, &statement, askers)? {
        brought[index] = rows;
    }
    Ok(brought)
}

fn askers<'q>(
    plan: &'q QueryPlan,
    all: &[&'q str],
    limits: QueryLimits,
    statement: &Statement,
) -> Vec<Asker<'q>> {
    let asker = |(index, params): (usize, &&'q str)| {
        let params = Parameters::parse(params, &plan.title).ok()?;
        let texts = params.texts(statement.params(), &plan.title).ok()?;
        Some(Asker { index, params, texts, rows: Rows::new(&plan.title, limits) })
    };
    all.iter().enumerate().filter_map(asker).collect()
}

/// What each asker gets, by its position.
fn enclosed(
    session: &mut Session,
    statement: &Statement,
    mut askers: Vec<Asker<'_>>,
) -> Result<Vec<(usize, Option<QueryRows>)>, PgError> {
    let begin = session.isolating();
    let results = {
        let mut takes: Vec<_> = askers.iter_mut().map(|asker| (&asker.texts, &mut asker.rows)).collect();
        let params: Vec<Vec<&(dyn ToSql + Sync)>> =
            takes.iter().map(|(texts, _)| parameters(texts)).collect();
        let mut takes: Vec<_> = takes.iter_mut().map(|(_, rows)| |row: Row| rows.take(&row)).collect();
        let requests = takes.iter_mut().zip(&params);
        let mut requests: Vec<_> =
            requests.map(|(take, params)| Request::new(What::Prepared(statement, params), take)).collect();
        session.roll_back_all(begin, &mut requests, isolation::END)?
    };
    let finished = askers.into_iter().zip(results).map(|(asker, result)| {
        let json = result.and_then(|()| asker.rows.finish().ok());
        let reads_clock = asker.params.read_clock(statement.params());
        let rows = json.map(|json| QueryRows { json, relations: Box::default(), reads_clock });
        (asker.index, rows)
    });
    Ok(finished.collect())
}
