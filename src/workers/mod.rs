//! Worker threads: they talk to PostgreSQL and to nobody else. Plain Rust data goes in and comes out.

pub mod accounted;
pub mod errand;
pub mod group;
pub mod job;
pub mod listener;
pub mod mail;
pub mod pace;
pub mod plan;
mod querying;
pub mod queue;
pub mod threads;
mod turn;
pub mod watch_request;
mod watching;
