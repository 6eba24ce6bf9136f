//! Events as JSON objects on the channel `pg_cache_events`.

use std::cell::Cell;

use super::event;
use super::occurrence::Occurrence;
use super::part::{Part, Parts};
use super::plugin::{Moment, Plugin};
use crate::server::clock::unix_ms;
use crate::server::publish::publish;
use crate::server::turn;
use crate::settings::{EventType, PluginName, Settings};

/// The channel.
pub const CHANNEL: &[u8] = b"pg_cache_events";

/// Publishes what the setting `events` names.
///
/// Nobody who subscribes is told so before the turn of the event loop ends: once an event has reached nobody, the further
/// ones of the same turn need not be made.
#[derive(Debug, Default)]
pub struct Events {
    /// The last turn in which nobody listened.
    unheard: Cell<Option<u64>>,
}

impl Plugin for Events {
    fn name(&self) -> PluginName {
        PluginName::Events
    }

    fn parts(&self, settings: &Settings) -> Parts {
        EventType::ALL.into_iter().filter(|kind| settings.events.contains(*kind)).map(Part::of).collect()
    }

    fn on_any(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        // Sources that come and those that go share a part.
        let turn = turn::number();
        let is_unheard = turn.is_some() && turn == self.unheard.get();
        if !is_unheard && moment.settings.events.contains(what.kind) {
            let listeners = publish(moment.ctx, CHANNEL, event::json(what, unix_ms()).as_bytes());
            self.unheard.set(turn.filter(|_| listeners == 0));
        }
    }
}
