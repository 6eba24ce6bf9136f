//! The engine: everything that the main thread knows of tables, loads and waiting clients. No locks. It runs in any
//! [`Host`](host::Host): the server, or a map in tests.
//!
//! Workers bring rows and notices as messages; [`Engine::drain_messages`] applies them in the order they came.

pub mod catalog;
pub mod command_names;
pub mod events;
pub mod freshness;
pub mod host;
pub mod loads;
pub mod near;
pub mod overview;
pub mod queries;
pub mod records;
pub mod requests;
pub mod state;
pub mod store;
#[cfg(test)]
pub(crate) mod tests;

pub use catalog::lookup::{resolve_key, ResolvedKey};
pub use catalog::tables::Table;
pub use loads::waiter::{FlightWaiter, LoadedRow};
pub use requests::caller::Caller;
pub use requests::table_command::{Begun, Keys, TableCall, TableCommand};
pub use state::Engine;
pub use store::{Store, StoreKey};
