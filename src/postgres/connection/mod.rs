//! Connections to a source: opening them, their pool, their sessions, and whether the source answers.

mod attempts;
pub(crate) mod client;
pub(crate) mod connect;
mod health;
mod identity;
pub(crate) mod isolation;
mod manager;
mod pool;
pub(crate) mod pooler;
pub(crate) mod pulses;
mod refusal;
pub(crate) mod replication;
mod session;
mod setup;
mod statements;
mod tls;
pub(crate) mod typed;
mod waiters;

pub use client::{Client, Shutdown};
pub use health::{Condition, HealthReport, OnTransition, Transition};
pub use identity::{Identity, Server};
pub use pool::{PooledSession, Source};
pub use pulses::Pulses;
pub use session::Session;
