//! The catalog: which tables are known, how a name and a lookup key become a cache key, and generations, by which tables are dropped.

pub mod bulk_invalidation;
pub mod epochs;
pub mod key_columns;
pub mod lookup;
pub mod non_unique;
pub mod resolve;
pub mod sources;
pub mod tables;
