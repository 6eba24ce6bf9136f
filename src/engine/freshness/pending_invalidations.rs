//! What is known to be out of date and cannot be removed here now: on a replica, whose master removes it, and while
//! replicas are paused. It is read through meanwhile.

use std::collections::HashMap;

use crate::cache::{Refusal, Stored};
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::workers::SourceIndex;

/// More keys than this are too many to remember: then the whole source is in doubt for a while.
const MAX_KEYS: usize = 100_000;

/// One key in doubt.
#[derive(Debug, Clone, Copy)]
struct PendingInvalidation {
    since_ms: u64,
    /// Whether the entry has gone since, or was not there to begin with.
    is_gone: bool,
}

/// Everything in doubt.
#[derive(Debug, Default)]
pub struct PendingInvalidations {
    keys: HashMap<Box<[u8]>, PendingInvalidation>,
    /// Tables by their number, with when a mass drop of each was told.
    tables: HashMap<u64, u64>,
    /// Until when each source is in doubt as a whole.
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

    /// `table` was dropped as a whole at `now_ms`, by another's word.
    pub fn add_table(&mut self, id: u64, now_ms: u64) {
        self.tables.insert(id, now_ms);
    }

    /// Everything of a source is in doubt until then.
    pub fn add_source(&mut self, source: SourceIndex, until_ms: u64) {
        self.sources.insert(source, until_ms);
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
                self.pending(store, table.source, key, !stands)
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
        self.counters.arrivals += 1;
        if self.freshness.pending_invalidations.keys.len() >= MAX_KEYS {
            self.drop_everything();
        } else {
            let arrival = PendingInvalidation { since_ms: store.monotonic_ms(), is_gone: false };
            self.freshness.pending_invalidations.keys.insert(key.into(), arrival);
        }
    }

    fn pending(&mut self, store: impl Store, source: SourceIndex, key: &[u8], is_gone: bool) {
        let now_ms = store.monotonic_ms();
        if self.freshness.pending_invalidations.keys.len() >= MAX_KEYS {
            let patience_ms = self.settings.get().max_staleness.as_millis() as u64;
            self.freshness.pending_invalidations.add_source(source, now_ms + patience_ms);
        } else {
            self.freshness
                .pending_invalidations
                .keys
                .insert(key.into(), PendingInvalidation { since_ms: now_ms, is_gone });
        }
    }

    /// The master has written or removed `key`. A value that it stored a moment ago may be older than our notice; once
    /// `max_staleness_ms` has passed, it has either heard the notice or stopped storing.
    pub fn pending_key_changed(&mut self, store: impl Store, key: &[u8]) {
        let patience_ms = self.settings.get().max_staleness.as_millis() as u64;
        let Some(pending) = self.freshness.pending_invalidations.keys.get_mut(key) else { return };
        let stands = store.read(&store.key(key), |stored| stored != Stored::Nothing);
        if !stands {
            pending.is_gone = true;
        } else if store.monotonic_ms() > pending.since_ms + patience_ms {
            self.freshness.pending_invalidations.keys.remove(key);
        }
    }

    /// Ends the doubts that have been settled: on a master that may write again by removing what was doubted, on a
    /// replica once the master's word has come.
    pub fn settle_pending_invalidations(&mut self, store: impl Store) {
        if self.freshness.pending_invalidations.is_empty() {
            return;
        }
        if store.is_replica() {
            self.settle_on_replica(store.monotonic_ms());
        } else if !store.is_paused() {
            for key in std::mem::take(&mut self.freshness.pending_invalidations.keys).into_keys() {
                // A refusal here means that the entry has gone already, or that the next pause began: asked again then.
                if store.remove(&store.key(&key)) == Err(Refusal::Paused) {
                    self.freshness
                        .pending_invalidations
                        .keys
                        .insert(key, PendingInvalidation { since_ms: store.monotonic_ms(), is_gone: false });
                }
            }
            self.freshness.pending_invalidations.tables.clear();
            self.freshness.pending_invalidations.sources.clear();
        }
    }

    fn settle_on_replica(&mut self, now_ms: u64) {
        let patience_ms = self.settings.get().max_staleness.as_millis() as u64;
        let is_old = |since_ms: u64| now_ms > since_ms + patience_ms;
        self.freshness.pending_invalidations.keys.retain(|_, pending| !(pending.is_gone && is_old(pending.since_ms)));
        self.freshness.pending_invalidations.sources.retain(|_, until_ms| now_ms < *until_ms);
        let tables = &self.catalog.tables;
        self.freshness.pending_invalidations.tables.retain(|id, since_ms| {
            // The master's record may have come a little before our own notice.
            let is_recorded = tables.by_id(*id).is_none_or(|table| table.recorded_ms.get() + patience_ms >= *since_ms);
            !(is_recorded && is_old(*since_ms))
        });
    }
}
