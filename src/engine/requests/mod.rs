//! Requests: commands on tables, and those of them that wait: for the catalog, for a plugin's word, for the end of a pause.

pub mod access;
pub mod before_command;
pub mod caller;
pub mod command;
pub mod deferred_write;
pub mod pending_command;
pub mod questions;
pub mod table_command;
pub mod waiting_clients;
pub mod watches;

use before_command::AwaitingPlugins;
use deferred_write::DeferredWrite;
use waiting_clients::Waiters;
use watches::Watches;

/// Clients and commands that wait.
#[derive(Debug, Default)]
pub struct Requests {
    /// Clients that wait.
    pub(in crate::engine) waiters: Waiters,
    /// WATCH commands that wait.
    watches: Watches,
    /// Commands that wait for plugins that may refuse them.
    pub(in crate::engine) awaiting_plugins: AwaitingPlugins,
    /// Changes that wait for the end of a pause.
    pub(in crate::engine) deferred: Vec<DeferredWrite>,
}
