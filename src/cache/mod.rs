//! The rules of the cache: plain Rust, no I/O, no server.

pub mod age;
pub mod alias;
pub mod canonical;
pub mod entry;
pub mod epoch;
pub mod error;
pub mod flight;
pub mod key;
pub mod lease;
pub mod name;
pub mod notice;
pub mod rest;
pub mod spent;
pub mod table;
pub mod ttl;
