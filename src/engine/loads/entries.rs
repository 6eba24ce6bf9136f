//! Entries: reading one for a client, storing what a load or a WRITE brought.

use std::time::Duration;

use crate::cache::{ttl, Age, Entry, Lsn, Refusal, Reply, Stored, Ttl};
use crate::engine::host::{Callback, Host};
use crate::engine::{Engine, Store, StoreKey, Table};

/// What a look at the cache found.
#[derive(Debug)]
pub enum Found<T> {
    /// A row.
    Row(T),
    /// A row known to be absent.
    Absent,
    /// Somebody else's value.
    Foreign,
    /// Nothing.
    Nothing,
}

/// Passes the row under `key` to `take`. Nothing is counted.
pub fn find<S: Store, T>(store: S, key: &S::Key, take: impl FnOnce(&[u8]) -> T) -> Found<T> {
    store.read(key, |stored| emit(stored, take))
}

fn emit<T>(stored: Stored<'_>, take: impl FnOnce(&[u8]) -> T) -> Found<T> {
    match stored {
        Stored::Nothing => Found::Nothing,
        Stored::OtherType => Found::Foreign,
        Stored::Bytes(bytes) => match Entry::classify(bytes) {
            Entry::Row(row) => Found::Row(take(row)),
            Entry::Absent => Found::Absent,
            Entry::Foreign => Found::Foreign,
        },
    }
}

impl<H: Host> Engine<H> {
    /// Passes the row under `key` to `take`, and tells its age for a reader who asked for `ttl`. Only rows age: what is known
    /// to be absent has no grace. Nothing is counted.
    pub fn find_aged<S: Store, T>(
        &self,
        store: S,
        key: &S::Key,
        ttl: Option<Ttl>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> (Found<T>, Age) {
        let ageing = self.ageing();
        if ageing.is_off() {
            return (find(store, key, take), Age::Fresh);
        }
        let (found, left_ms) = store.read_with_ttl(key, |stored| emit(stored, take));
        let age = match found {
            Found::Row(_) => ageing.age(left_ms, self.ttl_s(ttl)),
            Found::Absent | Found::Foreign | Found::Nothing => Age::Fresh,
        };
        (found, age)
    }

    /// The same for a reader of `table`, and counts what was found. A value of another's is a miss: the load replaces it.
    /// So is one that may be out of date: the load goes past it. `is_reliable`: whether [`may_rely_on`](Self::may_rely_on)
    /// said so in this command, which looks at the clock.
    pub fn look_up<S: Store, T>(
        &mut self,
        store: S,
        table: &Table,
        is_reliable: bool,
        key: &S::Key,
        ttl: Option<Ttl>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> (Found<T>, Age) {
        if !is_reliable || self.is_doubted(table, key.as_bytes()) {
            self.counters.misses += 1;
            self.counters.bypassed += 1;
            return (Found::Nothing, Age::Fresh);
        }
        let (found, age) = self.find_aged(store, key, ttl, take);
        match found {
            Found::Row(_) => {
                self.counters.hits += 1;
                self.counters.stale_served += u64::from(age == Age::Stale);
            }
            Found::Absent => {
                self.counters.hits += 1;
                self.counters.negative_hits += 1;
            }
            Found::Foreign => {
                self.counters.misses += 1;
                self.counters.foreign_values += 1;
            }
            Found::Nothing => {
                self.counters.misses += 1;
                self.counters.misrouted += u64::from(!store.reaches(key.as_bytes()));
            }
        }
        (found, age)
    }

    /// The reply for what a READ found that asks for no less than `min_lsn`, and its age; a client that is still in its command
    /// gets the row without a copy.
    pub fn reply_from_cache(
        &mut self,
        ctx: H::Context<'_>,
        table: &Table,
        key: &H::Key,
        (ttl, min_lsn): (Option<Ttl>, Option<Lsn>),
        in_command: bool,
    ) -> Option<(Reply, Age)> {
        let is_reliable = self.may_answer(ctx, table, min_lsn);
        let (found, age) = self.look_up(ctx, table, is_reliable, key, ttl, |row| ctx.reply_with(row, in_command));
        match found {
            Found::Row(reply) => Some((reply, age)),
            Found::Absent => Some((Reply::Nil, age)),
            Found::Foreign | Found::Nothing => None,
        }
    }

    /// Stores an entry for `ttl_s` seconds (0: no expiry), spread by `ttl_jitter_percent`, and for `grace` on top. A row that
    /// is known to be absent has no grace: once it appears it must not stay nil.
    pub fn store(&mut self, store: impl Store, key: &[u8], value: &[u8], ttl_s: u32) -> Result<(), Refusal> {
        let grace = if value == Entry::ABSENT { Duration::ZERO } else { self.settings.get().grace };
        self.store_with_grace(store, key, value, ttl_s, grace)
    }

    /// The same with another grace.
    pub fn store_with_grace(
        &mut self,
        store: impl Store,
        key: &[u8],
        value: &[u8],
        ttl_s: u32,
        grace: Duration,
    ) -> Result<(), Refusal> {
        if !self.record_epochs(store) {
            // A command of a cluster cannot write the record, which is in another slot.
            let is_elsewhere = store.command_slot().is_some();
            return Err(if is_elsewhere { Refusal::Elsewhere } else { Refusal::Refused });
        }
        let jitter_percent = self.settings.get().ttl_jitter_percent;
        let life = ttl::expiry(Ttl::from_seconds(ttl_s), jitter_percent, fastrand::u64(..));
        let at = ttl::kept(life, grace).map(|after| store.unix_ms() + after.as_millis() as u64);
        store.put(&store.key(key), value, at)
    }

    /// Stores what a load brought, unless it is too large or may not be written here. What cannot take the place of an older
    /// entry ends it: PostgreSQL has told that it is out of date.
    pub fn fill(&mut self, store: impl Store, key: &[u8], row: Option<&[u8]>, ttl_s: u32) {
        let settings = self.settings.get();
        let (negative_ttl_s, max_bytes) = (ttl::whole_seconds(settings.negative_ttl), settings.max_entry_bytes);
        let (value, ttl_s) = match row {
            Some(row) => (row, ttl_s),
            None if negative_ttl_s == 0 => return self.discard(store, key),
            None => (Entry::ABSENT, ttl::shorter(negative_ttl_s, ttl_s)),
        };
        let stored = value.len() <= max_bytes && self.store(store, key, value, ttl_s).is_ok();
        if stored {
            self.counters.fills += 1;
        } else {
            self.counters.fills_skipped += 1;
            self.discard(store, key);
        }
    }

    /// Drops an entry that PostgreSQL has told to be out of date, if one stands under `key` and may be dropped here.
    pub fn discard(&self, store: impl Store, key: &[u8]) {
        let key = store.key(key);
        if matches!(find(store, &key, |_| ()), Found::Row(()) | Found::Absent) {
            // Refused on a replica and in a pause: it stays until its time has come.
            let _ = store.remove(&key);
        }
    }
}
