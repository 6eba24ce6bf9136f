//! The catalog: which tables are known, how a name and a lookup key become a cache key, and epochs, by which tables are dropped.

pub mod bulk_invalidation;
pub mod epochs;
pub mod key_columns;
pub mod lookup;
pub mod non_unique;
pub mod resolve;
pub mod sources;
pub mod tables;

use std::cell::RefCell;

use bulk_invalidation::BulkInvalidations;
use tables::Tables;

use crate::cache::alias::Aliases;
use crate::engine::Table;

/// Tables, names and epochs.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The memo of tables.
    pub(in crate::engine) tables: Tables,
    /// Lookup keys whose canonical form PostgreSQL has told.
    pub(in crate::engine) aliases: Aliases,
    /// Mass drops, which tables follow one by one.
    bulk_invalidations: BulkInvalidations,
    /// The epoch that every table has reached at least, once everything was flushed.
    pub(in crate::engine) everything_epoch: Option<u64>,
    /// Whether the records of the tables' epochs may be missing from the keyspace.
    epochs_are_due: bool,
    /// Where cache keys and arrays of rows are put together.
    scratch: RefCell<Vec<u8>>,
}

impl Catalog {
    /// The keyspace may have lost the records of the tables' epochs.
    pub fn lose_epochs(&mut self) {
        self.epochs_are_due = true;
    }

    /// Whether a mass drop was told that `table` has not followed.
    pub fn is_dropped(&self, table: &Table) -> bool {
        self.bulk_invalidations.hit(table)
    }

    /// Whether all tables have followed what was dropped, and their records say so.
    pub fn is_recorded(&self) -> bool {
        !self.epochs_are_due && !self.bulk_invalidations.is_due()
    }
}
