//! The connection beside the stream: it writes heartbeats into the log, and answers questions. An ordinary role will do.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cache::PgSnapshot;
use crate::cdc::connection::FeedConnection;
use crate::cdc::feed::beats::pause_between;
use crate::cdc::Known;
use crate::cdc::Lost;
use crate::postgres::connection::connect::Connector;
use crate::postgres::{Pulses, Texts};

/// What heartbeats are called in the log. Those of other servers have the same name.
pub(super) const BEAT: &[u8] = b"pgcache";
/// What the publication is; NULL: there is none.
const PUBLICATION: &str = "\
(SELECT pg_catalog.concat_ws(' ', oid, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot)
   FROM pg_catalog.pg_publication WHERE pubname OPERATOR(pg_catalog.=) 'pgcache')";
/// Heartbeats that may be under way: those before them are given up.
const BEATS_UNDER_WAY: usize = 64;
/// With so many under way no further one is written before it is due, or those that wait for one would have all of them given up.
const MANY_UNDER_WAY: usize = 16;

/// The connection.
pub(super) struct Control {
    pub connection: FeedConnection,
    /// What makes the heartbeats of this session unlike all others.
    name: String,
    number: u64,
    /// What the publication was last.
    publication: Option<String>,
    under_way: VecDeque<(String, Instant)>,
    last: Instant,
}

/// What PostgreSQL says with a heartbeat.
pub(super) struct Beaten {
    /// The number of the heartbeat's transaction.
    pub xid: u64,
    /// Which transactions had ended afterwards.
    pub snapshot: PgSnapshot,
}

impl Control {
    /// Connects.
    ///
    /// # Errors
    /// Everything that can stand in the way, a `wal_level` that is too low among it.
    pub(super) fn open(connector: &Connector, pulses: &Pulses) -> Result<Self, Lost> {
        let mut connection = FeedConnection::open(connector, pulses)?;
        let level = first(&mut connection, "SELECT pg_catalog.current_setting('wal_level')")?;
        if level.as_deref() != Some("logical") {
            return Err(Lost(format!(
                "wal_level of PostgreSQL is {}: ALTER SYSTEM SET wal_level = 'logical', and restart PostgreSQL",
                level.unwrap_or_default()
            )));
        }
        let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Ok(Self { connection, name, number: 0, publication: None, under_way: VecDeque::new(), last: Instant::now() })
    }

    /// When the next heartbeat is to be written.
    pub(super) fn due(&self, max_staleness: Duration) -> Instant {
        self.last + pause_between(max_staleness)
    }

    /// Whether one may be written before it is due.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < MANY_UNDER_WAY
    }

    /// Writes a heartbeat. Its commit waits for no standby: it is to come back as soon as it is on the disk.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(super) fn beat(&mut self, known: &Known) -> Result<Beaten, Lost> {
        self.number += 1;
        let text = format!("{}-{}", self.name, self.number);
        let sql = format!(
            "BEGIN READ WRITE; SET LOCAL synchronous_commit = local;
             SELECT pg_catalog.pg_current_xact_id(), EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
                    pg_catalog.pg_logical_emit_message(true, 'pgcache', '{text}');
             COMMIT; SELECT pg_catalog.pg_current_snapshot(), {PUBLICATION}"
        );
        if self.under_way.len() >= BEATS_UNDER_WAY {
            self.under_way.pop_front();
        }
        self.last = Instant::now();
        self.under_way.push_back((text, self.last));
        let rows = self.connection.ask(&sql)?;
        let told = rows.first().and_then(|row| Some((row.text(0)?.parse().ok()?, row.text(1)?.to_owned())));
        let snapshot = rows.get(1).and_then(|row| row.text(0)?.parse().ok());
        let (Some((xid, started)), Some(snapshot)) = (told, snapshot) else {
            return Err(Lost("a heartbeat was answered by something else".into()));
        };
        known.own.ended(&started, xid);
        // PostgreSQL 18 streams on without it.
        if rows.get(1).and_then(|row| row.text(1)) != self.publication.as_deref() {
            return Err(Lost("publication pgcache was dropped or altered".into()));
        }
        Ok(Beaten { xid, snapshot })
    }

    /// It was looked whether there is something to do, in place of a heartbeat.
    pub(super) fn looked(&mut self) {
        self.last = Instant::now();
    }

    /// When the heartbeat with that text was written, if it is ours. Those before it will not come any more.
    pub(super) fn came(&mut self, text: &[u8]) -> Option<Instant> {
        let place = self.under_way.iter().position(|(known, _)| known.as_bytes() == text)?;
        self.under_way.drain(..=place).next_back().map(|(_, sent)| sent)
    }

    /// Whether publication `pgcache` is there. It is made where the role may: a slot that is older than the publication is of no use.
    ///
    /// # Errors
    /// What PostgreSQL says, but for the want of rights.
    pub(super) fn has_publication(&mut self) -> Result<bool, Lost> {
        if !self.sees_publication()? {
            self.create_publication()?;
        }
        self.sees_publication()
    }

    fn sees_publication(&mut self) -> Result<bool, Lost> {
        self.publication = first(&mut self.connection, &format!("SELECT {PUBLICATION}"))?;
        Ok(self.publication.is_some())
    }

    fn create_publication(&mut self) -> Result<(), Lost> {
        let Err(error) = self.connection.ask("BEGIN READ WRITE; CREATE PUBLICATION pgcache; COMMIT") else {
            return Ok(());
        };
        let code = error.code().map(|code| code.code().to_owned());
        self.connection.ask("ROLLBACK")?;
        match code.as_deref() {
            // Nobody may, or another server was quicker.
            Some("42501" | "42710" | "23505") => Ok(()),
            _ => Err(error.into()),
        }
    }

    /// How many bytes of the log `slot` keeps; `None`: there is no such slot.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(super) fn kept_by(&mut self, slot: &str) -> Result<Option<u64>, Lost> {
        let sql = format!(
            "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)
               FROM pg_catalog.pg_replication_slots WHERE slot_name OPERATOR(pg_catalog.=) '{slot}'"
        );
        Ok(first(&mut self.connection, &sql)?.and_then(|bytes| bytes.parse().ok()))
    }
}

fn first(connection: &mut FeedConnection, sql: &str) -> Result<Option<String>, Lost> {
    let rows = connection.ask(sql)?;
    Ok(rows.first().and_then(|row| row.text(0)).map(str::to_owned))
}
