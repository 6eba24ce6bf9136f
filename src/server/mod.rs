//! The server's side of the border: the only folder with `unsafe` code.
//!
//! Everything a server callback runs goes through [`guard`], every reply through [`reply`], every log line
//! through [`log`]. What other folders get from here is safe to use. This folder knows nothing of them but the values of
//! `cache` and `settings`: what happens it tells a [`Module`](module::Module).

#[macro_use]
mod api;

pub mod acl;
pub mod alloc;
pub mod blocked;
pub mod call;
mod categories;
pub mod client;
pub mod cluster;
pub mod command;
pub mod config;
mod config_file;
pub mod context;
pub mod defrag;
mod environment;
pub mod event_loop;
mod guard;
pub mod info;
pub mod keyspace;
pub mod lifecycle;
pub mod log;
pub mod module;
pub mod notifications;
pub mod publish;
pub mod replication;
pub mod reply;
pub mod scan;
pub mod server_events;
mod slot_migration;
pub mod text;
pub mod timer;
pub mod wakeup;

pub use acl::User;
pub use command::{Argument, ArgumentKind, Arguments, Spec};
pub use context::Context;
pub use text::Text;
