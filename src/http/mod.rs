//! The HTTP endpoint: what the cache does, for browsers and for Prometheus. Read only, on a thread of its own; it knows
//! nothing of the server and never waits for its main thread.

pub mod answer;
pub mod board;
mod connection;
mod endpoint;
pub mod host;
#[cfg(test)]
mod tests;

pub use board::Board;
pub use endpoint::Endpoint;
