//! Running a plain query for several who ask at once: in one transaction, because beginning and ending one costs as much as a quick query.

use std::cell::RefCell;
use std::sync::Arc;

use ::postgres::{Error as PgError, Row, Statement};

use super::parameters::{Parameters, Text};
use super::plan::{QueryLimits, QueryPlan};
use super::rows::Rows;
use super::run::{parameters, prepare, QueryRows};
use super::statement::{check, wrapped};
use crate::postgres::connection::client::{Request, What};
use crate::postgres::connection::isolation;
use crate::postgres::error::is_lost;
use crate::postgres::Session;

/// Whoever asks, with parameters that fit.
struct Asker<'q> {
    /// Position among all that ask.
    index: usize,
    params: Parameters<'q>,
    texts: Vec<Text>,
}

impl Asker<'_> {
    fn brought(&self, json: Arc<[u8]>, statement: &Statement) -> QueryRows {
        let reads_clock = self.params.read_clock(statement.params());
        QueryRows { json, relations: Box::default(), reads_clock }
    }
}

/// Runs `plan`, a query that was described as plain, with each of `all`, JSON arrays of parameters, in one read-only transaction that is
/// rolled back. Gives `hand_over` the rows of each that went well, with its position in `all`, before the transaction has ended. What is
/// not among them is run by itself, which tells why.
///
/// # Errors
/// That the connection is lost before there are rows.
pub fn run_together(
    session: &mut Session,
    plan: &QueryPlan,
    all: &[&str],
    limits: QueryLimits,
    hand_over: &mut dyn FnMut(Vec<(usize, QueryRows)>),
) -> Result<(), PgError> {
    let sql = wrapped(&plan.sql, limits);
    if session.is_shared() || check(&plan.sql, &plan.title).is_err() {
        return Ok(());
    }
    let statement = match session.prepare_isolated(&sql, |session| prepare(session, plan, &sql)) {
        Err(error) if is_lost(&error) => return Err(error),
        Err(_) => return Ok(()),
        Ok(statement) => statement,
    };
    let routing = routing(plan, all, &statement);
    enclosed(session, &statement, &routing, || Rows::new(&plan.title, limits), hand_over)
}

fn routing<'q>(plan: &QueryPlan, all: &[&'q str], statement: &Statement) -> Vec<Asker<'q>> {
    let asker = |(index, params): (usize, &&'q str)| {
        let params = Parameters::parse(params, &plan.title).ok()?;
        let texts = params.texts(statement.params(), &plan.title).ok()?;
        Some(Asker { index, params, texts })
    };
    all.iter().enumerate().filter_map(asker).collect()
}

/// Hands over the rows that each asker gets, as `rows` takes them.
fn enclosed<'r>(
    session: &mut Session,
    statement: &Statement,
    routing: &[Asker<'_>],
    rows: impl Fn() -> Rows<'r>,
    hand_over: &mut dyn FnMut(Vec<(usize, QueryRows)>),
) -> Result<(), PgError> {
    let all: Vec<RefCell<Rows<'_>>> = routing.iter().map(|_| RefCell::new(rows())).collect();
    let params: Vec<_> = routing.iter().map(|asker| parameters(&asker.texts)).collect();
    let mut takes: Vec<_> = all.iter().map(|rows| |row: Row| rows.borrow_mut().take(&row)).collect();
    let requests = takes.iter_mut().zip(&params);
    let mut requests: Vec<_> =
        requests.map(|(take, params)| Request::new(What::Prepared(statement, params), take)).collect();
    let mut has_rows = false;
    let mut on_rows = |results: &[Result<(), PgError>]| {
        let each = routing.iter().zip(&all).zip(results);
        let brought = each.filter_map(|((asker, rows), result)| {
            let json = result.is_ok().then(|| rows.borrow_mut().whole())??;
            Some((asker.index, asker.brought(json, statement)))
        });
        hand_over(brought.collect());
        has_rows = true;
    };
    let parts = session.roll_back(session.isolating(), &mut requests, ["", isolation::END], &mut on_rows);
    match parts.and_then(|parts| parts.begun) {
        Err(error) if !has_rows && is_lost(&error) => Err(error),
        _ => Ok(()),
    }
}
