//! What is counted of a table.

use crate::plugins::Event;
use crate::settings::EventType;

/// One table's figures since the last reset.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// Its name as it stands in cache keys.
    pub name: String,
    /// Reads answered from memory, by key.
    pub hits: u64,
    /// Of these, rows known to be absent.
    pub negative_hits: u64,
    /// Reads that had to ask PostgreSQL, by key.
    pub misses: u64,
    /// Loads that PostgreSQL answered, by key.
    pub loads: u64,
    /// Commands that were refused, and loads that failed, by key.
    pub errors: u64,
    /// Entries that clients wrote.
    pub writes: u64,
    /// Entries that were invalidated, by commands and by notices.
    pub invalidations: u64,
    /// Times that the whole table was dropped.
    pub flushes: u64,
}

impl TableStats {
    /// Counts an event of the table.
    pub fn count(&mut self, event: &Event<'_>) {
        let figure = match event.kind {
            EventType::Hit => {
                self.negative_hits += u64::from(event.is_negative);
                &mut self.hits
            }
            EventType::Miss => &mut self.misses,
            EventType::Load => &mut self.loads,
            EventType::Error => &mut self.errors,
            EventType::Write => &mut self.writes,
            EventType::Invalidate => &mut self.invalidations,
            EventType::TableFlush => &mut self.flushes,
            _ => return,
        };
        *figure += 1;
    }

    /// Name and value of each, as STATS and INFO show them.
    pub fn figures(&self) -> [(&'static str, u64); 8] {
        [
            ("hits", self.hits),
            ("negative_hits", self.negative_hits),
            ("misses", self.misses),
            ("loads", self.loads),
            ("errors", self.errors),
            ("writes", self.writes),
            ("invalidations", self.invalidations),
            ("flushes", self.flushes),
        ]
    }

    /// How much there was to do with it.
    pub fn traffic(&self) -> u64 {
        self.hits + self.misses + self.writes
    }
}

/// Hits among reads, from 0 to 1; 0 without any.
pub fn hit_ratio(hits: u64, misses: u64) -> f64 {
    match hits + misses {
        0 => 0.0,
        reads => hits as f64 / reads as f64,
    }
}
