//! The feed by outbox: a table that triggers write notices to, polled from where the last poll ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::poll::{self, Head, Polled};
use super::positions::Positions;
use super::server_identity::{FormerServer, ServerIdentity};
use super::trim::Trim;
use super::watermark::Watermark;
use crate::cache::{Error, Gap, Notice, PgSnapshot, Progress};
use crate::cdc::connection::FeedConnection;
use crate::cdc::feed::{Feed, FeedEvent, Tell};
use crate::cdc::in_doubt::InDoubt;
use crate::cdc::{Known, Lost};
use crate::postgres::connection::client::Shutdown;
use crate::postgres::connection::connect::{Connector, NOTICES};
use crate::postgres::Pulses;
use crate::settings::SourceSettings;

/// The pause between two polls while something came within [`BUSY_FOR`], and otherwise.
const BUSY_PAUSE: Duration = Duration::from_millis(2);
const IDLE_PAUSE: Duration = Duration::from_millis(10);
const BUSY_FOR: Duration = Duration::from_secs(1);
/// How often a missing outbox is polled for, at most.
const ABSENT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// How often a poll that found nothing is told.
const BEAT_PAUSE: Duration = Duration::from_millis(50);
/// How often the server is asked which one it is: behind a pooler it may be exchanged.
const IDENTITY_PAUSE: Duration = Duration::from_secs(1);
/// How much is told at once.
const BATCH_NOTICES: usize = 1000;

/// Polling on a connection of its own, or through a pooler: no poll relies on the one before it in the session.
pub struct Outbox {
    connector: Connector,
    pulses: Arc<Pulses>,
    known: Arc<Known>,
    former: FormerServer,
    watermark: Option<Watermark>,
    in_doubt: InDoubt,
    session: Option<Polling>,
}

/// One session.
struct Polling {
    connection: FeedConnection,
    identity: ServerIdentity,
    /// When that was asked.
    asked: Instant,
    is_told: bool,
    /// Prepared transactions, which survive a crash that their notices do not; taken by the first poll.
    prepared: Vec<u32>,
    /// A gap that the next poll is to tell, because what it sees is the first to be complete again.
    pending: Option<Gap>,
    due: Instant,
    /// Whether the last poll found that no transaction which writes had begun or ended: then a quick poll will do.
    is_quiet: bool,
    last_notice: Option<Instant>,
    last_beat: Option<Instant>,
    positions: Positions,
    trim: Trim,
}

impl Outbox {
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
        let (former, in_doubt) = (FormerServer::Nothing, InDoubt::default());
        Ok(Self { connector, pulses, known, former, watermark: None, in_doubt, session: None })
    }
}

impl Feed for Outbox {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        let mut connection = FeedConnection::open(&self.connector, &self.pulses)?;
        let identity = ServerIdentity::read(&mut connection)?;
        let pending = self.former.gap(&identity);
        let prepared = if pending.is_some() { poll::prepared(&mut connection)? } else { Vec::new() };
        let now = Instant::now();
        self.session = Some(Polling {
            connection,
            identity,
            asked: now,
            is_told: false,
            prepared,
            pending,
            due: now,
            is_quiet: false,
            last_notice: None,
            last_beat: None,
            positions: Positions::default(),
            trim: Trim::new(),
        });
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Err(Lost("there is no session".into())) };
        self.known.beat.wait(session.due.saturating_duration_since(Instant::now()));
        if self.known.beat.take() {
            session.last_beat = None;
        }
        session.connection.expect_signs(max_staleness);
        let sent = Instant::now();
        let polled = match &self.watermark {
            Some(watermark) if session.is_quiet && session.pending.is_none() => {
                poll::quick(&mut session.connection, watermark)?
            }
            watermark => poll::full(&mut session.connection, watermark.as_ref())?,
        };
        session.check_identity(&polled)?;
        session.positions.polled(polled.lsn());
        match polled {
            Polled::Absent => self.absent(sent, max_staleness, tell),
            Polled::Same { .. } => return self.same(sent, tell),
            Polled::Seen(head) => self.seen(head, sent, tell)?,
        }
        Ok(())
    }

    fn close(&mut self) {
        self.session = None;
    }

    fn forget(&mut self) {
        self.former = FormerServer::Forgotten;
        self.watermark = None;
        self.close();
    }
}

impl Outbox {
    /// There is no outbox, so no table is watched by it, and nothing can be missed.
    fn absent(&mut self, sent: Instant, max_staleness: Duration, tell: &mut Tell<'_>) {
        let gap = self.watermark.as_ref().and_then(Watermark::gap_when_absent);
        self.watermark = Some(Watermark::absent(sent));
        let Some(session) = &mut self.session else { return };
        let gap = session.pending.take().or(gap);
        session.tell_gap(gap, &mut self.former, tell);
        session.beat(sent, None, tell);
        session.due = Instant::now() + (max_staleness / 8).clamp(ABSENT_PAUSE.0, ABSENT_PAUSE.1);
    }

    /// Nothing has happened. When that is in doubt, the next poll is a whole one.
    fn same(&mut self, sent: Instant, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let (Some(session), Some(watermark)) = (&mut self.session, &mut self.watermark) else {
            return Ok(());
        };
        if session.pending.is_some() {
            return Ok(());
        }
        watermark.confirm(sent);
        session.beat(sent, Some(watermark.snapshot()), tell);
        session.rest();
        session.trim.if_due(&mut session.connection)
    }

    fn seen(&mut self, head: Head, sent: Instant, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.due = Instant::now() + IDLE_PAUSE;
        let Some(incarnation) = head.incarnation else {
            return poll::incarnate(&mut session.connection);
        };
        if head.is_full {
            // Only what is seen after that can be complete: the next poll tells of it.
            session.due = Instant::now();
            session.pending = session.pending.or(Some(Gap::Overflow));
            if let (Some(renewed), Some(watermark)) = (poll::relieve(&mut session.connection)?, &mut self.watermark) {
                watermark.renew(renewed);
            }
            return Ok(());
        }
        let watermark = Watermark::at(head.snapshot, incarnation, sent);
        let gap = self.watermark.as_ref().and_then(|before| before.gap(&watermark, Instant::now()));
        // Another server has relieved a full outbox, or a crash has emptied it: what runs may have left something out.
        let was_emptied = gap == Some(Gap::Recreated) && self.watermark.as_ref().is_some_and(Watermark::is_present);
        let gap = session.pending.take().or(gap);
        session.tell_gap(gap, &mut self.former, tell);
        if let Some(gap) = self.in_doubt.ended(watermark.snapshot()).filter(|_| gap.is_none()) {
            tell(FeedEvent::Gap(gap));
        }
        if let Some(cause) = gap.filter(|gap| *gap == Gap::Overflow).or(was_emptied.then_some(Gap::Recreated)) {
            self.in_doubt.begin(cause, watermark.snapshot());
        }
        self.in_doubt.add(Gap::Recreated, &std::mem::take(&mut session.prepared), watermark.snapshot());
        let mut rows = head.rows;
        loop {
            session.tell_notices(&rows, tell);
            let (Some(before), Some(last)) = (&self.watermark, rows.last().filter(|_| poll::is_full(&rows))) else {
                break;
            };
            rows = poll::more(&mut session.connection, before, watermark.snapshot(), last)?;
        }
        session.is_quiet = self.watermark.as_ref().is_some_and(|before| before.snapshot() == watermark.snapshot());
        session.beat(sent, Some(watermark.snapshot()), tell);
        self.watermark = Some(watermark);
        session.rest();
        session.trim.if_due(&mut session.connection)
    }
}

impl Polling {
    /// Asks from time to time, and at once when it is certain, whether another server answers.
    fn check_identity(&mut self, polled: &Polled) -> Result<(), Lost> {
        let is_other = polled.started().is_some_and(|started| started != self.identity.started());
        if !is_other && self.asked.elapsed() < IDENTITY_PAUSE {
            return Ok(());
        }
        let identity = ServerIdentity::read(&mut self.connection)?;
        self.asked = Instant::now();
        if let Some(gap) = identity.gap_since(&self.identity) {
            self.pending = Some(gap);
            self.positions = Positions::default();
        }
        self.identity = identity;
        Ok(())
    }

    /// Tells of a gap, or that the session listens now.
    fn tell_gap(&mut self, gap: Option<Gap>, former: &mut FormerServer, tell: &mut Tell<'_>) {
        *former = FormerServer::Known(self.identity.clone());
        if !std::mem::replace(&mut self.is_told, true) {
            tell(FeedEvent::Opened { gap });
        } else if let Some(gap) = gap {
            tell(FeedEvent::Gap(gap));
        }
    }

    fn tell_notices(&mut self, rows: &[poll::Row], tell: &mut Tell<'_>) {
        for rows in rows.chunks(BATCH_NOTICES) {
            let notices: Vec<Notice> = rows.iter().filter_map(|row| Notice::parse(&row.notice)).collect();
            let is_unreadable = notices.len() < rows.len();
            self.last_notice = Some(Instant::now());
            // Notices are worth a heartbeat at once.
            self.last_beat = None;
            tell(FeedEvent::Notices { xid: None, notices });
            if is_unreadable {
                tell(FeedEvent::Gap(Gap::Unreadable));
            }
        }
    }

    /// Tells that what is visible in `snapshot` has been told; `None`: there is no outbox.
    fn beat(&mut self, sent: Instant, snapshot: Option<&PgSnapshot>, tell: &mut Tell<'_>) {
        if self.last_beat.is_none_or(|last| last.elapsed() >= BEAT_PAUSE) {
            self.last_beat = Some(Instant::now());
            let progress = snapshot.map(|snapshot| Progress::to_snapshot(self.identity.started(), snapshot.clone()));
            tell(FeedEvent::Beat { sent, lsn: self.positions.told, progress });
        }
    }

    fn rest(&mut self) {
        let is_busy = self.last_notice.is_some_and(|last| last.elapsed() < BUSY_FOR);
        self.due = Instant::now() + if is_busy { BUSY_PAUSE } else { IDLE_PAUSE };
    }
}
