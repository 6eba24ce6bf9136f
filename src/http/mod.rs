//! The HTTP endpoint: what the cache does, for browsers and for Prometheus. Read only, on a thread of its own; it knows
//! nothing of the server and never waits for its main thread.

mod connection;
mod endpoint;
pub mod host;
pub mod routes;
pub mod snapshot_cell;
#[cfg(test)]
mod tests;

pub use endpoint::Endpoint;
pub use snapshot_cell::SnapshotCell;
