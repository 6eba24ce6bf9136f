//! What is known to be out of date and cannot be removed here now: on a replica, whose master removes it, and while
//! replicas are paused. It is read through meanwhile.

use std::collections::HashMap;

use crate::cache::{Refusal, Stored};
use crate::engine::catalog::sources::ActiveSource;
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::settings::Invalidation;
use crate::workers::SourceIndex;

/// More keys than this are too many to remember: then the whole source is in doubt for a while.
const MAX_KEYS: usize = 100_000;

/// Everything in doubt, each since a moment on the clock that only goes forward, in milliseconds.
#[derive(Debug, Default)]
pub struct PendingInvalidations {
    /// Keys, each with its source.
    keys: HashMap<Box<[u8]>, (SourceIndex, u64)>,
    /// Tables by their number, with their source: a mass drop of each was told.
    tables: HashMap<u64, (SourceIndex, u64)>,
    /// Sources as a whole.
    sources: HashMap<SourceIndex, u64>,
}

impl PendingInvalidations {
    /// Whether nothing is: what every hit asks first.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tables.is_empty() && self.sources.is_empty()
    }

    /// Whether what stands under `key` of `table` must not be served.
    pub fn cover(&self, table: &Table, key: &[u8]) -> bool {
        self.tables.contains_key(&table.id)
            || (table.definition.is_watched && self.sources.contains_key(&table.source))
            || self.keys.contains_key(key)
    }

    /// Whether nothing of a source's watched tables must be served.
    pub fn cover_source(&self, source: SourceIndex) -> bool {
        self.sources.contains_key(&source)
    }

    /// `table` was dropped as a whole at `now_ms`, by another's word.
    pub fn add_table(&mut self, table: &Table, now_ms: u64) {
        self.tables.insert(table.id, (table.source, now_ms));
    }

    /// Everything of a source is in doubt since `now_ms`.
    pub fn add_source(&mut self, source: SourceIndex, now_ms: u64) {
        self.sources.insert(source, now_ms);
    }

    /// What stands under `key`, of a table of `source`, is in doubt since `now_ms`.
    fn add_key(&mut self, source: SourceIndex, key: &[u8], now_ms: u64) {
        if self.keys.len() >= MAX_KEYS {
            self.add_source(source, now_ms);
        } else {
            self.keys.insert(key.into(), (source, now_ms));
        }
    }

    /// Ends what is settled: what of a source was in doubt at a moment.
    fn settle(&mut self, is_settled: impl Fn(SourceIndex, u64) -> bool) {
        self.keys.retain(|_, (source, since_ms)| !is_settled(*source, *since_ms));
        self.tables.retain(|_, (source, since_ms)| !is_settled(*source, *since_ms));
        self.sources.retain(|source, since_ms| !is_settled(*source, *since_ms));
    }

    /// Forgets everything: a master removes what is out of date by itself.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<H: Host> Engine<H> {
    /// Removes what stands under `key` of `table`; where that cannot be done now, it is not served meanwhile.
    pub fn remove_or_doubt(&mut self, store: impl Store, table: &Table, key: &[u8]) {
        let text = store.key(key);
        let stands = store.read(&text, |stored| stored != Stored::Nothing);
        let removed = if stands { store.remove(&text) } else { Ok(()) };
        match removed {
            Ok(()) if !store.is_replica() => {}
            Err(Refusal::Refused) => log::warn!("the server refused to remove an entry of {}", table.name),
            Ok(()) | Err(Refusal::Paused | Refusal::NotMaster | Refusal::Elsewhere) => {
                self.freshness.pending_invalidations.add_key(table.source, key, store.monotonic_ms());
            }
        }
    }

    /// Somebody else has put something under a cache key of this node: it came with a slot that was another node's, or was restored.
    /// Nobody knows which notices it has missed, so that it goes before it is served.
    pub fn drop_arrival(&mut self, store: impl Store, key: &[u8]) {
        let is_record = self.is_foreign_record(key);
        let is_entry = !is_record && !self.is_at_home(key);
        if !is_record && !is_entry || store.read(&store.key(key), |stored| stored == Stored::Nothing) {
            return;
        }
        if self.freshness.pending_invalidations.keys.len() >= MAX_KEYS {
            self.counters.arrivals += 1;
            self.drop_everything();
        } else {
            // The server tells of its value, and then of its expiry.
            self.counters.arrivals += u64::from(!self.freshness.pending_invalidations.keys.contains_key(key));
            // Whose it is nobody asks: it is removed in the next tick.
            self.freshness.pending_invalidations.add_key(0, key, store.monotonic_ms());
        }
    }

    /// The same on a replica, whose master drops what has come a moment later. The module itself stores nothing by RESTORE.
    pub fn doubt_arrival(&mut self, store: impl Store, key: &[u8]) {
        let source = self.source_of(key);
        // Where nobody tells of changes an entry may be as old as its time to live allows, wherever it comes from.
        let is_told = self.freshness.leases.get(source).is_some_and(|known| known.mode != Invalidation::Off);
        if is_told {
            self.freshness.pending_invalidations.add_key(source, key, store.monotonic_ms());
        }
    }

    /// The source that a cache key names.
    fn source_of(&self, key: &[u8]) -> SourceIndex {
        let name = &key[self.settings.get().cache_prefix.len().min(key.len())..];
        let is_named = |source: &ActiveSource| !source.prefix.is_empty() && name.starts_with(source.prefix.as_bytes());
        self.sources.iter().position(is_named).unwrap_or_default()
    }

    /// Ends the doubts that have been settled: on a master that may write again by removing what was doubted, on a
    /// replica once its master's word has come.
    pub fn settle_pending_invalidations(&mut self, store: impl Store) {
        if self.freshness.pending_invalidations.is_empty() {
            return;
        }
        if store.is_replica() {
            let leases = &self.freshness.leases;
            let is_said = |source, since_ms| leases.get(source).is_none_or(|known| known.word.covers(since_ms));
            self.freshness.pending_invalidations.settle(is_said);
        } else if !store.is_paused() {
            self.remove_pending(store);
        }
    }

    fn remove_pending(&mut self, store: impl Store) {
        let pending = std::mem::take(&mut self.freshness.pending_invalidations);
        for (key, (source, _)) in pending.keys {
            // A refusal here means that the entry has gone already, or that the next pause began: asked again then.
            if store.remove(&store.key(&key)) == Err(Refusal::Paused) {
                self.freshness.pending_invalidations.add_key(source, &key, store.monotonic_ms());
            }
        }
        // Some of their keys were too many to remember.
        pending.sources.into_keys().for_each(|source| self.drop_watched(source));
    }
}
