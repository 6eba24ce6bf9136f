//! The cache at work, on the server's main thread, which owns the truth: tables, flights, waiters. No locks.
//!
//! Workers bring rows and notices as messages; [`Engine::drain_messages`] applies them in the order they came.

pub mod catalog;
pub mod command_names;
pub mod events;
pub mod freshness;
mod installed;
pub mod loads;
pub mod overview;
pub mod queries;
pub mod records;
pub mod requests;
pub mod state;
pub mod store;
#[cfg(test)]
mod tests;

pub(crate) use installed::catch_up;
pub use installed::{with, Installed};
pub use state::Engine;
