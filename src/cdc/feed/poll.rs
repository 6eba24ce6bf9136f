//! One poll of the outbox.

use ::postgres::SimpleQueryRow;

use super::watermark::Watermark;
use crate::cache::{Lsn, PgSnapshot};
use crate::cdc::connection::FeedConnection;
use crate::cdc::Lost;
use crate::postgres::Texts;

const POLL: &str = include_str!("outbox_poll.sql");
const MORE: &str = include_str!("outbox_more.sql");
const RELIEF: &str = include_str!("outbox_relief.sql");
const EXISTS: &str = include_str!("outbox_exists.sql");
/// Costs PostgreSQL a seventh of a whole poll.
const QUICK: &str = "\
SELECT pg_catalog.pg_current_snapshot(), EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
       pg_catalog.pg_current_wal_insert_lsn()";
const INCARNATE: &str = "\
SET TRANSACTION READ WRITE;
INSERT INTO pgcache.outbox_state DEFAULT VALUES ON CONFLICT DO NOTHING";

/// Rows that one statement takes at most.
const PAGE: usize = 2000;
/// Notices that an outbox has room for: the triggers leave out what is beyond.
const ROOM: i64 = 1_000_000;

/// What a poll found.
pub(crate) enum Polled {
    /// There is no outbox.
    Absent,
    /// No transaction that writes has begun or ended since the watermark.
    Same {
        /// When the postmaster was started.
        started: String,
        /// How far the write-ahead log had got before its end.
        lsn: Option<Lsn>,
    },
    /// There is one.
    Seen(Head),
}

impl Polled {
    /// When the postmaster was started, as far as the poll tells.
    pub(crate) fn started(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Same { started, .. } => Some(started),
            Self::Seen(head) => Some(&head.started),
        }
    }

    /// How far the write-ahead log had got when the poll ended, or a little less.
    pub(crate) fn lsn(&self) -> Option<Lsn> {
        match self {
            Self::Absent => None,
            Self::Same { lsn, .. } => *lsn,
            Self::Seen(head) => head.lsn,
        }
    }
}

/// The outbox at one moment.
pub(crate) struct Head {
    pub(crate) snapshot: PgSnapshot,
    /// What a crash takes away and a new outbox has anew.
    pub(crate) incarnation: Option<String>,
    /// Whether notices are left out.
    pub(crate) is_full: bool,
    /// When the postmaster was started.
    pub(crate) started: String,
    /// How far the write-ahead log had got before the end of the poll.
    pub(crate) lsn: Option<Lsn>,
    /// What was committed since the watermark before.
    pub(crate) rows: Vec<Row>,
}

/// One notice in the outbox.
pub(crate) struct Row {
    xid: String,
    id: String,
    pub(crate) notice: String,
}

/// Asks for what was committed since `watermark`; without one, where the outbox is now.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn full(connection: &mut FeedConnection, watermark: Option<&Watermark>) -> Result<Polled, Lost> {
    if !watermark.is_some_and(Watermark::is_present) && !exists(connection)? {
        return Ok(Polled::Absent);
    }
    match connection.ask(&since(POLL, watermark.map_or(&PgSnapshot::never(), Watermark::snapshot))) {
        Ok(rows) => head(&rows).map(Polled::Seen),
        // undefined_table, invalid_schema_name
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => Ok(Polled::Absent),
        Err(error) => Err(error.into()),
    }
}

/// The same as [`full`], but first whether a poll is worth it.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn quick(connection: &mut FeedConnection, watermark: &Watermark) -> Result<Polled, Lost> {
    let rows = connection.ask(QUICK)?;
    let answer = rows.first().and_then(|row| Some((row.text(0)?, row.text(1)?, row.text(2))));
    match answer {
        Some((snapshot, started, lsn)) if watermark.is_present() && snapshot == watermark.snapshot().to_string() => {
            Ok(Polled::Same { started: started.to_owned(), lsn: lsn.and_then(|lsn| lsn.parse().ok()) })
        }
        _ => full(connection, Some(watermark)),
    }
}

/// Whether `rows` are as many as one statement takes: there may be more.
pub(crate) fn is_full(rows: &[Row]) -> bool {
    rows.len() >= PAGE
}

/// The rows behind `last`, of those that `now` sees and `before` did not.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn more(
    connection: &mut FeedConnection,
    before: &Watermark,
    now: &PgSnapshot,
    last: &Row,
) -> Result<Vec<Row>, Lost> {
    let sql = since(MORE, before.snapshot())
        .replace("@next@", &now.to_string())
        .replace("@xid@", &last.xid)
        .replace("@id@", &last.id);
    // The first row is the settings' own.
    Ok(connection.ask(&sql)?.iter().skip(1).filter_map(|answer| row(answer, 0)).collect())
}

/// Lets a full outbox take notices again. Returns its new incarnation, unless another server was quicker.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn relieve(connection: &mut FeedConnection) -> Result<Option<String>, Lost> {
    let answers = connection
        .ask(&RELIEF.replace("@room@", &ROOM.to_string()))
        .map_err(|error| Lost(format!("the outbox is full, and it cannot be relieved: {}", Lost::from(error))))?;
    // The row that is locked comes without columns.
    Ok(answers.iter().find(|answer| !answer.is_empty()).and_then(|answer| answer.text(0)).map(str::to_owned))
}

/// Gives an outbox that a crash has emptied an incarnation.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn incarnate(connection: &mut FeedConnection) -> Result<(), Lost> {
    let done = connection.ask(INCARNATE);
    done.map(drop).map_err(|error| Lost(format!("pgcache.outbox_state has no row: {}", Lost::from(error))))
}

/// Transactions that are prepared for a two-phase commit.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn prepared(connection: &mut FeedConnection) -> Result<Vec<u32>, Lost> {
    let rows = connection.ask("SELECT transaction FROM pg_catalog.pg_prepared_xacts")?;
    Ok(rows.iter().filter_map(|row| row.text(0)?.parse().ok()).collect())
}

fn exists(connection: &mut FeedConnection) -> Result<bool, Lost> {
    let answers = connection.ask(EXISTS)?;
    Ok(answers.first().and_then(|row| row.text(0)) == Some("2"))
}

fn since(sql: &str, watermark: &PgSnapshot) -> String {
    sql.replace("@xmax@", &watermark.xmax.to_string())
        .replace("@running@", &watermark.running_list())
        .replace("@limit@", &PAGE.to_string())
}

/// The settings' own row has fewer columns.
fn head(answers: &[SimpleQueryRow]) -> Result<Head, Lost> {
    let answers: Vec<&SimpleQueryRow> = answers.iter().filter(|answer| answer.len() == 8).collect();
    let first = answers.first().ok_or_else(|| {
        Lost("the outbox has lost its sequences, in a promotion perhaps: WATCH ADD makes it anew".into())
    })?;
    let snapshot = first.text(0).and_then(|text| text.parse().ok());
    let used: Option<i64> = first.text(2).and_then(|text| text.parse().ok());
    Ok(Head {
        snapshot: snapshot.ok_or_else(|| Lost("a snapshot that is none".into()))?,
        incarnation: first.text(1).map(str::to_owned),
        is_full: used.is_none_or(|used| used > ROOM),
        started: first.text(3).unwrap_or_default().to_owned(),
        lsn: first.text(4).and_then(|lsn| lsn.parse().ok()),
        rows: answers.iter().filter_map(|answer| row(answer, 5)).collect(),
    })
}

fn row(answer: &SimpleQueryRow, from: usize) -> Option<Row> {
    if answer.len() != from + 3 {
        return None;
    }
    let text = |column: usize| answer.text(from + column).map(str::to_owned);
    Some(Row { xid: text(0)?, id: text(1)?, notice: text(2)? })
}
