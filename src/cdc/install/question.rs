//! A question to the catalog, on a connection that has nothing set.

use ::postgres::types::ToSql;
use ::postgres::{Error, Row};

use super::asking::Asking;
use crate::postgres::connection::client::What;
use crate::postgres::connection::typed::typed;
use crate::postgres::Client;

/// Recursive queries look so expensive to the planner that PostgreSQL would compile them, which takes it seconds. Whoever changes
/// definitions holds locks that a question waits for.
pub(crate) const SETTINGS: &str = "SET LOCAL jit = off; SET LOCAL lock_timeout = '500ms'";

/// Asks `sql` by `client`.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn ask(client: &mut dyn Asking, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
    client.ask(sql, parameters)
}

/// Asks `sql` in a transaction of its own, after which the connection is as it was.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn enclosed(client: &mut Client, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
    // Without a name: behind a pooler it would stay with a server process that others use.
    let begin = format!("BEGIN READ ONLY; {SETTINGS}");
    client.query_enclosed(&begin, What::Unnamed(sql, &typed(parameters)), ["", "ROLLBACK"])
}
