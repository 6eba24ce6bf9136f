//! Requests for rows: a statement with its parameters, and what takes the rows as they arrive.

use std::cell::Cell;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage, Statement};

/// A parameter, with the type that it is sent as.
pub(crate) type Typed<'p> = (&'p (dyn ToSql + Sync), Type);

/// What is run.
#[derive(Clone, Copy)]
pub(crate) enum What<'r> {
    /// A prepared statement.
    Prepared(&'r Statement, &'r [&'r (dyn ToSql + Sync)]),
    /// A statement without a name.
    Unnamed(&'r str, &'r [Typed<'r>]),
}

/// One of them.
pub(crate) struct Request<'r> {
    what: What<'r>,
    /// Takes a row; returns whether it wants more.
    take: &'r mut dyn FnMut(Row) -> bool,
    /// Whether PostgreSQL has taken the statement with its parameters.
    pub is_bound: bool,
}

/// Called with what came of each request once all are answered.
pub(crate) type OnRows<'a> = &'a mut dyn FnMut(&[Result<(), Error>]);

/// What came of requests and of what enclosed them.
pub(crate) struct Parts {
    /// Of the beginning.
    pub begun: Result<(), Error>,
    /// Of each request.
    pub rows: Vec<Result<(), Error>>,
    /// Of the two parts of the end.
    pub end: [Result<Vec<SimpleQueryMessage>, Error>; 2],
}

impl Parts {
    /// Whether all of them went well.
    ///
    /// # Errors
    /// The first one.
    pub(crate) fn check(self) -> Result<(), Error> {
        let [first, last] = self.end;
        let rows = self.rows.into_iter().collect::<Result<(), _>>();
        self.begun.and(rows).and(first.and(last).map(drop))
    }
}

impl<'r> Request<'r> {
    /// A request for what `what` brings.
    pub(crate) fn new(what: What<'r>, take: &'r mut dyn FnMut(Row) -> bool) -> Self {
        Self { what, take, is_bound: false }
    }

    /// Runs it. Sets `has_enough` when no more rows are wanted.
    pub(crate) async fn run(&mut self, client: &Client, has_enough: &Cell<bool>) -> Result<(), Error> {
        let rows = match self.what {
            What::Prepared(statement, params) => {
                client.query_raw(statement, params.iter().map(|param| *param as &dyn ToSql)).await?
            }
            What::Unnamed(sql, params) => client.query_typed_raw(sql, params.iter().cloned()).await?,
        };
        self.is_bound = true;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            if !(self.take)(row) {
                has_enough.set(true);
                return Ok(());
            }
        }
        Ok(())
    }
}
