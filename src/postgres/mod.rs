//! PostgreSQL: connections, their pool, and what its errors mean. Nothing here knows the server we live in.

mod askers;
mod attempts;
pub mod catalog;
mod client;
mod connect;
mod error;
mod failure;
mod gate;
mod health;
mod isolation;
pub mod load;
mod manager;
mod ownership;
mod pool;
mod pulses;
pub mod query;
mod row_json;
mod session;
pub mod statement;
mod tls;
mod untyped;
pub mod watch;

pub use client::{Client, Shutdown};
pub use error::{error_from, is_lost, means_bad_data, means_catalog_changed};
pub use failure::Failure;
pub use health::{Condition, HealthReport, OnTransition, Transition};
pub use pool::{PooledSession, Source};
pub use pulses::Pulses;
pub use session::Session;
