//! The feed by write-ahead log: PostgreSQL decodes it through a replication slot, and streams what it decodes.
//!
//! Transactions come in the order of their commits, and may come before anybody else sees them. So every notice carries the number of
//! its transaction: what was read without seeing it must not be kept.

mod control;
mod cursor;
mod emitted;
pub mod pgoutput;
mod relation;
mod slot;
mod spelling;
mod stream;
mod transaction;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::server_identity::{FormerServer, ServerIdentity};
use crate::cache::{Error, Gap};
use crate::cdc::feed::{Feed, FeedEvent, Tell};
use crate::cdc::{Known, Lost};
use crate::postgres::connection::connect::{Connector, NOTICES};
use crate::postgres::connection::replication::Replication;
use crate::postgres::{Pulses, Shutdown};
use crate::settings::SourceSettings;
use control::Control;
use slot::{Before, Slot};
use stream::Stream;

/// The publication that says which tables are told of.
const PUBLICATION: &str = "pgcache";
/// How long the stream is waited on at a time, so that the end of the module does not wait longer.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the beginning of the stream may take.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// A stream that is silent for so long although heartbeats are written is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is looked how much of the log the slot keeps.
const KEPT_PAUSE: Duration = Duration::from_secs(5);

/// A slot's stream, and a connection beside it.
pub struct Wal {
    connector: Connector,
    pulses: Arc<Pulses>,
    known: Arc<Known>,
    former: FormerServer,
    before: Before,
    session: Option<Session>,
}

/// One session.
struct Session {
    control: Control,
    identity: ServerIdentity,
    /// `None` while there is no publication, so that no table is watched.
    stream: Option<Stream>,
    is_told: bool,
    /// A gap that is to be told.
    gap: Option<Gap>,
    kept_due: Instant,
}

impl Wal {
    /// Connects to nothing yet. Its connections end with `shutdown`.
    ///
    /// # Errors
    /// A TLS file that is of no use.
    pub fn new(
        settings: Arc<SourceSettings>,
        shutdown: Shutdown,
        pulses: Arc<Pulses>,
        known: Arc<Known>,
    ) -> Result<Self, Error> {
        let connector = Connector::new(settings, NOTICES, shutdown)?;
        let before = Before { told: None, keeps_too_much: false };
        Ok(Self { connector, pulses, known, former: FormerServer::Nothing, before, session: None })
    }
}

impl Feed for Wal {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        let mut control = Control::open(&self.connector, &self.pulses)?;
        let identity = ServerIdentity::read(&mut control.connection)?;
        let gap = self.former.gap(&identity);
        if gap.is_some() {
            self.before.told = None;
        }
        let has_publication = control.has_publication()?;
        let session = Session { control, identity, stream: None, is_told: false, gap, kept_due: Instant::now() };
        self.session = Some(session);
        if has_publication {
            self.begin_stream()?;
        }
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Err(Lost("there is no session".into())) };
        session.control.connection.expect_signs(max_staleness);
        if session.stream.is_none() {
            return self.await_publication(max_staleness, tell);
        }
        session.tell_gap(&mut self.former, tell);
        let is_urged = session.control.has_room() && self.known.beat.take();
        if is_urged || session.control.due(max_staleness) <= Instant::now() {
            tell(FeedEvent::Snapshot(session.control.beat(&self.known)?.snapshot));
        }
        self.hear(max_staleness, tell)
    }

    fn close(&mut self) {
        if let Some(stream) = self.session.take().and_then(|session| session.stream) {
            self.before.told = Some(stream.told);
        }
    }

    fn forget(&mut self) {
        self.former = FormerServer::Forgotten;
        self.close();
        self.before.told = None;
    }
}

impl Wal {
    /// Begins to stream.
    fn begin_stream(&mut self) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let settings = self.connector.settings();
        let address = settings.address();
        let (mut replication, slot) =
            stream_from(&self.connector, settings, self.before).map_err(|error| slot::told(&error, &address))?;
        let Slot { name, start, gap } = slot;
        replication.start(&name, start, PUBLICATION, START_PATIENCE).map_err(|error| slot::told(&error, &address))?;
        self.before.keeps_too_much = false;
        // A slot is made once all transactions have ended that it does not stream, so that whoever reads after the gap sees them.
        session.gap = session.gap.or(gap);
        let near = session.control.beat(&self.known)?.xid;
        session.stream = Some(Stream::new(replication, name, start, near, session.identity.started()));
        Ok(())
    }

    /// There is no publication, so no table is watched, and nothing can be missed. Once there is one the stream begins.
    fn await_publication(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.tell_gap(&mut self.former, tell);
        let due = session.control.due(max_staleness).saturating_duration_since(Instant::now());
        std::thread::sleep(due.min(PATIENCE));
        if due > PATIENCE {
            return Ok(());
        }
        let sent = Instant::now();
        session.control.looked();
        if session.control.has_publication()? {
            session.gap = Some(Gap::Recreated);
            return self.begin_stream();
        }
        tell(FeedEvent::Beat { sent, lsn: None, progress: None });
        Ok(())
    }

    fn hear(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(Session { control, stream: Some(stream), kept_due, .. }) = &mut self.session else { return Ok(()) };
        let due = control.due(max_staleness).saturating_duration_since(Instant::now());
        let urged = self.known.beat.urged_if(control.has_room());
        let heard = stream.hear(due.min(PATIENCE), urged, control, tell)?;
        stream.confirm(heard.wants_reply)?;
        if stream.heard.elapsed() > max_staleness + SILENCE {
            return Err(Lost("nothing comes through the replication slot".into()));
        }
        if Instant::now() < *kept_due {
            return Ok(());
        }
        *kept_due = Instant::now() + KEPT_PAUSE;
        self.check_kept()
    }

    /// Gives the slot up when it keeps more of the log than it may.
    fn check_kept(&mut self) -> Result<(), Lost> {
        let Some(Session { control, stream: Some(stream), .. }) = &mut self.session else { return Ok(()) };
        let limit = self.connector.settings().wal_keep_limit;
        match control.kept_by(&stream.slot)? {
            Some(kept) if kept > limit => {
                self.before.keeps_too_much = true;
                Err(Lost(format!(
                    "replication slot {} keeps {} MB of write-ahead log (wal_keep_limit_mb {}): it is dropped and made anew",
                    stream.slot,
                    kept >> 20,
                    limit >> 20
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Session {
    /// Tells of a gap, or that the session listens now.
    fn tell_gap(&mut self, former: &mut FormerServer, tell: &mut Tell<'_>) {
        let gap = self.gap.take();
        if !std::mem::replace(&mut self.is_told, true) {
            *former = FormerServer::Known(self.identity.clone());
            tell(FeedEvent::Opened { gap });
        } else if let Some(gap) = gap {
            tell(FeedEvent::Gap(gap));
        }
    }
}

/// Connects, and finds or makes the slot.
fn stream_from(
    connector: &Connector,
    settings: &SourceSettings,
    before: Before,
) -> Result<(Replication, Slot), crate::postgres::connection::replication::ReplicationError> {
    let mut replication = Replication::open(connector)?;
    let slot = slot::prepare(&mut replication, settings, before)?;
    Ok((replication, slot))
}
