//! The replication slot: from where on PostgreSQL keeps the log for us.

use std::time::Duration;

use crate::cache::{Gap, Lsn};
use crate::cdc::Lost;
use crate::postgres::connection::replication::{Replication, ReplicationError, TextRow};
use crate::settings::SourceSettings;

/// An answer that waits for nobody's transaction takes no longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A new slot waits for transactions under way. PostgreSQL gives up a little sooner, and another attempt follows.
const CREATION_PATIENCE: Duration = Duration::from_secs(7);

/// A slot whose stream can begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its name.
    pub name: String,
    /// Where the stream begins.
    pub start: Lsn,
    /// Why something may have been missed before that.
    pub gap: Option<Gap>,
}

/// What is remembered of the sessions before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// Everything before this position was told; `None`: nobody knows.
    pub told: Option<Lsn>,
    /// Whether the slot keeps too much, and has to be made anew.
    pub keeps_too_much: bool,
}

/// What PostgreSQL says of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    is_ours: bool,
    active: Option<String>,
    is_lost: bool,
    confirmed: Option<Lsn>,
}

/// Finds the slot that `settings` name, or makes one: a temporary one where they name none.
///
/// # Errors
/// What PostgreSQL says; a slot that is another's.
pub(super) fn prepare(
    replication: &mut Replication,
    settings: &SourceSettings,
    before: Before,
) -> Result<Slot, ReplicationError> {
    match &settings.wal_slot {
        None => {
            let name = format!("pgcache_{:016x}", fastrand::u64(..));
            let start = create(replication, &name, true)?;
            Ok(Slot { name, start, gap: Some(Gap::Reconnected) })
        }
        Some(name) => named(replication, name, before),
    }
}

/// The slot that outlives connections.
fn named(replication: &mut Replication, name: &str, before: Before) -> Result<Slot, ReplicationError> {
    let Some(standing) = standing(replication, name)? else {
        let gap = Some(before.told.map_or(Gap::Reconnected, |_| Gap::Recreated));
        return Ok(Slot { name: name.to_owned(), start: create(replication, name, false)?, gap });
    };
    if let Some(objection) = objection(name, &standing) {
        return Err(ReplicationError::protocol(&objection));
    }
    if standing.is_lost || before.keeps_too_much {
        replication.ask(&format!("SELECT pg_catalog.pg_drop_replication_slot('{name}')"), PATIENCE)?;
        let start = create(replication, name, false)?;
        return Ok(Slot { name: name.to_owned(), start, gap: Some(Gap::Trimmed) });
    }
    let confirmed = standing.confirmed.unwrap_or_default();
    Ok(continued(name, confirmed, before.told))
}

/// A slot that goes on where we stopped, unless somebody else has read from it meanwhile.
fn continued(name: &str, confirmed: Lsn, told: Option<Lsn>) -> Slot {
    let name = name.to_owned();
    match told {
        Some(told) if confirmed <= told => Slot { name, start: told, gap: None },
        _ => Slot { name, start: confirmed, gap: Some(Gap::Reconnected) },
    }
}

fn objection(name: &str, standing: &Standing) -> Option<String> {
    if !standing.is_ours {
        return Some(format!(
            "replication slot {name} is for something else than this database's changes by pgoutput: set wal_slot to a name of its own"
        ));
    }
    let process = standing.active.as_ref()?;
    Some(format!(
        "replication slot {name} is in use by PostgreSQL's process {process}: each server needs a wal_slot of its own"
    ))
}

fn standing(replication: &mut Replication, name: &str) -> Result<Option<Standing>, ReplicationError> {
    let sql = format!(
        "SELECT slot_type OPERATOR(pg_catalog.=) 'logical' AND plugin OPERATOR(pg_catalog.=) 'pgoutput'
                AND NOT temporary AND database OPERATOR(pg_catalog.=) pg_catalog.current_database(),
                active_pid, wal_status, confirmed_flush_lsn
           FROM pg_catalog.pg_replication_slots WHERE slot_name OPERATOR(pg_catalog.=) '{name}'"
    );
    let rows = replication.ask(&sql, PATIENCE)?;
    Ok(rows.first().map(|row| Standing {
        is_ours: text(row, 0) == Some("t"),
        active: text(row, 1).map(str::to_owned),
        is_lost: text(row, 2) == Some("lost"),
        confirmed: text(row, 3).and_then(|text| text.parse().ok()),
    }))
}

/// Makes a slot, and returns where its stream begins.
fn create(replication: &mut Replication, name: &str, is_temporary: bool) -> Result<Lsn, ReplicationError> {
    let sql =
        format!("SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot('{name}', 'pgoutput', {is_temporary})");
    let rows = replication.ask(&sql, CREATION_PATIENCE)?;
    let start = rows.first().and_then(|row| text(row, 0)?.parse().ok());
    start.ok_or_else(|| ReplicationError::protocol("a new slot has no position"))
}

fn text(row: &TextRow, column: usize) -> Option<&str> {
    row.get(column)?.as_deref()
}

/// In words for the log and HEALTH, why there is no stream.
pub(super) fn told(error: &ReplicationError, address: &str) -> Lost {
    let advice = match error.code() {
        Some("57014" | "55P03") => {
            return Lost(
                "a new replication slot waits for transactions that write to end (pg_stat_activity shows them, by xact_start)"
                    .into(),
            )
        }
        Some("42501") => " (ALTER ROLE … REPLICATION, or set pg_replication_user to a role that has it)",
        Some("53400") => " (raise max_replication_slots of PostgreSQL)",
        Some("53300") => " (raise max_wal_senders of PostgreSQL)",
        Some("28P01") => " (check pg_replication_user, and the password in pg_replication_password_file)",
        Some("28000") => " (check pg_replication_user, pg_sslmode, and pg_hba.conf of PostgreSQL)",
        _ => "",
    };
    Lost(format!("cannot stream the write-ahead log of {address}: {error}{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_nobody_else_has_read_from_goes_on() {
        assert_eq!(continued("a", Lsn(5), Some(Lsn(7))), Slot { name: "a".into(), start: Lsn(7), gap: None });
        assert_eq!(continued("a", Lsn(7), Some(Lsn(7))).gap, None);
        assert_eq!(continued("a", Lsn(8), Some(Lsn(7))).gap, Some(Gap::Reconnected));
        assert_eq!(continued("a", Lsn(8), None).gap, Some(Gap::Reconnected));
    }

    #[test]
    fn a_slot_of_others_is_left_to_them() {
        let ours = Standing { is_ours: true, active: None, is_lost: false, confirmed: None };
        assert_eq!(objection("a", &ours), None);
        let used = Standing { active: Some("42".into()), ..ours.clone() };
        assert!(objection("a", &used).is_some_and(|text| text.contains("process 42")));
        assert!(objection("a", &Standing { is_ours: false, ..ours }).is_some());
    }
}
