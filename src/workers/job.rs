//! What workers do besides loads.

use std::sync::Arc;

use super::watch_request::Watching;
use crate::postgres::query::QueryPlan;

/// A worker's job that is no load.
#[derive(Debug)]
pub enum Job {
    /// Read the catalog for the relation that this text names.
    Describe(String),
    /// Read it again for a relation that is known.
    Redescribe {
        /// Its `pg_class.oid`.
        oid: u32,
        /// Its name, as `regclass` prints it.
        name: String,
    },
    /// Ask what a query reads.
    DescribeQuery(Arc<QueryPlan>),
    /// Do what a WATCH command asks for.
    Watch {
        /// Under which number the answer is waited for.
        number: u64,
        /// What.
        what: Watching,
    },
    /// Panic: what the project's own tests ask for, to see that the server lives on.
    Panic,
    /// End the thread that takes it.
    Stop,
}
