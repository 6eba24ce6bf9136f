//! A question to the catalog, on a connection that has nothing set.

use ::postgres::types::ToSql;
use ::postgres::{Client, Error, Row};

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
    let rows = transaction.query(sql, parameters)?;
    transaction.commit()?;
    Ok(rows)
}
