//! Occurrences: what happens in the cache, as plugins are told of it.

use crate::cache::error::Error;
use crate::settings::EventType;

/// Something that has happened. Everything is borrowed: telling nobody costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// What.
    pub kind: EventType,
    /// The source's name.
    pub source: &'a str,
    /// The table's number, and its name as it stands in cache keys.
    pub table: Option<(u64, &'a str)>,
    /// The lookup key, as it stands in the cache key; empty: it is about no key.
    pub key: &'a [u8],
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

impl<'a> Occurrence<'a> {
    /// One of this kind, about nothing yet.
    pub const fn new(kind: EventType) -> Self {
        Self {
            kind,
            source: "",
            table: None,
            key: &[],
            is_negative: false,
            reason: None,
            ttl_s: None,
            duration_us: None,
            error: None,
        }
    }

    /// About the entry of this lookup key.
    pub const fn key(self, key: &'a [u8]) -> Self {
        Self { key, ..self }
    }

    /// With a reason.
    pub const fn reason(self, reason: &'a str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}
