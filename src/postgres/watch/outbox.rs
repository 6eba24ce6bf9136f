//! The feed by outbox: a table that triggers write notices to, polled from where the last look ended.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::feed::{Feed, Lost, Tell};
use super::line::Line;
use super::lineage::{Lineage, Past};
use super::look::{self, Head, Look};
use super::place::Place;
use super::snapshot::Doubts;
use super::trim::Trim;
use super::News;
use crate::cache::error::Error;
use crate::cache::lease::Gap;
use crate::cache::notice::Notice;
use crate::postgres::client::Shutdown;
use crate::postgres::connect::{Connector, NOTICES};
use crate::postgres::Pulses;
use crate::settings::SourceSettings;

/// The pause between two looks while something came within [`BUSY_FOR`], and otherwise.
const BUSY_PAUSE: Duration = Duration::from_millis(2);
const IDLE_PAUSE: Duration = Duration::from_millis(10);
const BUSY_FOR: Duration = Duration::from_secs(1);
/// How often a missing outbox is looked for, at most.
const ABSENT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// How often a look that found nothing is told.
const BEAT_PAUSE: Duration = Duration::from_millis(50);
/// How often the server is asked which one it is: behind a pooler it may be exchanged.
const LINEAGE_PAUSE: Duration = Duration::from_secs(1);
/// How much is told at once.
const BATCH_NOTICES: usize = 1000;

/// Polling on a connection of its own, or through a pooler: no look relies on the one before it in the session.
pub struct Outbox {
    connector: Connector,
    pulses: Arc<Pulses>,
    past: Past,
    place: Option<Place>,
    doubts: Doubts,
    session: Option<Polling>,
}

/// One session.
struct Polling {
    line: Line,
    lineage: Lineage,
    /// When that was asked.
    asked: Instant,
    is_told: bool,
    /// Prepared transactions, which survive a crash that their notices do not; taken by the first look.
    prepared: Vec<u32>,
    /// A gap that the next look is to tell, because what it sees is the first to be complete again.
    pending: Option<Gap>,
    due: Instant,
    /// Whether the last look found that no transaction which writes had begun or ended: then a glance will do.
    is_quiet: bool,
    last_notice: Option<Instant>,
    last_beat: Option<Instant>,
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
    ) -> Result<Self, Error> {
        let connector = Connector::new(settings, NOTICES, shutdown)?;
        let (past, doubts) = (Past::Nothing, Doubts::default());
        Ok(Self { connector, pulses, past, place: None, doubts, session: None })
    }
}

impl Feed for Outbox {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        let mut line = Line::open(&self.connector, &self.pulses)?;
        let lineage = Lineage::read(&mut line)?;
        let pending = self.past.gap(&lineage);
        let prepared = if pending.is_some() { look::prepared(&mut line)? } else { Vec::new() };
        let now = Instant::now();
        self.session = Some(Polling {
            line,
            lineage,
            asked: now,
            is_told: false,
            prepared,
            pending,
            due: now,
            is_quiet: false,
            last_notice: None,
            last_beat: None,
            trim: Trim::new(),
        });
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Err(Lost("there is no session".into())) };
        thread::sleep(session.due.saturating_duration_since(Instant::now()));
        session.line.expect_signs(max_staleness);
        let sent = Instant::now();
        let look = match &self.place {
            Some(place) if session.is_quiet && session.pending.is_none() => {
                look::glance(&mut session.line, place)?
            }
            place => look::look(&mut session.line, place.as_ref())?,
        };
        session.check_lineage(&look)?;
        match look {
            Look::Absent => self.absent(sent, max_staleness, tell),
            Look::Same { .. } => return self.same(sent, tell),
            Look::Seen(head) => self.seen(head, sent, tell)?,
        }
        Ok(())
    }

    fn close(&mut self) {
        self.session = None;
    }

    fn forget(&mut self) {
        self.past = Past::Forgotten;
        self.place = None;
        self.close();
    }
}

impl Outbox {
    /// There is no outbox, so no table is watched by it, and nothing can be missed.
    fn absent(&mut self, sent: Instant, max_staleness: Duration, tell: &mut Tell<'_>) {
        let gap = self.place.as_ref().and_then(Place::gap_when_absent);
        self.place = Some(Place::absent(sent));
        let Some(session) = &mut self.session else { return };
        let gap = session.pending.take().or(gap);
        session.tell_gap(gap, &mut self.past, tell);
        session.beat(sent, tell);
        session.due = Instant::now() + (max_staleness / 8).clamp(ABSENT_PAUSE.0, ABSENT_PAUSE.1);
    }

    /// Nothing has happened. When that is in doubt, the next look is a whole one.
    fn same(&mut self, sent: Instant, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let (Some(session), Some(place)) = (&mut self.session, &mut self.place) else { return Ok(()) };
        if session.pending.is_some() {
            return Ok(());
        }
        place.confirm(sent);
        session.beat(sent, tell);
        session.rest();
        session.trim.if_due(&mut session.line)
    }

    fn seen(&mut self, head: Head, sent: Instant, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.due = Instant::now() + IDLE_PAUSE;
        let Some(incarnation) = head.incarnation else {
            return look::incarnate(&mut session.line);
        };
        if head.is_full {
            // Only what is seen after that can be complete: the next look tells of it.
            session.due = Instant::now();
            session.pending = session.pending.or(Some(Gap::Overflow));
            if let (Some(renewed), Some(place)) = (look::relieve(&mut session.line)?, &mut self.place) {
                place.renew(renewed);
            }
            return Ok(());
        }
        let place = Place::at(head.snapshot, incarnation, sent);
        let gap = self.place.as_ref().and_then(|before| before.gap(&place, Instant::now()));
        // Another server has relieved a full outbox, or a crash has emptied it: what runs may have left something out.
        let was_emptied = gap == Some(Gap::Recreated) && self.place.as_ref().is_some_and(Place::is_present);
        let gap = session.pending.take().or(gap);
        session.tell_gap(gap, &mut self.past, tell);
        if let Some(gap) = self.doubts.ended(place.snapshot()).filter(|_| gap.is_none()) {
            tell(News::Gap(gap));
        }
        if let Some(cause) = gap.filter(|gap| *gap == Gap::Overflow).or(was_emptied.then_some(Gap::Recreated))
        {
            self.doubts.begin(cause, place.snapshot());
        }
        self.doubts.add(Gap::Recreated, &std::mem::take(&mut session.prepared), place.snapshot());
        let mut rows = head.rows;
        loop {
            session.tell_notices(&rows, tell);
            let (Some(before), Some(last)) = (&self.place, rows.last().filter(|_| look::is_full(&rows)))
            else {
                break;
            };
            rows = look::more(&mut session.line, before, place.snapshot(), last)?;
        }
        session.is_quiet = self.place.as_ref().is_some_and(|before| before.snapshot() == place.snapshot());
        self.place = Some(place);
        session.beat(sent, tell);
        session.rest();
        session.trim.if_due(&mut session.line)
    }
}

impl Polling {
    /// Asks from time to time, and at once when it is certain, whether another server answers.
    fn check_lineage(&mut self, look: &Look) -> Result<(), Lost> {
        let is_other = look.started().is_some_and(|started| started != self.lineage.started());
        if !is_other && self.asked.elapsed() < LINEAGE_PAUSE {
            return Ok(());
        }
        let lineage = Lineage::read(&mut self.line)?;
        self.asked = Instant::now();
        self.pending = lineage.gap_since(&self.lineage).or(self.pending);
        self.lineage = lineage;
        Ok(())
    }

    /// Tells of a gap, or that the session listens now.
    fn tell_gap(&mut self, gap: Option<Gap>, past: &mut Past, tell: &mut Tell<'_>) {
        *past = Past::Known(self.lineage.clone());
        if !std::mem::replace(&mut self.is_told, true) {
            tell(News::Opened { gap });
        } else if let Some(gap) = gap {
            tell(News::Gap(gap));
        }
    }

    fn tell_notices(&mut self, rows: &[look::Row], tell: &mut Tell<'_>) {
        for rows in rows.chunks(BATCH_NOTICES) {
            let notices: Vec<Notice> = rows.iter().filter_map(|row| Notice::parse(&row.notice)).collect();
            let is_unreadable = notices.len() < rows.len();
            self.last_notice = Some(Instant::now());
            // Notices are worth a heartbeat at once.
            self.last_beat = None;
            tell(News::Notices(notices));
            if is_unreadable {
                tell(News::Gap(Gap::Unreadable));
            }
        }
    }

    fn beat(&mut self, sent: Instant, tell: &mut Tell<'_>) {
        if self.last_beat.is_none_or(|last| last.elapsed() >= BEAT_PAUSE) {
            self.last_beat = Some(Instant::now());
            tell(News::Beat(sent));
        }
    }

    fn rest(&mut self) {
        let is_busy = self.last_notice.is_some_and(|last| last.elapsed() < BUSY_FOR);
        self.due = Instant::now() + if is_busy { BUSY_PAUSE } else { IDLE_PAUSE };
    }
}
