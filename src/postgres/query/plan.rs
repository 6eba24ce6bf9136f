//! What is run for a query, and how much of it is taken.

/// What is run for a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryPlan {
    /// The statement, as the client wrote it.
    pub sql: String,
    /// What errors call it: `query top_users`, or `the query`.
    pub title: String,
}

/// How much of a result is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// The most rows.
    pub max_rows: usize,
    /// The most bytes of JSON.
    pub max_bytes: usize,
}
