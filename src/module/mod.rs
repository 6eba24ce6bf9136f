//! The module: the engine at work in the server, where the server tells it of what happens and commands find it.

mod before_command;
pub mod command;
mod current;
mod hooks;
mod host;
mod installed;
mod table_command;

pub use command::{Command, Outcome, PluginCheck};
pub use current::{with, Engine};
pub use installed::Installed;
pub use table_command::run_on_table;
