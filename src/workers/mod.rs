//! Worker threads: they talk to PostgreSQL and to nobody else. Plain Rust data goes in and comes out.

pub mod errand;
pub mod listener;
pub mod mail;
pub mod pace;
pub mod queue;
pub mod threads;
pub mod watch_request;
mod watching;
