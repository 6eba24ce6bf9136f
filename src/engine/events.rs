//! Which events the engine publishes, and when.

use std::rc::Rc;

use crate::cache::age::Age;
use crate::cache::error::Error;
use crate::cache::flight::Landed;
use crate::plugins::events::{Event, CHANNEL};
use crate::postgres::Transition;
use crate::server::clock::unix_ms;
use crate::server::context::Context;
use crate::server::notifications::Change;
use crate::server::publish::publish;
use crate::settings::EventType;

use super::state::Engine;
use super::tables::Table;
use super::ticket::{Brought, Ticket};

impl Engine {
    /// Publishes an event about one key, if its kind is switched on.
    pub fn publish_key(&self, ctx: Context<'_>, kind: EventType, table: &Table, key: &[u8]) {
        self.publish_with(ctx, kind, table, |event| event.key(key));
    }

    /// A row, or that there is none, was served from the cache.
    pub fn publish_hit(&self, ctx: Context<'_>, table: &Table, key: &[u8], age: Age) {
        self.publish_with(ctx, EventType::CacheHit, table, |event| match age {
            Age::Stale => event.key(key).text("reason", "stale"),
            Age::Fresh | Age::Due => event.key(key),
        });
    }

    /// Publishes an event about a table with what `add` adds to it.
    pub fn publish_with(
        &self,
        ctx: Context<'_>,
        kind: EventType,
        table: &Table,
        add: impl FnOnce(Event) -> Event,
    ) {
        if self.settings.get().events.contains(kind) {
            let source = self.sources.get(table.source).map_or("", |source| &source.name);
            let event = add(Event::new(kind, source, unix_ms()).table(&table.name));
            publish(ctx, CHANNEL, event.finish().as_bytes());
        }
    }

    /// A load came back: `cache_load`, or `cache_error`.
    pub fn publish_load(
        &self,
        ctx: Context<'_>,
        landed: &Landed<Ticket>,
        brought: &Result<Brought, Error>,
        duration_us: u64,
    ) {
        let kind = if brought.is_ok() { EventType::CacheLoad } else { EventType::CacheError };
        if !self.settings.get().events.contains(kind) {
            return;
        }
        let Some(table) = self.tables.by_id(landed.plan.table) else { return };
        let key = landed.key.get(landed.plan.prefix_len..).unwrap_or_default();
        self.publish_with(ctx, kind, &table, |event| match brought {
            Ok(_) => event.key(key).number("duration_us", duration_us),
            Err(error) => event.key(key).text("error", &error.code()),
        });
    }

    /// A whole table was dropped.
    pub fn publish_flush(&self, ctx: Context<'_>, table: &Rc<Table>) {
        self.publish_with(ctx, EventType::TableFlush, table, |event| event);
    }

    /// An entry expired or was evicted.
    pub fn publish_key_change(&self, ctx: Context<'_>, change: Change, cache_key: &[u8]) {
        let kind = match change {
            Change::Expired => EventType::CacheExpire,
            Change::Evicted => EventType::CacheEvict,
            Change::Touched => return,
        };
        if !self.settings.get().events.contains(kind) {
            return;
        }
        let tables = self.tables.all();
        let mut found = tables.iter().filter_map(|table| Some((table, table.lookup_key_in(cache_key)?)));
        if let Some((table, lookup_key)) = found.next() {
            self.publish_key(ctx, kind, table, lookup_key);
        }
    }

    /// A source came up or went down: once in the log, once on the channel.
    pub fn source_changed(&mut self, ctx: Context<'_>, transition: &Transition) {
        let kind = if transition.up { EventType::SourceUp } else { EventType::SourceDown };
        match &transition.reason {
            Some(reason) => log::warn!("source {} is down: {reason}", transition.source),
            None => log::info!("source {} is up", transition.source),
        }
        if self.settings.get().events.contains(kind) {
            let event = Event::new(kind, &transition.source, unix_ms());
            let event = match &transition.reason {
                Some(reason) => event.text("reason", reason),
                None => event,
            };
            publish(ctx, CHANNEL, event.finish().as_bytes());
        }
        if let Some(source) =
            self.sources.named(&transition.source).ok().and_then(|index| self.sources.get(index))
        {
            source.turned(transition.up);
        }
    }
}
