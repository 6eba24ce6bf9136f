//! Events as JSON objects on the channel `pg_cache_events`.

use std::cell::{Cell, RefCell};

use once_cell::unsync::OnceCell;

use super::event::Event;
use super::event_json;
use super::plugin::{EventContext, Plugin};
use crate::clock::unix_ms;
use crate::server::publish::{may_publish, publish};
use crate::server::{event_loop, Text};
use crate::settings::{EventTypes, PluginName, Settings};

/// The channel.
pub const CHANNEL: &[u8] = b"pg_cache_events";

/// More memory than this is given back when an event is made.
const MAX_MEMORY: usize = 1 << 16;

/// Publishes what the setting `events` names. A node of a cluster does while one of its own clients listens.
///
/// Nobody who subscribes is told so before the tick of the event loop ends: once an event has reached nobody, the further
/// ones of the same tick need not be made.
#[derive(Debug, Default)]
pub struct Events {
    /// The last turn in which nobody listened.
    unheard: Cell<Option<u64>>,
    /// The channel as the server takes it.
    channel: OnceCell<Text>,
    /// Memory in which events are made.
    memory: RefCell<Vec<u8>>,
}

impl Events {
    /// Publishes one. Returns how many clients listen.
    fn publish(&self, context: EventContext<'_>, what: &Event<'_>) -> usize {
        let channel = self.channel.get_or_init(|| Text::new(CHANNEL));
        if !may_publish(context.ctx, channel) {
            return 0;
        }
        let event = event_json::json_in(self.memory.take(), what, unix_ms());
        let listeners = publish(context.ctx, channel, &event);
        if event.capacity() <= MAX_MEMORY {
            self.memory.replace(event);
        }
        listeners
    }
}

impl Plugin for Events {
    fn name(&self) -> PluginName {
        PluginName::Events
    }

    fn subscribes_to(&self, settings: &Settings) -> EventTypes {
        settings.events
    }

    fn on_event(&self, context: EventContext<'_>, what: &Event<'_>) {
        let tick = event_loop::tick_number();
        let is_unheard = tick.is_some() && tick == self.unheard.get();
        if !is_unheard {
            let listeners = self.publish(context, what);
            self.unheard.set(tick.filter(|_| listeners == 0));
        }
    }
}
