//! Events as JSON objects on the channel `pg_cache_events`. They name keys, never row data.

use super::occurrence::Occurrence;
use super::plugin::{Moment, Part, Plugin};
use crate::server::clock::unix_ms;
use crate::server::publish::publish;
use crate::settings::{EventType, Settings};

/// The channel.
pub const CHANNEL: &[u8] = b"pg_cache_events";

/// Publishes what the setting `events` names.
#[derive(Debug)]
pub struct Events;

impl Plugin for Events {
    fn parts(&self) -> &'static [Part] {
        &[
            Part::Hit,
            Part::Miss,
            Part::Load,
            Part::Error,
            Part::Write,
            Part::Invalidate,
            Part::TableFlush,
            Part::Expire,
            Part::Evict,
            Part::Source,
        ]
    }

    fn wants(&self, settings: &Settings, kind: EventType) -> bool {
        settings.events.contains(kind)
    }

    fn on_any(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        if moment.settings.events.contains(what.kind) {
            publish(moment.ctx, CHANNEL, json(what, unix_ms()).as_bytes());
        }
    }
}

/// The event of an occurrence at `ts_ms`.
fn json(what: &Occurrence<'_>, ts_ms: u64) -> String {
    let mut event = Event::new(what.kind, what.source, ts_ms);
    if let Some((_, table)) = what.table {
        event = event.text("table", table);
    }
    event = event.key(what.key);
    if let Some(ttl_s) = what.ttl_s {
        event = event.number("ttl", ttl_s.into());
    }
    if let Some(duration_us) = what.duration_us {
        event = event.number("duration_us", duration_us);
    }
    if let Some(error) = what.error {
        event = event.text("error", &error.code());
    }
    if let Some(reason) = what.reason {
        event = event.text("reason", reason);
    }
    event.finish()
}

/// One event on its way into JSON. The fields appear in the order they are added.
#[derive(Debug)]
struct Event {
    json: String,
}

impl Event {
    /// An event of `source` at `ts_ms` (milliseconds since 1970).
    fn new(kind: EventType, source: &str, ts_ms: u64) -> Self {
        let mut json = String::with_capacity(160);
        json.push_str("{\"type\":\"");
        json.push_str(kind.name());
        json.push('"');
        let event = Self { json }.text("source", source);
        event.number("ts", ts_ms)
    }

    /// Adds the lookup key as an object. `key` is canonical JSON; anything else is left out.
    fn key(mut self, key: &[u8]) -> Self {
        if let Some(key) = std::str::from_utf8(key).ok().filter(|key| key.starts_with('{')) {
            self.name("key");
            self.json.push_str(key);
        }
        self
    }

    /// Adds a text.
    fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        // A text always serialises.
        self.json.push_str(&serde_json::to_string(value).unwrap_or_default());
        self
    }

    /// Adds a number.
    fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        self.json.push_str(&value.to_string());
        self
    }

    fn name(&mut self, name: &str) {
        self.json.push_str(",\"");
        self.json.push_str(name);
        self.json.push_str("\":");
    }

    /// The JSON text.
    fn finish(mut self) -> String {
        self.json.push('}');
        self.json
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_json_object_whatever_the_names() {
        let what = Occurrence {
            source: "default",
            table: Some((1, "\"A\nb\"")),
            ttl_s: Some(60),
            ..Occurrence::new(EventType::CacheWrite).key(b"{\"id\":1}")
        };
        let json: serde_json::Value = serde_json::from_str(&json(&what, 5)).unwrap();
        assert_eq!(json["type"], "cache_write");
        assert_eq!(json["table"], "\"A\nb\"");
        assert_eq!(json["key"]["id"], 1);
        assert_eq!((&json["ts"], &json["ttl"]), (&5.into(), &60.into()));
    }
}
