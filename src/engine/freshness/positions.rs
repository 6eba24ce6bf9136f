//! Positions: how far into a source's write-ahead log changes were applied here, and whether that is far enough for a reader.
//!
//! A reader who names a position has read it from PostgreSQL after his own COMMIT. What is loaded from then on shows what he has written;
//! an entry does once all changes up to there were applied.

use crate::cache::lease::LeaseStatus;
use crate::cache::Lsn;
use crate::engine::host::Host;
use crate::engine::queries::Query;
use crate::engine::{Engine, Store, Table};
use crate::settings::Invalidation;
use crate::workers::SourceIndex;

impl<H: Host> Engine<H> {
    /// Whether what the cache holds of `table` may answer a reader who asks for no less than `min_lsn`.
    pub fn may_answer(&self, store: impl Store, table: &Table, min_lsn: Option<Lsn>) -> bool {
        self.may_rely_on(store, table) && min_lsn.is_none_or(|lsn| self.reaches(store, table, lsn))
    }

    /// Whether all changes of `table` up to `lsn` were applied here. A suspect source vouches for nothing, and nobody does
    /// for a table that is not watched.
    pub fn reaches(&self, store: impl Store, table: &Table, lsn: Lsn) -> bool {
        table.definition.is_watched && self.has_applied(store, table.source, lsn)
    }

    /// Whether all changes of what `query` reads up to `lsn` were applied here.
    pub fn query_reaches(&self, store: impl Store, query: &Query, lsn: Lsn) -> bool {
        query.is_tracked(&self.catalog.tables) && self.has_applied(store, query.source, lsn)
    }

    fn has_applied(&self, store: impl Store, source: SourceIndex, lsn: Lsn) -> bool {
        self.applied_lsn(source) >= Some(lsn) && self.freshness_of(source, store.monotonic_ms()) == LeaseStatus::Live
    }

    /// How far changes of `source` were applied.
    pub fn applied_lsn(&self, source: SourceIndex) -> Option<Lsn> {
        self.freshness.leases.get(source).and_then(|known| known.applied)
    }

    /// `min_lsn` where a load that began before now may not show it.
    pub fn unreached(&self, store: impl Store, table: &Table, min_lsn: Option<Lsn>) -> Option<Lsn> {
        min_lsn.filter(|lsn| self.is_told_early(table.source) || !self.reaches(store, table, *lsn))
    }

    /// The same for a query.
    pub fn unreached_by_query(&self, store: impl Store, query: &Query, min_lsn: Option<Lsn>) -> Option<Lsn> {
        min_lsn.filter(|lsn| self.is_told_early(query.source) || !self.query_reaches(store, query, *lsn))
    }

    /// Whether changes of `source` are applied before they are visible: a load that began afterwards may not see them.
    fn is_told_early(&self, source: SourceIndex) -> bool {
        self.freshness.leases.get(source).is_some_and(|known| known.mode == Invalidation::Wal)
    }
}
