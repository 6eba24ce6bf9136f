//! Events as JSON objects on the channel `pg_cache_events`.

use super::event;
use super::occurrence::Occurrence;
use super::part::{Part, Parts};
use super::plugin::{Moment, Plugin};
use crate::server::clock::unix_ms;
use crate::server::publish::publish;
use crate::settings::{EventType, PluginName, Settings};

/// The channel.
pub const CHANNEL: &[u8] = b"pg_cache_events";

/// Publishes what the setting `events` names.
#[derive(Debug)]
pub struct Events;

impl Plugin for Events {
    fn name(&self) -> PluginName {
        PluginName::Events
    }

    fn parts(&self, settings: &Settings) -> Parts {
        EventType::ALL.into_iter().filter(|kind| settings.events.contains(*kind)).map(Part::of).collect()
    }

    fn on_any(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        // Sources that come and those that go share a part.
        if moment.settings.events.contains(what.kind) {
            publish(moment.ctx, CHANNEL, event::json(what, unix_ms()).as_bytes());
        }
    }
}
