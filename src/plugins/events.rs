//! Events as JSON objects for the channel `pg_cache_events`. They name keys, never row data.

use crate::settings::EventType;

/// The channel.
pub const CHANNEL: &[u8] = b"pg_cache_events";

/// One event on its way into JSON. The fields appear in the order they are added.
#[derive(Debug)]
pub struct Event {
    json: String,
}

impl Event {
    /// An event of `source` at `ts_ms` (milliseconds since 1970).
    pub fn new(kind: EventType, source: &str, ts_ms: u64) -> Self {
        let mut json = String::with_capacity(160);
        json.push_str("{\"type\":\"");
        json.push_str(kind.name());
        json.push('"');
        let event = Self { json }.text("source", source);
        event.number("ts", ts_ms)
    }

    /// Adds the table, as it stands in cache keys.
    pub fn table(self, table: &str) -> Self {
        self.text("table", table)
    }

    /// Adds the lookup key as an object. `key` is canonical JSON; anything else is left out.
    pub fn key(mut self, key: &[u8]) -> Self {
        if let Some(key) = std::str::from_utf8(key).ok().filter(|key| key.starts_with('{')) {
            self.name("key");
            self.json.push_str(key);
        }
        self
    }

    /// Adds a text.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        // A text always serialises.
        self.json.push_str(&serde_json::to_string(value).unwrap_or_default());
        self
    }

    /// Adds a number.
    pub fn number(mut self, name: &str, value: u64) -> Self {
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
    pub fn finish(mut self) -> String {
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
        let event = Event::new(EventType::CacheWrite, "default", 5)
            .table("\"A\nb\"")
            .key(b"{\"id\":1}")
            .number("ttl", 60);
        let json: serde_json::Value = serde_json::from_str(&event.finish()).unwrap();
        assert_eq!(json["type"], "cache_write");
        assert_eq!(json["table"], "\"A\nb\"");
        assert_eq!(json["key"]["id"], 1);
        assert_eq!((&json["ts"], &json["ttl"]), (&5.into(), &60.into()));
    }
}
