//! The feed by NOTIFY: what others notify on the channel, and heartbeats of our own that travel the same way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beats::{Beat, Beats};
use super::queue_usage::QueueUsage;
use super::server_identity::{FormerServer, ServerIdentity};
use super::trust::Trust;
use crate::cache::{Error, Gap, Notice, PgSnapshot, Progress, Relation};
use crate::cdc::connection::FeedConnection;
use crate::cdc::feed::{Feed, FeedEvent, Tell};
use crate::cdc::known::Known;
use crate::cdc::secret::{is_sealed, Secret};
use crate::cdc::Lost;
use crate::postgres::connection::client::Shutdown;
use crate::postgres::connection::connect::{Connector, NOTICES};
use crate::postgres::{Pulses, Texts};
use crate::settings::SourceSettings;

/// The channel.
const LISTEN: &str = "LISTEN cache_invalidation";
const UNLISTEN: &str = "UNLISTEN cache_invalidation";
/// What a session sets besides, unless a pooler stands in between: others might find it in their sessions.
const SETUP: &str = "SET default_transaction_read_only = on; SET statement_timeout = '10s'";

/// How far the write-ahead log has got.
const POSITION: &str = "pg_catalog.pg_current_wal_insert_lsn()";

/// How long the connection is waited on at a time, so that the end of the module does not wait longer.
const PATIENCE: Duration = Duration::from_millis(50);
/// How much is told at once.
const BATCH_NOTICES: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;
/// The least time that the first heartbeat has to come back.
const PROOF_PATIENCE: Duration = Duration::from_millis(500);

/// LISTEN on a connection of its own.
pub struct Notify {
    connector: Connector,
    pulses: Arc<Pulses>,
    known: Arc<Known>,
    former: FormerServer,
    session: Option<Listening>,
}

/// One session.
struct Listening {
    connection: FeedConnection,
    identity: ServerIdentity,
    /// The connection that sent the first heartbeat, until that has come back.
    proof: Option<FeedConnection>,
    is_told: bool,
    beats: Beats,
    usage: QueueUsage,
    trust: Trust,
}

impl Notify {
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
        Ok(Self { connector, pulses, known, former: FormerServer::Nothing, session: None })
    }
}

impl Feed for Notify {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        let mut connection = FeedConnection::open(&self.connector, &self.pulses)?;
        let identity = ServerIdentity::read(&mut connection)?;
        // A transaction-mode pooler would let us hear ourselves, since a server process answers with its own
        // notifications, but nobody else. So the first heartbeat comes from another connection.
        let mut proof = FeedConnection::open(&self.connector, &self.pulses)?;
        if connection.is_own() {
            connection.ask(SETUP)?;
        } else if connection.process()? == proof.process()? {
            // Whoever has this process next would be told what we listen to.
            return Err(unheard());
        }
        connection.ask(LISTEN)?;
        let mut beats = Beats::new();
        let rows = proof.ask(&format!("SELECT {}, pg_catalog.pg_backend_pid(), {POSITION}", beats.next()))?;
        let first = rows.first();
        beats.sent_by(first.and_then(|row| row.text(1)), first.and_then(|row| row.text(2)));
        let trust = Trust::new(Secret::read(connection.client())?);
        let proof = Some(proof);
        self.session =
            Some(Listening { connection, identity, proof, is_told: false, beats, usage: QueueUsage::new(), trust });
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Err(Lost("there is no session".into())) };
        session.connection.expect_signs(max_staleness);
        session.beat_if_due(max_staleness, &self.known, tell)?;
        let mut batch = session.hear(max_staleness, &self.known)?;
        if !session.is_told && !batch.is_empty() {
            session.is_told = true;
            let gap = self.former.gap(&session.identity).or(Some(Gap::Reconnected));
            self.former = FormerServer::Known(session.identity.clone());
            tell(FeedEvent::Opened { gap });
        }
        let gap = session.trust.settle(&mut session.connection, max_staleness, &mut batch)?;
        batch.tell(session.identity.started(), session.usage.is_crowded() || session.trust.is_in_doubt(), tell);
        gap.into_iter().for_each(|gap| tell(FeedEvent::Gap(gap)));
        session.trust.tell(tell);
        Ok(())
    }

    fn close(&mut self) {
        self.session = None;
    }

    fn forget(&mut self) {
        self.former = FormerServer::Forgotten;
        self.close();
    }
}

/// Why notifications do not come.
fn unheard() -> Lost {
    Lost(
        "LISTEN does not get through: a pooler in transaction mode stands in between, or NOTIFY is held up \
         (connect without the pooler, or set invalidation outbox)"
            .into(),
    )
}

impl Listening {
    /// Sends a heartbeat when it is time for one or somebody waits for it, and looks after the queue of all notifications with it.
    fn beat_if_due(&mut self, max_staleness: Duration, known: &Known, tell: &mut Tell<'_>) -> Result<(), Lost> {
        if self.proof.is_some() {
            return self.check_proof(max_staleness);
        }
        let is_urged = self.beats.has_room() && known.beat.take();
        if !is_urged && self.beats.due(max_staleness) > Instant::now() {
            return Ok(());
        }
        let sql = format!(
            "SELECT {}, pg_catalog.pg_notification_queue_usage(), pg_catalog.pg_current_snapshot(),
                    pg_catalog.pg_backend_pid(), pg_catalog.pg_current_xact_id(),
                    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()), {POSITION}",
            self.beats.next()
        );
        let rows = self.connection.ask(&sql)?;
        let first = rows.first();
        self.beats.sent_by(first.and_then(|row| row.text(3)), first.and_then(|row| row.text(6)));
        let answer = rows.first().and_then(|row| Some((row.text(1)?.parse().ok()?, row.text(2)?.parse().ok()?)));
        let (usage, snapshot): (f64, PgSnapshot) =
            answer.ok_or_else(|| Lost("a heartbeat was answered by something else".into()))?;
        if let Some((number, started)) = rows.first().and_then(|row| Some((row.text(4)?.parse().ok()?, row.text(5)?))) {
            known.own.ended(started, number);
        }
        self.usage.measure(usage, &snapshot).into_iter().for_each(|gap| tell(FeedEvent::Gap(gap)));
        Ok(())
    }

    fn check_proof(&mut self, max_staleness: Duration) -> Result<(), Lost> {
        if self.beats.last.elapsed() < max_staleness.max(PROOF_PATIENCE) {
            return Ok(());
        }
        // Whatever server process that comes to.
        self.connection.ask(UNLISTEN)?;
        Err(unheard())
    }

    /// Waits for a notification, or for somebody who waits for a heartbeat, and takes what else is there.
    fn hear(&mut self, max_staleness: Duration, known: &Known) -> Result<ReceivedNotices, Lost> {
        let due = self.beats.due(max_staleness).saturating_duration_since(Instant::now());
        let patience = if self.proof.is_some() { PATIENCE } else { due.min(PATIENCE) };
        let mut batch = ReceivedNotices::default();
        let urged = known.beat.urged_if(self.proof.is_none() && self.beats.has_room());
        let mut next = self.connection.client().notification(patience, urged)?;
        while let Some(notification) = next {
            let (payload, process) = (notification.payload(), notification.process_id());
            batch.add(payload, process, &mut self.beats, &mut self.proof, &mut self.trust);
            next = if batch.is_full() { None } else { self.connection.client().next_notification() };
        }
        if self.connection.client().is_closed() {
            return Err(Lost("the connection was closed".into()));
        }
        Ok(batch)
    }
}

/// What was heard at once.
#[derive(Default)]
pub(super) struct ReceivedNotices {
    notices: Vec<Notice>,
    bytes: usize,
    is_unreadable: bool,
    /// The last heartbeat among it.
    beat: Option<Beat>,
}

impl ReceivedNotices {
    fn add(
        &mut self,
        payload: &str,
        process: i32,
        beats: &mut Beats,
        proof: &mut Option<FeedConnection>,
        trust: &mut Trust,
    ) {
        self.bytes += payload.len();
        if is_sealed(payload) {
            return self.add_sealed(payload, process, trust);
        }
        match Notice::parse(payload) {
            // Other servers' come as well.
            Some(Notice::Beat(text)) => {
                if let Some(beat) = beats.came(&text, process) {
                    self.beat = Some(beat);
                    *proof = None;
                }
            }
            Some(notice) if is_of_others(&notice) => self.notices.extend(trust.take(notice)),
            Some(_) | None => trust.foreign += 1,
        }
    }

    fn add_sealed(&mut self, payload: &str, process: i32, trust: &mut Trust) {
        match trust.secret.as_ref().and_then(|secret| secret.open(payload, process)) {
            Some(text) => self.add_proven(&text),
            None => trust.doubt(payload, process),
        }
    }

    /// Adds a notice of ours.
    pub fn add_proven(&mut self, text: &str) {
        match Notice::parse(text) {
            Some(notice) => self.notices.push(notice),
            None => self.is_unreadable = true,
        }
    }

    fn is_full(&self) -> bool {
        self.notices.len() >= BATCH_NOTICES || self.bytes >= BATCH_BYTES
    }

    fn is_empty(&self) -> bool {
        self.notices.is_empty() && !self.is_unreadable && self.beat.is_none()
    }

    /// While the queue of notifications is crowded, notices may be left out: then a heartbeat proves nothing.
    fn tell(self, started: &str, is_crowded: bool, tell: &mut Tell<'_>) {
        if !self.notices.is_empty() {
            tell(FeedEvent::Notices { xid: None, notices: self.notices });
        }
        if self.is_unreadable {
            tell(FeedEvent::Gap(Gap::Unreadable));
        }
        if let Some(Beat { sent, lsn, .. }) = self.beat.filter(|_| !is_crowded) {
            let progress = lsn.map(|lsn| Progress::to_position(started, lsn));
            tell(FeedEvent::Beat { sent, lsn, progress });
        }
    }
}

/// Whether a notice has the form of triggers that are not ours.
fn is_of_others(notice: &Notice) -> bool {
    matches!(notice, Notice::Rows { relation: Relation::Name(_), .. } | Notice::Table(Relation::Name(_)))
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
