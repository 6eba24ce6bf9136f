//! What watches the cache at work and tells others of it: one file each.

pub mod call;
pub mod events;
pub mod health;
pub mod metrics;
pub mod occurrence;
pub mod overview;
pub mod page;
pub mod plugin;
pub mod registry;
pub mod slowlog;
pub mod stats;
pub mod value;
