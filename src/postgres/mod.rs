//! PostgreSQL: connections, its catalog, loading rows, running queries, and what its errors mean. Nothing here knows the server we
//! live in.

pub mod catalog;
pub mod connection;
mod error;
pub mod query;
pub mod rows;
mod session_error;
mod texts;
pub mod visibility;

pub use connection::{Client, Condition, HealthReport, Identity, OnTransition, PooledSession, Pulses};
pub use connection::{Server, Session, Shutdown, Source, Transition};
pub(crate) use error::reason;
pub use error::{error_from, is_lost, means_bad_data, means_catalog_changed};
pub use session_error::SessionError;
pub(crate) use texts::Texts;
