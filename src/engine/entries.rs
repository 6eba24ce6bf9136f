//! Entries: reading one for a client, storing what a load or a WRITE brought.

use crate::cache::entry::Entry;
use crate::cache::ttl::{self, Ttl};
use crate::server::clock::unix_ms;
use crate::server::context::Context;
use crate::server::keyspace::{self, Refusal, Stored};
use crate::server::reply::{self, Reply};
use crate::server::text::Text;

use super::state::Engine;
use super::tables::Table;

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
pub fn find<T>(ctx: Context<'_>, key: &Text, take: impl FnOnce(&[u8]) -> T) -> Found<T> {
    keyspace::read(ctx, key, |stored| match stored {
        Stored::Nothing => Found::Nothing,
        Stored::OtherType => Found::Foreign,
        Stored::Bytes(bytes) => match Entry::classify(bytes) {
            Entry::Row(row) => Found::Row(take(row)),
            Entry::Absent => Found::Absent,
            Entry::Foreign => Found::Foreign,
        },
    })
}

impl Engine {
    /// Passes the row under `key` of `table` to `take`, and counts what was found. A value of another's is a miss: the
    /// load replaces it. So is one that may be out of date: the load goes past it.
    pub fn look_up<T>(
        &mut self,
        ctx: Context<'_>,
        table: &Table,
        key: &Text,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Found<T> {
        if !self.may_serve(table, key.as_bytes()) {
            self.counters.misses += 1;
            self.counters.bypassed += 1;
            return Found::Nothing;
        }
        let found = find(ctx, key, take);
        match found {
            Found::Row(_) => self.counters.hits += 1,
            Found::Absent => {
                self.counters.hits += 1;
                self.counters.negative_hits += 1;
            }
            Found::Foreign => {
                self.counters.misses += 1;
                self.counters.foreign_values += 1;
            }
            Found::Nothing => self.counters.misses += 1,
        }
        found
    }

    /// The reply for what a READ found; a client that is still in its command gets the row without a copy.
    pub fn reply_from_cache(
        &mut self,
        ctx: Context<'_>,
        table: &Table,
        key: &Text,
        in_command: bool,
    ) -> Option<Reply> {
        let found = self.look_up(ctx, table, key, |row| {
            if in_command {
                reply::bulk(ctx, row);
                Reply::Sent
            } else {
                Reply::Bulk(row.into())
            }
        });
        match found {
            Found::Row(reply) => Some(reply),
            Found::Absent => Some(Reply::Nil),
            Found::Foreign | Found::Nothing => None,
        }
    }

    /// Stores an entry for `ttl_s` seconds (0: no expiry), spread by `ttl_jitter_percent`.
    pub fn store(&self, ctx: Context<'_>, key: &[u8], value: &[u8], ttl_s: u32) -> Result<(), Refusal> {
        let jitter = self.settings.get().ttl_jitter_percent;
        let expiry = ttl::expiry(Ttl::from_seconds(ttl_s), jitter, fastrand::u64(..));
        let at = expiry.map(|after| unix_ms() + after.as_millis() as u64);
        keyspace::store(ctx, &Text::new(key), value, at)
    }

    /// Stores what a load brought, unless it is too large or may not be written here.
    pub fn fill(&mut self, ctx: Context<'_>, key: &[u8], row: Option<&[u8]>, ttl_s: u32) {
        let settings = self.settings.get();
        let negative_ttl_s = ttl::whole_seconds(settings.negative_ttl);
        let (value, ttl_s) = match row {
            Some(row) => (row, ttl_s),
            None if negative_ttl_s == 0 => return,
            None => (&b"null"[..], ttl::shorter(negative_ttl_s, ttl_s)),
        };
        let stored = value.len() <= settings.max_entry_bytes && self.store(ctx, key, value, ttl_s).is_ok();
        if stored {
            self.counters.fills += 1;
        } else {
            self.counters.fills_skipped += 1;
        }
    }
}
