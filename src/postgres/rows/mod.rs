//! Rows: the statements that load them by lookup keys, whom each is for, and their JSON.

mod json;
pub use json::Form;
pub mod load;
mod routing;
pub mod statement;
