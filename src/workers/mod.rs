//! Worker threads: they talk to PostgreSQL and to nobody else. Plain Rust data goes in and comes out.

pub mod errand;
pub mod known;
pub mod listener;
pub mod mail;
pub mod queue;
pub mod threads;
pub mod watching;
