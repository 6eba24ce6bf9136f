//! Plugins: access control, statistics, slow log, events, hooks and metrics, one file each.
//!
//! A plugin is a struct that implements [`Plugin`](plugin::Plugin): it subscribes to types of events and says what it does with them.
//!
//! ```
//! use pgcache::plugins::event::Event;
//! use pgcache::plugins::plugin::{EventContext, Plugin};
//! use pgcache::settings::{EventType, EventTypes, PluginName, Settings};
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
//!     fn subscribes_to(&self, _: &Settings) -> EventTypes {
//!         EventType::Miss.into()
//!     }
//!
//!     fn on_event(&self, _: EventContext<'_>, event: &Event<'_>) {
//!         log::info!("a miss in {}", event.table.map_or("", |(_, name)| name));
//!     }
//! }
//! ```

pub mod acl;
pub mod call;
pub mod command_start;
pub mod event;
mod event_json;
pub mod events;
pub mod health;
pub mod hooks;
pub mod metrics;
pub mod overview;
pub mod page;
pub mod plugin;
pub mod registry;
pub mod slowlog;
pub mod stats;
pub mod subject;
pub mod top_keys;

pub use event::Event;
pub use plugin::{EventContext, Plugin};
pub use registry::Plugins;
