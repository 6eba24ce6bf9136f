//! Watching: how PostgreSQL tells of changes, and what it says of definitions.

pub mod feed;
pub mod fingerprint;
pub mod line;
mod lineage;
mod look;
mod news;
mod notify;
mod outbox;
mod place;
mod queue_usage;
mod snapshot;
mod trim;

pub use feed::{Feed, Lost};
pub use news::News;
pub use notify::Notify;
pub use outbox::Outbox;
