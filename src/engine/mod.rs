//! The engine: everything that the main thread knows of tables, loads and waiting clients. No locks.
//!
//! Workers bring rows and notices as messages; [`Engine::drain_messages`] applies them in the order they came.

pub mod catalog;
pub mod command_names;
pub mod events;
pub mod freshness;
mod installed;
pub mod loads;
pub mod overview;
pub mod queries;
pub mod records;
pub mod requests;
pub mod state;
pub mod store;
#[cfg(test)]
mod tests;

pub use catalog::lookup::{resolve_key, ResolvedKey};
pub use catalog::tables::Table;
pub(crate) use installed::catch_up;
pub use installed::{with, Installed};
pub use loads::waiter::{FlightWaiter, LoadedRow};
pub use requests::caller::Caller;
pub use requests::command::{Command, Outcome};
pub use requests::table_command::{run_on_table, Keys, TableCall, TableCommand};
pub use state::Engine;
pub use store::{Store, StoreKey};
