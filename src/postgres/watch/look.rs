//! One look into the outbox.

use ::postgres::SimpleQueryRow;

use super::line::Line;
use super::place::Place;
use super::snapshot::Snapshot;
use super::Lost;

const POLL: &str = include_str!("outbox_poll.sql");
const MORE: &str = include_str!("outbox_more.sql");
const RELIEF: &str = include_str!("outbox_relief.sql");
const EXISTS: &str = include_str!("outbox_exists.sql");
/// Costs PostgreSQL a seventh of a whole look.
const GLANCE: &str = "\
SELECT pg_catalog.pg_current_snapshot(), EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())";
const INCARNATE: &str = "\
SET TRANSACTION READ WRITE;
INSERT INTO pgcache.outbox_state DEFAULT VALUES ON CONFLICT DO NOTHING";

/// Rows that one statement takes at most.
const PAGE: usize = 2000;
/// Notices that an outbox has room for: the triggers leave out what is beyond.
const ROOM: i64 = 1_000_000;

/// What a look found.
pub(super) enum Look {
    /// There is no outbox.
    Absent,
    /// No transaction that writes has begun or ended since the place.
    Same {
        /// When the postmaster was started.
        started: String,
    },
    /// There is one.
    Seen(Head),
}

impl Look {
    /// When the postmaster was started, as far as the look tells.
    pub(super) fn started(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Same { started } => Some(started),
            Self::Seen(head) => Some(&head.started),
        }
    }
}

/// The outbox at one moment.
pub(super) struct Head {
    pub(super) snapshot: Snapshot,
    /// What a crash takes away and a new outbox has anew.
    pub(super) incarnation: Option<String>,
    /// Whether notices are left out.
    pub(super) is_full: bool,
    /// When the postmaster was started.
    pub(super) started: String,
    /// What was committed since the place before.
    pub(super) rows: Vec<Row>,
}

/// One notice in the outbox.
pub(super) struct Row {
    xid: String,
    id: String,
    pub(super) notice: String,
}

/// Looks for what was committed since `place`; without one, where the outbox is now.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn look(line: &mut Line, place: Option<&Place>) -> Result<Look, Lost> {
    if !place.is_some_and(Place::is_present) && !exists(line)? {
        return Ok(Look::Absent);
    }
    match line.ask(&since(POLL, place.map_or(&Snapshot::never(), Place::snapshot))) {
        Ok(rows) => head(&rows).map(Look::Seen),
        // undefined_table, invalid_schema_name
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => {
            Ok(Look::Absent)
        }
        Err(error) => Err(error.into()),
    }
}

/// The same as [`look`], but first whether a look is worth it.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn glance(line: &mut Line, place: &Place) -> Result<Look, Lost> {
    let rows = line.ask(GLANCE)?;
    let answer = rows.first().and_then(|row| Some((row.get(0)?, row.get(1)?)));
    match answer {
        Some((snapshot, started)) if place.is_present() && snapshot == place.snapshot().to_string() => {
            Ok(Look::Same { started: started.to_owned() })
        }
        _ => look(line, Some(place)),
    }
}

/// Whether `rows` are as many as one statement takes: there may be more.
pub(super) fn is_full(rows: &[Row]) -> bool {
    rows.len() >= PAGE
}

/// The rows behind `last`, of those that `now` sees and `before` did not.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn more(line: &mut Line, before: &Place, now: &Snapshot, last: &Row) -> Result<Vec<Row>, Lost> {
    let sql = since(MORE, before.snapshot())
        .replace("@next@", &now.to_string())
        .replace("@xid@", &last.xid)
        .replace("@id@", &last.id);
    // The first row is the settings' own.
    Ok(line.ask(&sql)?.iter().skip(1).filter_map(|answer| row(answer, 0)).collect())
}

/// Lets a full outbox take notices again. Returns its new incarnation, unless another server was quicker.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn relieve(line: &mut Line) -> Result<Option<String>, Lost> {
    let answers = line.ask(&RELIEF.replace("@room@", &ROOM.to_string())).map_err(|error| {
        Lost(format!("the outbox is full, and it cannot be relieved: {}", Lost::from(error)))
    })?;
    // The row that is locked comes without columns.
    Ok(answers.iter().find(|answer| !answer.is_empty()).and_then(|answer| answer.get(0)).map(str::to_owned))
}

/// Gives an outbox that a crash has emptied an incarnation.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn incarnate(line: &mut Line) -> Result<(), Lost> {
    let done = line.ask(INCARNATE);
    done.map(drop).map_err(|error| Lost(format!("pgcache.outbox_state has no row: {}", Lost::from(error))))
}

/// Transactions that are prepared for a two-phase commit.
///
/// # Errors
/// What PostgreSQL says.
pub(super) fn prepared(line: &mut Line) -> Result<Vec<u32>, Lost> {
    let rows = line.ask("SELECT transaction FROM pg_catalog.pg_prepared_xacts")?;
    Ok(rows.iter().filter_map(|row| row.get(0)?.parse().ok()).collect())
}

fn exists(line: &mut Line) -> Result<bool, Lost> {
    let answers = line.ask(EXISTS)?;
    Ok(answers.first().and_then(|row| row.get(0)) == Some("2"))
}

fn since(sql: &str, place: &Snapshot) -> String {
    sql.replace("@xmax@", &place.xmax.to_string())
        .replace("@running@", &place.running_list())
        .replace("@limit@", &PAGE.to_string())
}

/// The settings' own row has fewer columns.
fn head(answers: &[SimpleQueryRow]) -> Result<Head, Lost> {
    let answers: Vec<&SimpleQueryRow> = answers.iter().filter(|answer| answer.len() == 7).collect();
    let first = answers.first().ok_or_else(|| {
        Lost("the outbox has lost its sequences, in a promotion perhaps: WATCH ADD makes it anew".into())
    })?;
    let snapshot = first.get(0).and_then(|text| text.parse().ok());
    let used: Option<i64> = first.get(2).and_then(|text| text.parse().ok());
    Ok(Head {
        snapshot: snapshot.ok_or_else(|| Lost("a snapshot that is none".into()))?,
        incarnation: first.get(1).map(str::to_owned),
        is_full: used.is_none_or(|used| used > ROOM),
        started: first.get(3).unwrap_or_default().to_owned(),
        rows: answers.iter().filter_map(|answer| row(answer, 4)).collect(),
    })
}

fn row(answer: &SimpleQueryRow, from: usize) -> Option<Row> {
    if answer.len() != from + 3 {
        return None;
    }
    let text = |column: usize| answer.get(from + column).map(str::to_owned);
    Some(Row { xid: text(0)?, id: text(1)?, notice: text(2)? })
}
