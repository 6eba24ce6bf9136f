//! Events: what happens in the cache, as plugins are told of it.

use crate::cache::Error;
use crate::settings::EventType;

/// Something that has happened. Everything is borrowed: telling nobody costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// What.
    pub kind: EventType,
    /// The source's name.
    pub source: &'a str,
    /// The table's number, and its name as it stands in cache keys.
    pub table: Option<(u64, &'a str)>,
    /// The tag that was dropped.
    pub tag: Option<&'a str>,
    /// The query that it is about: the name of a defined one, the SHA-256 of free SQL. It has no table then.
    pub query: Option<&'a str>,
    /// The cache key; empty: it is about no key.
    pub cache_key: &'a [u8],
    /// Where in it the lookup key starts.
    pub prefix_len: usize,
    /// Whether it is about a row that does not exist.
    pub is_negative: bool,
    /// Why.
    pub reason: Option<&'a str>,
    /// For how many seconds an entry was written; 0: it does not expire.
    pub ttl_s: Option<u32>,
    /// How long PostgreSQL took, in microseconds.
    pub duration_us: Option<u64>,
    /// What went wrong.
    pub error: Option<&'a Error>,
}

impl<'a> Event<'a> {
    /// One of this kind, about nothing yet.
    pub const fn new(kind: EventType) -> Self {
        Self {
            kind,
            source: "",
            table: None,
            tag: None,
            query: None,
            cache_key: &[],
            prefix_len: 0,
            is_negative: false,
            reason: None,
            ttl_s: None,
            duration_us: None,
            error: None,
        }
    }

    /// About the entry under this cache key, in which the lookup key starts at `prefix_len`.
    pub const fn key(self, cache_key: &'a [u8], prefix_len: usize) -> Self {
        Self { cache_key, prefix_len, ..self }
    }

    /// The lookup key, as it stands in the cache key. That of a query has none.
    pub fn lookup_key(&self) -> &'a [u8] {
        if self.query.is_some() {
            return &[];
        }
        self.cache_key.get(self.prefix_len..).unwrap_or_default()
    }

    /// With a reason.
    pub const fn reason(self, reason: &'a str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}
