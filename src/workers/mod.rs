//! Worker threads: they talk to PostgreSQL and to nobody else. Plain Rust data goes in and comes out.

pub mod accounted;
pub mod batch;
mod batch_guard;
pub mod concurrency_limit;
mod heal;
pub mod job;
pub mod listener;
pub mod messages;
pub mod plan;
pub mod queue;
mod run_query;
mod run_watch;
pub mod threads;
pub mod watch_request;
pub mod worker;

pub use job::Job;
pub use messages::{FeedEvent, SourceIndex};
