//! Announcements: a master tells its replicas what its records say, so that they need not believe their keyspace.
//!
//! A replica cannot check a seal that was made with the key of another machine. What comes as a command over the replication
//! link nobody can send who only has the right to write a key.

use crate::cache::seal::Digest;

use crate::engine::records::record::{Record, Said};
use crate::engine::state::Engine;
use crate::engine::store::Store;

/// Milliseconds after which everything is said again: replicas of replicas copy themselves unseen.
const INTERVAL_MS: u64 = 30_000;

/// What stands for "there is none".
const NONE: &str = "none";

/// The records that are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordName {
    /// That of the hooks.
    Hooks,
    /// That of the queries.
    Queries,
    /// That of their changes since.
    QueryChanges,
}

impl RecordName {
    const ALL: [Self; 3] = [Self::Hooks, Self::Queries, Self::QueryChanges];

    fn word(self) -> &'static str {
        match self {
            Self::Hooks => "hooks",
            Self::Queries => "queries",
            Self::QueryChanges => "query-changes",
        }
    }

    /// The one that this word names.
    pub fn named(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word().as_bytes() == word)
    }
}

/// Reads what a record is announced to say; `None`: that is no announcement.
pub fn said(text: &[u8]) -> Option<Said> {
    if text == NONE.as_bytes() {
        return Some(None);
    }
    Digest::from_hex(text).map(Some)
}

impl Engine {
    /// Tells replicas what they may not have heard.
    pub fn announce_records(&mut self, store: impl Store, now_ms: u64) {
        if now_ms >= self.announce_ms {
            self.announce_ms = now_ms + INTERVAL_MS;
            self.announce_again();
        }
        self.announce_news(store);
    }

    /// Tells replicas what has changed.
    pub fn announce_news(&mut self, store: impl Store) {
        for name in RecordName::ALL {
            let Some(said) = self.record_named(name).event() else { continue };
            if store.may_write().is_ok() {
                let text = said.map_or_else(|| NONE.to_owned(), Digest::to_hex);
                store.announce(name.word(), &text);
                self.record_named(name).announced();
            }
        }
    }

    /// A replica has come, or it is time to say everything again.
    pub fn announce_again(&mut self) {
        RecordName::ALL.into_iter().for_each(|name| self.record_named(name).announce_again());
    }

    /// The master's word about one of its records.
    pub fn record_announced(&mut self, store: impl Store, name: RecordName, said: Said) {
        self.record_named(name).vouch(said);
        let key = match name {
            RecordName::Hooks => {
                self.read_hooks(store);
                self.hook_key()
            }
            RecordName::Queries => {
                self.read_definitions(store);
                self.definitions_key()
            }
            RecordName::QueryChanges => {
                self.read_definitions(store);
                self.definition_changes_key()
            }
        };
        self.record_named(name).check_word(store, &store.key(&key));
    }

    fn record_named(&mut self, name: RecordName) -> &mut Record {
        match name {
            RecordName::Hooks => &mut self.hook_record,
            RecordName::Queries => &mut self.query_record,
            RecordName::QueryChanges => &mut self.change_record,
        }
    }
}
