//! How far each source's change notices can be relied on, and what follows when they cannot.

use crate::cache::invisible::InvisibleTransactions;
use crate::cache::lease::{Lease, LeaseStatus};
use crate::cache::{Gap, Lsn, Progress};
use crate::cdc::InDoubt;
use crate::clock::monotonic_ms_of;
use crate::engine::catalog::sources::ActiveSource;
use crate::engine::freshness::masters_word::MastersWord;
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::settings::{Invalidation, OnGap};
use crate::workers::{FeedEvent, SourceIndex};

/// How often the log is told of notices that are not ours, in milliseconds.
const FOREIGN_PAUSE_MS: u64 = 60_000;

/// How many watched tables of a source are told by their names.
const MAX_NAMES: usize = 100;

/// What the main thread knows of each source's notices.
#[derive(Debug)]
pub struct Leases {
    sources: Vec<SourceFreshness>,
}

/// One source's.
#[derive(Debug)]
pub struct SourceFreshness {
    /// How changes are told.
    pub mode: Invalidation,
    /// The lease.
    pub lease: Lease,
    /// The position in the write-ahead log up to which every change was applied here; `None`: nobody knows.
    pub applied: Option<Lsn>,
    /// How far every change was applied here, where replicas have not been told.
    pub untold: Option<Progress>,
    /// On a replica: how far its master has applied them.
    pub word: MastersWord,
    /// Whether a session listens now.
    pub is_open: bool,
    /// Why the last session ended or could not be opened, until one is live.
    pub reason: Option<String>,
    /// What the log was told last, and when that was, in milliseconds on the clock that only goes forward.
    pub told: (LeaseStatus, u64),
    /// Notices that are not proven to be ours and were left out.
    pub foreign: u64,
    /// When the log was told of them last, on the same clock.
    foreign_told_ms: Option<u64>,
    /// Transactions that were told and may not be visible.
    pub invisible: InvisibleTransactions,
    /// Transactions that ran when notices were lost.
    pub(super) in_doubt: InDoubt,
}

impl Leases {
    /// Of sources that tell of changes in these ways.
    pub fn new(modes: impl Iterator<Item = Invalidation>) -> Self {
        let fresh = |mode| SourceFreshness {
            mode,
            lease: Lease::default(),
            applied: None,
            untold: None,
            word: MastersWord::default(),
            is_open: false,
            reason: None,
            told: (LeaseStatus::Connecting, 0),
            foreign: 0,
            foreign_told_ms: None,
            invisible: InvisibleTransactions::default(),
            in_doubt: InDoubt::default(),
        };
        Self { sources: modes.map(fresh).collect() }
    }

    /// That of one source.
    pub fn get(&self, source: SourceIndex) -> Option<&SourceFreshness> {
        self.sources.get(source)
    }

    /// That of one source.
    pub fn get_mut(&mut self, source: SourceIndex) -> Option<&mut SourceFreshness> {
        self.sources.get_mut(source)
    }

    /// The server has another master now, another data set of its master's, or none.
    pub fn forget_words(&mut self) {
        self.sources.iter_mut().for_each(|known| known.word.forget());
    }

    /// How many sources are known.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there is no source.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

impl SourceFreshness {
    /// Tells the log of a new state, and remembers why it is so.
    fn log(&mut self, state: LeaseStatus, name: &str, max_staleness_ms: u64, hits: Option<String>) {
        let was_suspect = self.told.0 == LeaseStatus::Suspect;
        match state {
            LeaseStatus::Connecting => {}
            LeaseStatus::Live => {
                self.reason = None;
                let again = if was_suspect { " again, and hits of watched tables are answered as always" } else { "" };
                log::info!("source {name}: change notices are live{again}");
            }
            LeaseStatus::Suspect => {
                let silence = || format!("no heartbeat came back for {max_staleness_ms} ms (max_staleness_ms)");
                let reason = self.reason.get_or_insert_with(silence);
                let hits = hits.map(|hits| format!("; {hits}")).unwrap_or_default();
                log::warn!("source {name}: change notices are suspect: {reason}{hits}");
            }
        }
    }
}

impl SourceFreshness {
    /// So many more notices were left out.
    fn left_out(&mut self, count: u64, name: &str, now_ms: u64) {
        self.foreign += count;
        if self.foreign_told_ms.is_none_or(|told_ms| now_ms >= told_ms + FOREIGN_PAUSE_MS) {
            self.foreign_told_ms = Some(now_ms);
            let total = self.foreign;
            log::warn!(
                "source {name}: {total} notices on cache_invalidation were not proven to be pgcache's and left out"
            );
        }
    }
}

impl<H: Host> Engine<H> {
    /// What a thread that listens to a source has to tell.
    pub fn on_feed_event(&mut self, store: impl Store, source: SourceIndex, event: FeedEvent) {
        let Some(freshness) = self.freshness.leases.get_mut(source) else { return };
        match event {
            FeedEvent::Opened { gap } => {
                freshness.is_open = true;
                if gap == Some(Gap::FailedOver) {
                    freshness.invisible.change_server();
                }
                if let Some(gap) = gap {
                    self.gap(store, source, gap);
                }
            }
            FeedEvent::Beat { sent, lsn, progress } => {
                freshness.lease.beat(monotonic_ms_of(sent));
                freshness.applied = freshness.applied.max(lsn);
                freshness.untold = progress.clone();
                if let Some(progress) = progress.filter(|_| store.is_replica()) {
                    freshness.word.beat(monotonic_ms_of(sent), progress);
                }
                // What kept the source from being live is over, also where its lease did not run out meanwhile.
                freshness.reason = None;
                self.pass_barriers(source, sent);
            }
            FeedEvent::Foreign(count) => freshness.left_out(count, self.sources.name(source), store.monotonic_ms()),
            FeedEvent::Gap(gap) => {
                if gap == Gap::Overflow && freshness.mode == Invalidation::Wal {
                    freshness.invisible.lose();
                }
                self.gap(store, source, gap);
            }
            FeedEvent::Closed(reason) => {
                freshness.is_open = false;
                freshness.applied = None;
                self.closed(source, reason);
            }
            FeedEvent::Uncompared(reason) => {
                let reason = format!("definitions cannot be compared: {reason}");
                freshness.reason.get_or_insert(reason);
            }
            FeedEvent::Notices { xid, notices } => self.queue_notices(source, xid, notices),
            FeedEvent::Snapshot(snapshot) => self.on_snapshot(store, source, &snapshot),
            FeedEvent::Applied(lsn) => freshness.applied = freshness.applied.max(Some(lsn)),
            FeedEvent::Fingerprints(seen) => self.compare_definitions(source, &seen),
            FeedEvent::Vocabulary(number) => self.compare_vocabulary(store, source, number),
        }
    }

    /// A session has ended or could not be opened. The log is told once of each reason, unless it knows that the source is down.
    fn closed(&mut self, source: SourceIndex, reason: String) {
        let Some(freshness) = self.freshness.leases.get_mut(source) else { return };
        if freshness.reason.as_ref() != Some(&reason) {
            if !self.sources.get(source).is_some_and(ActiveSource::is_down) {
                log::info!("source {}: no change notices for now: {reason}", self.sources.name(source));
            }
            freshness.reason = Some(reason);
        }
    }

    /// Looks after the leases at `now_ms`: tells the log when one begins or runs out.
    pub fn watch_leases(&mut self, now_ms: u64) {
        let max_staleness_ms = self.settings.get().max_staleness.as_millis() as u64;
        for source in 0..self.freshness.leases.len() {
            let Some(known) = self.freshness.leases.get(source).filter(|known| known.mode != Invalidation::Off) else {
                continue;
            };
            let state = known.lease.freshness(now_ms, max_staleness_ms);
            if state != known.told.0 {
                let active = self.sources.get(source);
                let hits = active.and_then(|active| self.hits_of(source, active, active.is_down(), now_ms));
                let Some(known) = self.freshness.leases.get_mut(source) else { continue };
                known.log(state, self.sources.name(source), max_staleness_ms, hits);
                known.told = (state, now_ms);
            }
        }
    }

    /// Something may have been missed: every watched table of the source starts a new epoch before its next hit.
    pub fn gap(&mut self, store: impl Store, source: SourceIndex, cause: Gap) {
        let Some(freshness) = self.freshness.leases.get_mut(source) else { return };
        freshness.lease.gap(cause);
        // Another server, or another timeline, has positions of its own.
        (freshness.applied, freshness.untold) = (None, None);
        freshness.word.ask_anew();
        self.counters.gaps += u64::from(cause != Gap::Connected);
        log_gap(self.sources.name(source), cause);
        if store.is_replica() {
            self.freshness.pending_invalidations.add_source(source, store.monotonic_ms());
        }
        self.drop_watched(source);
    }

    /// The same for every source.
    pub fn gap_everywhere(&mut self, store: impl Store, cause: Gap) {
        for source in 0..self.freshness.leases.len() {
            if self.freshness.leases.get(source).is_some_and(|known| known.mode != Invalidation::Off) {
                self.gap(store, source, cause);
            }
        }
    }

    /// How far a source's notices can be relied on at `now_ms`.
    pub fn freshness_of(&self, source: SourceIndex, now_ms: u64) -> LeaseStatus {
        let max_staleness_ms = self.settings.get().max_staleness.as_millis() as u64;
        self.freshness
            .leases
            .get(source)
            .map_or(LeaseStatus::Connecting, |known| known.lease.freshness(now_ms, max_staleness_ms))
    }

    /// The word for that, in HEALTH and in INFO.
    pub fn freshness_name(&self, source: SourceIndex, now_ms: u64) -> &'static str {
        match self.freshness.leases.get(source).map(|known| known.mode) {
            None | Some(Invalidation::Off) => "off",
            Some(Invalidation::Notify | Invalidation::Outbox | Invalidation::Wal) => {
                self.freshness_of(source, now_ms).name()
            }
        }
    }

    /// How many tables of a source are watched, of those that are known here.
    pub fn watched(&self, source: SourceIndex) -> usize {
        self.catalog.tables.of_source(source).filter(|table| table.definition.is_watched).count()
    }

    /// The names of the first of them, in the order of the alphabet.
    pub fn watched_names(&self, source: SourceIndex) -> Vec<String> {
        let watched = self.catalog.tables.of_source(source).filter(|table| table.definition.is_watched);
        let mut names: Vec<&str> = watched.map(|table| &*table.name).collect();
        names.sort_unstable();
        names.into_iter().take(MAX_NAMES).map(str::to_owned).collect()
    }

    /// Whether what stands under `key` of `table` may be served.
    pub fn may_serve(&self, store: impl Store, table: &Table, key: &[u8]) -> bool {
        self.may_rely_on(store, table) && !self.is_doubted(table, key)
    }

    /// Whether what stands under `key` of `table` is known to be out of date, or may be another node's.
    pub fn is_doubted(&self, table: &Table, key: &[u8]) -> bool {
        let (pending, imports) = (&self.freshness.pending_invalidations, &self.freshness.slot_imports);
        (!pending.is_empty() && pending.cover(table, key)) || imports.cover(key)
    }

    /// Whether what the cache holds of `table` may be served, and what is loaded may be stored: changes of a watched table
    /// are told, and those of any other are its time to live's matter.
    pub fn may_rely_on(&self, store: impl Store, table: &Table) -> bool {
        !table.definition.is_watched
            || self.freshness_of(table.source, store.monotonic_ms()) == LeaseStatus::Live
            || self.settings.get().on_gap == OnGap::Serve
    }
}

/// Tells the log of a gap. The first session is none to speak of: nobody has relied on notices before it.
fn log_gap(source: &str, cause: Gap) {
    match cause {
        Gap::Connected => {}
        Gap::Loaded => {
            log::info!("source {source}: watched tables start anew, since nobody heard of changes to what was saved");
        }
        cause => {
            log::info!("source {source}: a gap in the change notices ({}): watched tables start anew", cause.name());
        }
    }
}
