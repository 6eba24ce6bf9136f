//! The vocabulary of SQL: functions, operators, casts and types, and a number to find out that they have changed.

use crate::postgres::Session;

/// The query for the number: one row of one column.
pub(crate) const VOCABULARY: &str = include_str!("vocabulary.sql");

/// The number of now, on a connection that loads.
///
/// # Errors
/// What PostgreSQL says.
pub fn read(session: &mut Session) -> Result<i64, ::postgres::Error> {
    let rows = session.query(VOCABULARY, &[])?;
    rows.first().map_or(Ok(0), |row| row.try_get(0))
}
