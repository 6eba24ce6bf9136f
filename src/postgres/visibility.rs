//! Which transactions a session sees.

use super::Session;
use crate::cache::PgSnapshot;

/// Of the session's own moment: it writes nothing, so that whatever it reads later shows at least as much.
const SNAPSHOT: &str = "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text";

/// The transactions that have ended by now, as whatever `session` reads from now on shows, if `is_wanted`.
///
/// # Errors
/// What PostgreSQL says.
pub fn look(session: &mut Session, is_wanted: bool) -> Result<Option<PgSnapshot>, ::postgres::Error> {
    if !is_wanted {
        return Ok(None);
    }
    let rows = session.query(SNAPSHOT, &[])?;
    let text: Option<&str> = rows.first().map(|row| row.try_get(0)).transpose()?;
    Ok(text.and_then(|text| text.parse().ok()))
}
