//! The fingerprints of known relations, as a connection that listens reads them.

use crate::cdc::connection::FeedConnection;
use crate::cdc::Lost;
use crate::postgres::catalog::fingerprint;
use crate::postgres::Texts;

/// The fingerprint of each of `relations` (`pg_class.oid`, and the name as `regclass` prints it); `None` for one that is
/// gone or whose name now means another.
///
/// # Errors
/// What PostgreSQL says.
pub fn compare(connection: &mut FeedConnection, relations: &[(u32, String)]) -> Result<Vec<(u32, Option<i64>)>, Lost> {
    let rows = connection.ask(&fingerprint::question(relations))?;
    let seen = rows.iter().filter_map(|row| {
        let fingerprint = row.text(1).map(str::parse).transpose().ok()?;
        Some((row.text(0)?.parse().ok()?, fingerprint))
    });
    Ok(seen.collect())
}
