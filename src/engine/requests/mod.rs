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
