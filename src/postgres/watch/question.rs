//! A question to the catalog, on a connection that has nothing set.

use ::postgres::types::ToSql;
use ::postgres::{Client, Error, Row};

use crate::postgres::untyped::typed;

/// Recursive queries look so expensive to the planner that PostgreSQL would compile them, which takes it seconds.
const SETTINGS: &str = "SET LOCAL jit = off";

/// Asks `sql` in a transaction of its own, after which the connection is as it was.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn ask(
    client: &mut Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(SETTINGS)?;
    // Without a name: behind a pooler it would stay with a server process that others use.
    let rows = transaction.query_typed(sql, &typed(parameters))?;
    transaction.commit()?;
    Ok(rows)
}
