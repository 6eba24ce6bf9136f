//! The cache at work, on the server's main thread, which owns the truth: tables, flights, waiters. No locks.
//!
//! Workers bring rows and notices as messages; [`Engine::take_mail`] applies them in the order they came.

pub mod access;
pub mod announcements;
pub mod ask;
pub mod caller;
pub mod command;
pub mod command_names;
pub mod counters;
pub mod doubts;
pub mod drops;
pub mod entries;
pub mod epochs;
pub mod events;
pub mod freshness;
pub mod gather;
pub mod hooks;
mod installed;
pub mod landing;
pub mod listening;
pub mod lookup;
pub mod loose;
pub mod mutations;
pub mod notices;
pub mod on_table;
mod overtaken;
pub mod overview;
pub mod parked;
pub mod queries;
pub mod record;
pub mod refresh;
pub mod report;
pub mod resolve;
pub mod rows;
pub mod signing;
pub mod sources;
pub mod standing;
pub mod state;
pub mod store;
pub mod suspect;
pub mod sweep;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod ticket;
pub mod veto;
pub mod waiters;
pub mod watches;

pub(crate) use installed::catch_up;
pub use installed::{with, Installed};
pub use state::Engine;
