//! Running a plain query for several who ask at once: in one transaction, because beginning and ending one costs as much as a quick query.

use std::sync::Arc;

use ::postgres::{Error as PgError, Row, Statement};

use super::parameters::{Parameters, Text};
use super::plan::{QueryLimits, QueryPlan};
use super::rows::Rows;
use super::run::{parameters, prepare, QueryRows};
use super::statement::{check, wrapped};
use crate::postgres::client::{Parts, Request, What};
use crate::postgres::error::is_lost;
use crate::postgres::{isolation, Session};

/// Whoever asks, with parameters that fit.
struct Asker<'q> {
    /// Position among all that ask.
    index: usize,
    params: Parameters<'q>,
    texts: Vec<Text>,
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
    let askers = askers(plan, all, &statement);
    let results = enclosed(session, &statement, &askers, || Rows::new(&plan.title, limits))?;
    let mut brought = nothing();
    for (asker, json) in askers.iter().zip(results) {
        let reads_clock = asker.params.read_clock(statement.params());
        brought[asker.index] = json.map(|json| QueryRows { json, relations: Box::default(), reads_clock });
    }
    Ok(brought)
}

fn askers<'q>(plan: &QueryPlan, all: &[&'q str], statement: &Statement) -> Vec<Asker<'q>> {
    let asker = |(index, params): (usize, &&'q str)| {
        let params = Parameters::parse(params, &plan.title).ok()?;
        let texts = params.texts(statement.params(), &plan.title).ok()?;
        Some(Asker { index, params, texts })
    };
    all.iter().enumerate().filter_map(asker).collect()
}

/// The rows that each asker gets, as `rows` takes them.
fn enclosed<'r>(
    session: &mut Session,
    statement: &Statement,
    askers: &[Asker<'_>],
    rows: impl Fn() -> Rows<'r>,
) -> Result<Vec<Option<Arc<[u8]>>>, PgError> {
    let mut all: Vec<Rows<'_>> = askers.iter().map(|_| rows()).collect();
    let params: Vec<_> = askers.iter().map(|asker| parameters(&asker.texts)).collect();
    let mut takes: Vec<_> = all.iter_mut().map(|rows| |row: Row| rows.take(&row)).collect();
    let requests = takes.iter_mut().zip(&params);
    let mut requests: Vec<_> =
        requests.map(|(take, params)| Request::new(What::Prepared(statement, params), take)).collect();
    let Parts { begun, rows, end: [_, last] } =
        session.roll_back(session.isolating(), &mut requests, ["", isolation::END])?;
    if let Some(error) = begun.err().into_iter().chain(last.err()).find(is_lost) {
        return Err(error);
    }
    // Without its beginning or its end nothing is known to have run where it should.
    let is_sound = !session.is_closed();
    let finished = all.into_iter().zip(rows);
    Ok(finished
        .map(|(all, result)| result.ok().filter(|()| is_sound).and_then(|()| all.finish().ok()))
        .collect())
}
