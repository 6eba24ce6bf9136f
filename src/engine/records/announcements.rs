//! Announcements: a master tells its replicas what its records say, so that they need not believe their keyspace.
//!
//! A replica cannot check a seal that was made with the key of another machine. What comes as a command over the replication
//! link nobody can send who only has the right to write a key.

use crate::cache::seal::Digest;
use crate::engine::host::Host;
use crate::engine::records::name::RecordName;
use crate::engine::records::record::Said;
use crate::engine::{Engine, Store};

/// Milliseconds after which everything is said again: replicas of replicas copy themselves unseen.
const INTERVAL_MS: u64 = 30_000;

/// What stands for "there is none".
const NONE: &str = "none";

/// Reads what a record is announced to say; `None`: that is no announcement.
pub fn said(text: &[u8]) -> Option<Said> {
    if text == NONE.as_bytes() {
        return Some(None);
    }
    Digest::from_hex(text).map(Some)
}

impl<H: Host> Engine<H> {
    /// Tells replicas what they may not have heard.
    pub fn announce_records(&mut self, store: impl Store, now_ms: u64) {
        if now_ms >= self.records.announce_ms {
            self.records.announce_ms = now_ms + INTERVAL_MS;
            self.records.announce_again();
        }
        self.announce_news(store);
    }

    /// Has replicas told everything again: one has connected, and is in the server's list at the next tick.
    pub fn announce_records_again(&mut self) {
        self.records.announce_again();
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
