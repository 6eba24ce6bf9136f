//! The vocabulary of SQL: functions, operators, casts and types, and a number to find out that they have changed.

use super::line::Line;
use super::Lost;
use crate::postgres::Session;

const VOCABULARY: &str = include_str!("vocabulary.sql");

/// What precedes it in a session of its own.
const SETTINGS: &str = "SET LOCAL statement_timeout = '5s'; SET LOCAL jit = off; ";

/// The number of now, on a connection that loads.
///
/// # Errors
/// What PostgreSQL says.
pub fn read(session: &mut Session) -> Result<i64, ::postgres::Error> {
    let rows = session.query(VOCABULARY, &[])?;
    rows.first().map_or(Ok(0), |row| row.try_get(0))
}

/// The same on a connection that listens.
///
/// # Errors
/// What PostgreSQL says.
pub fn ask(line: &mut Line) -> Result<i64, Lost> {
    let rows = line.ask(&format!("{SETTINGS}{VOCABULARY}"))?;
    let number = rows.iter().find_map(|row| row.get(0)?.parse().ok());
    number.ok_or_else(|| Lost("PostgreSQL did not say which functions and types there are".into()))
}
