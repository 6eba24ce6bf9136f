//! Watching: how PostgreSQL is made to tell of changes, how it is listened to, and what it says of definitions.

mod comparison;
mod definitions;
pub mod feed;
pub mod fingerprint;
mod install;
mod key;
mod known;
mod line;
mod lineage;
mod look;
mod mode;
mod news;
mod notify;
mod outbox;
mod place;
mod question;
mod queue_usage;
mod script;
mod secret;
mod snapshot;
mod table;
mod template;
mod trim;
mod unproven;

pub use comparison::PAUSE as COMPARED_EVERY;
pub use definitions::Definitions;
pub use feed::{Feed, Lost};
pub use install::{add, del, is_told, list, sql, Watched};
pub use known::Known;
pub use mode::Mode;
pub use news::News;
pub use notify::Notify;
pub use outbox::Outbox;
pub use script::Script;
pub use secret::Secret;
