//! Announcements: a master tells its replicas what its records say, so that they need not believe their keyspace, and how far it has
//! applied changes, so that they know when what they have copied shows them.
//!
//! A replica cannot check a seal that was made with the key of another machine. What comes as a command over the replication
//! link nobody can send who only has the right to write a key.

use crate::cache::seal::Digest;
use crate::cache::Progress;
use crate::engine::host::Host;
use crate::engine::records::name::RecordName;
use crate::engine::records::record::Said;
use crate::engine::{Engine, Store};

/// Milliseconds after which everything is said again: replicas of replicas copy themselves unseen.
const INTERVAL_MS: u64 = 30_000;

/// Milliseconds between two words about how far changes were applied: what a replica doubts it reads through for about as long.
const PROGRESS_INTERVAL_MS: u64 = 1000;

/// What announces how far changes were applied.
pub const PROGRESS: &str = "progress";

/// What stands for "there is none".
const NONE: &str = "none";

/// Reads what a record is announced to say; `None`: that is no announcement.
pub fn said(text: &[u8]) -> Option<Said> {
    if text == NONE.as_bytes() {
        return Some(None);
    }
    Digest::from_hex(text).map(Some)
}

/// Reads how far changes were applied, and of which source; `None`: that is no announcement.
pub fn progress(text: &[u8]) -> Option<(Progress, &str)> {
    let (progress, source) = std::str::from_utf8(text).ok()?.split_once(' ')?;
    Some((progress.parse().ok()?, source))
}

impl<H: Host> Engine<H> {
    /// Tells replicas what they may not have heard.
    pub fn announce_records(&mut self, store: impl Store, now_ms: u64) {
        if now_ms >= self.records.announce_ms {
            self.records.announce_ms = now_ms + INTERVAL_MS;
            self.announce_records_again();
        }
        self.announce_news(store);
        self.announce_imports(store);
        self.announce_progress(store, now_ms);
    }

    /// Tells replicas how far changes were applied, once all that follows from them stands in what is replicated.
    fn announce_progress(&mut self, store: impl Store, now_ms: u64) {
        let is_all_done = self.catalog.is_recorded() && self.freshness.pending_invalidations.is_empty();
        if now_ms < self.records.announce_progress_ms || !is_all_done || store.may_write().is_err() {
            return;
        }
        self.records.announce_progress_ms = now_ms + PROGRESS_INTERVAL_MS;
        for (source, active) in self.sources.iter().enumerate() {
            let untold = self.freshness.leases.get_mut(source).and_then(|known| known.untold.take());
            if let Some(progress) = untold {
                store.announce(PROGRESS, &format!("{progress} {}", active.name));
            }
        }
    }

    /// The master's word about how far it has applied the changes of one source.
    pub fn progress_announced(&mut self, store: impl Store, progress: Progress, source: &str) {
        let Ok(source) = self.sources.named(source) else { return };
        if let Some(known) = self.freshness.leases.get_mut(source) {
            known.word.hear(store.monotonic_ms(), progress);
            self.settle_pending_invalidations(store);
        }
    }

    /// Has replicas told everything again: one has connected, and is in the server's list at the next tick.
    pub fn announce_records_again(&mut self) {
        self.records.announce_again();
        self.freshness.slot_imports.announce_again();
    }

    /// Tells replicas what has changed.
    pub fn announce_news(&mut self, store: impl Store) {
        for name in RecordName::ALL {
            let Some(said) = self.records.get(name).event() else { continue };
            if store.may_write().is_ok() {
                let text = said.map_or_else(|| NONE.to_owned(), Digest::to_hex);
                store.announce(name.word(), &text);
                self.records.get_mut(name).announced();
            }
        }
    }
}
