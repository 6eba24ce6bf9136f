//! What watches the cache at work and tells others of it: one file each.

pub mod acl;
pub mod asked;
pub mod call;
mod event;
pub mod events;
pub mod health;
pub mod hooks;
pub mod metrics;
pub mod occurrence;
pub mod overview;
pub mod page;
pub mod part;
pub mod plugin;
pub mod registry;
pub mod slowlog;
pub mod stats;
pub mod subject;
pub mod value;
