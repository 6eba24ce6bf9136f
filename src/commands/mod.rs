//! One file per command: parse, ask the rules, reply.

pub mod flush;
pub mod health;
pub mod help;
pub mod inspect;
pub mod invalidate;
pub mod key;
pub mod multiread;
pub mod panic;
pub mod read;
pub mod slowlog;
pub mod stats;
pub mod watch;
pub mod write;
