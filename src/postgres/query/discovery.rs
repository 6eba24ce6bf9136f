//! Discoveries: relations that only a run of a query has shown.

use std::time::Instant;

use super::QueryDescription;

/// What they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovery {
    /// What the catalog says of them.
    pub description: QueryDescription,
    /// When it was asked: what was heard since may be newer.
    pub asked: Instant,
}
