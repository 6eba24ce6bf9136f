//! The feed by NOTIFY: what others notify on the channel, and heartbeats of our own that travel the same way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::{Feed, Lost, Tell};
use super::line::Line;
use super::lineage::{Lineage, Past};
use super::queue_usage::QueueUsage;
use super::snapshot::Snapshot;
use super::News;
use crate::cache::error::Error;
use crate::cache::lease::Gap;
use crate::cache::notice::Notice;
use crate::postgres::connect::{Connector, NOTICES};
use crate::settings::SourceSettings;

/// The channel.
const LISTEN: &str = "LISTEN cache_invalidation";
const UNLISTEN: &str = "UNLISTEN cache_invalidation";
/// What a session sets besides, unless a pooler stands in between: others might find it in their sessions.
const SETUP: &str = "SET default_transaction_read_only = on; SET statement_timeout = '10s'";

/// How many heartbeats go into the longest time without one, and how long they are apart at least and at most.
const BEATS_PER_LEASE: u32 = 8;
const BEAT_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));
/// How long the connection is waited on at a time, so that the end of the module does not wait longer.
const PATIENCE: Duration = Duration::from_millis(50);
/// How much is told at once.
const BATCH_NOTICES: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;
/// Heartbeats that may be under way: those before them are given up.
const BEATS_UNDER_WAY: usize = 16;
/// The least time that the first heartbeat has to come back.
const PROOF_PATIENCE: Duration = Duration::from_millis(500);

/// LISTEN on a connection of its own.
pub struct Notify {
    connector: Connector,
    past: Past,
    session: Option<Listening>,
}

/// One session.
struct Listening {
    line: Line,
    lineage: Lineage,
    /// The connection that sent the first heartbeat, until that has come back.
    proof: Option<Line>,
    is_told: bool,
    beats: Beats,
    usage: QueueUsage,
}

/// Heartbeats on their way.
struct Beats {
    /// What makes those of this session unlike all others.
    name: String,
    number: u64,
    under_way: VecDeque<(String, Instant)>,
    last: Instant,
}

impl Notify {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// A TLS file that is of no use.
    pub fn new(settings: Arc<SourceSettings>) -> Result<Self, Error> {
        Ok(Self { connector: Connector::new(settings, NOTICES)?, past: Past::Nothing, session: None })
    }
}

impl Feed for Notify {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        let mut line = Line::open(&self.connector)?;
        let lineage = Lineage::read(&mut line)?;
        // A transaction-mode pooler would let us hear ourselves, since a server process answers with its own
        // notifications, but nobody else. So the first heartbeat comes from another connection.
        let mut proof = Line::open(&self.connector)?;
        if line.is_own()? {
            line.ask(SETUP)?;
        } else if line.process()? == proof.process()? {
            // Whoever has this process next would be told what we listen to.
            return Err(unheard());
        }
        line.ask(LISTEN)?;
        let mut beats = Beats::new();
        proof.ask(&format!("SELECT {}", beats.next()))?;
        let proof = Some(proof);
        self.session =
            Some(Listening { line, lineage, proof, is_told: false, beats, usage: QueueUsage::new() });
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Err(Lost("there is no session".into())) };
        session.beat_if_due(max_staleness, tell)?;
        let batch = session.hear(max_staleness)?;
        if !session.is_told && !batch.is_empty() {
            session.is_told = true;
            let gap = self.past.gap(&session.lineage).or(Some(Gap::Reconnected));
            self.past = Past::Known(session.lineage.clone());
            tell(News::Opened { gap });
        }
        batch.tell(session.usage.is_crowded(), tell);
        Ok(())
    }

    fn close(&mut self) {
        self.session = None;
    }

    fn forget(&mut self) {
        self.past = Past::Forgotten;
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
    /// Sends a heartbeat when it is time for one, and looks after the queue of all notifications with it.
    fn beat_if_due(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        if self.proof.is_some() {
            return self.check_proof(max_staleness);
        }
        if self.beats.due(max_staleness) > Instant::now() {
            return Ok(());
        }
        let sql = format!(
            "SELECT {}, pg_catalog.pg_notification_queue_usage(), pg_catalog.pg_current_snapshot()",
            self.beats.next()
        );
        let rows = self.line.ask(&sql)?;
        let answer =
            rows.first().and_then(|row| Some((row.get(1)?.parse().ok()?, row.get(2)?.parse().ok()?)));
        let (usage, snapshot): (f64, Snapshot) =
            answer.ok_or_else(|| Lost("a heartbeat was answered by something else".into()))?;
        self.usage.look(usage, &snapshot).into_iter().for_each(|gap| tell(News::Gap(gap)));
        Ok(())
    }

    fn check_proof(&mut self, max_staleness: Duration) -> Result<(), Lost> {
        if self.beats.last.elapsed() < max_staleness.max(PROOF_PATIENCE) {
            return Ok(());
        }
        // Whatever server process that comes to.
        self.line.ask(UNLISTEN)?;
        Err(unheard())
    }

    /// Waits for a notification, and takes what else is there.
    fn hear(&mut self, max_staleness: Duration) -> Result<Batch, Lost> {
        let due = self.beats.due(max_staleness).saturating_duration_since(Instant::now());
        let patience = if self.proof.is_some() { PATIENCE } else { due.min(PATIENCE) };
        let mut batch = Batch::default();
        let mut next = self.line.client().notification(patience)?;
        while let Some(notification) = next {
            batch.add(notification.payload(), &mut self.beats, &mut self.proof);
            next = if batch.is_full() { None } else { self.line.client().next_notification() };
        }
        if self.line.client().is_closed() {
            return Err(Lost("the connection was closed".into()));
        }
        Ok(batch)
    }
}

impl Beats {
    fn new() -> Self {
        let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { name, number: 0, under_way: VecDeque::new(), last: Instant::now() }
    }

    /// When the next one is to be sent.
    fn due(&self, max_staleness: Duration) -> Instant {
        self.last + (max_staleness / BEATS_PER_LEASE).clamp(BEAT_PAUSE.0, BEAT_PAUSE.1)
    }

    /// The call that sends the next one, now.
    fn next(&mut self) -> String {
        self.number += 1;
        let text = format!("{}-{}", self.name, self.number);
        let call =
            format!("pg_catalog.pg_notify('cache_invalidation', '{{\"pgcache\":1,\"beat\":\"{text}\"}}')");
        if self.under_way.len() >= BEATS_UNDER_WAY {
            self.under_way.pop_front();
        }
        self.last = Instant::now();
        self.under_way.push_back((text, self.last));
        call
    }

    /// When the one with that text was sent, if it is ours. Those before it will not come any more.
    fn came(&mut self, text: &str) -> Option<Instant> {
        let place = self.under_way.iter().position(|(known, _)| known == text)?;
        self.under_way.drain(..=place).next_back().map(|(_, sent)| sent)
    }
}

/// What was heard at once.
#[derive(Default)]
struct Batch {
    notices: Vec<Notice>,
    bytes: usize,
    is_unreadable: bool,
    /// When the last heartbeat among it was sent.
    beat: Option<Instant>,
}

impl Batch {
    fn add(&mut self, payload: &str, beats: &mut Beats, proof: &mut Option<Line>) {
        self.bytes += payload.len();
        match Notice::parse(payload) {
            Some(Notice::Beat(text)) => {
                if let Some(sent) = beats.came(&text) {
                    self.beat = Some(sent);
                    *proof = None;
                }
            }
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
    fn tell(self, is_crowded: bool, tell: &mut Tell<'_>) {
        if !self.notices.is_empty() {
            tell(News::Notices(self.notices));
        }
        if self.is_unreadable {
            tell(News::Gap(Gap::Unreadable));
        }
        if let Some(sent) = self.beat.filter(|_| !is_crowded) {
            tell(News::Beat(sent));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(call: &str) -> String {
        let json = call.split('\'').nth(3).unwrap();
        match Notice::parse(json) {
            Some(Notice::Beat(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_heartbeat_that_comes_back_gives_up_those_before_it() {
        let mut beats = Beats::new();
        let (first, second, third) = (text(&beats.next()), text(&beats.next()), text(&beats.next()));
        let sent = beats.under_way[1].1;
        assert_eq!(beats.came(&second), Some(sent));
        assert_eq!(beats.came(&first), None);
        assert!(beats.came(&third).is_some());
        assert_eq!(beats.came("another's-1"), None);
    }

    #[test]
    fn heartbeats_keep_time_with_the_lease() {
        let beats = Beats::new();
        let pause = |ms| (beats.due(Duration::from_millis(ms)) - beats.last).as_millis();
        assert_eq!((pause(100), pause(1000), pause(2000), pause(60_000)), (50, 125, 250, 250));
    }

    #[test]
    fn a_batch_tells_what_it_holds_in_order() {
        let mut beats = Beats::new();
        let ours = text(&beats.next());
        let mut batch = Batch::default();
        for payload in [
            r#"{"pgcache":1,"rel":7}"#,
            "gibberish",
            r#"{"pgcache":1,"beat":"another's"}"#,
            &format!(r#"{{"pgcache":1,"beat":"{ours}"}}"#),
        ] {
            batch.add(payload, &mut beats, &mut None);
        }
        let mut told = Vec::new();
        batch.tell(false, &mut |news| told.push(format!("{news:?}")));
        assert!(told[0].starts_with("Notices([Table(Oid(7))])"), "{told:?}");
        assert!(told[1] == "Gap(Unreadable)" && told[2].starts_with("Beat("), "{told:?}");
    }
}
