//! What watches the cache at work and tells others of it: one file each.
//!
//! A plugin is a struct that implements [`Plugin`](plugin::Plugin): it names the parts that it has and writes them.
//!
//! ```
//! use pgcache::plugins::occurrence::Occurrence;
//! use pgcache::plugins::part::{Part, Parts};
//! use pgcache::plugins::plugin::{Moment, Plugin};
//! use pgcache::settings::{PluginName, Settings};
//!
//! /// Misses by table, in the log.
//! #[derive(Debug)]
//! struct MissLog;
//!
//! impl Plugin for MissLog {
//!     fn name(&self) -> PluginName {
//!         PluginName::Events // a new one has a name of its own in `settings/plugin_names.rs`
//!     }
//!
//!     fn parts(&self, _: &Settings) -> Parts {
//!         [Part::Miss].into_iter().collect()
//!     }
//!
//!     fn on_miss(&self, _: Moment<'_>, what: &Occurrence<'_>) {
//!         log::info!("a miss in {}", what.table.map_or("", |(_, name)| name));
//!     }
//! }
//! ```

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
