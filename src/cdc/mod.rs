//! Change data capture: how PostgreSQL is made to tell of changes, how it is listened to, and what its catalog says of definitions.

mod connection;
pub mod definitions;
pub mod feed;
pub mod flush;
mod in_doubt;
pub mod install;
mod known;
mod lost;
mod own;
mod secret;
mod urge;

pub(crate) use in_doubt::InDoubt;
pub use known::Known;
pub use lost::Lost;
pub use secret::Secret;
pub use urge::Urge;
