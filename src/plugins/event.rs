//! One event as a JSON object. It names keys, never row data.

use super::occurrence::Occurrence;

/// The event of an occurrence at `ts_ms`.
pub(super) fn json(what: &Occurrence<'_>, ts_ms: u64) -> String {
    let mut event = Event::new(what.kind.name()).text("source", what.source).number("ts", ts_ms);
    if let Some((_, table)) = what.table {
        event = event.text("table", table);
    }
    event = event.key(what.lookup_key());
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
pub(super) struct Event {
    json: Vec<u8>,
}

impl Event {
    /// An event of type `kind`, a plain word.
    pub(super) fn new(kind: &str) -> Self {
        let mut json = Vec::with_capacity(256);
        json.extend_from_slice(b"{\"type\":\"");
        json.extend_from_slice(kind.as_bytes());
        json.push(b'"');
        Self { json }
    }

    /// Adds the lookup key as an object. `key` is canonical JSON; anything else is left out.
    pub(super) fn key(mut self, key: &[u8]) -> Self {
        if let Some(key) = std::str::from_utf8(key).ok().filter(|key| key.starts_with('{')) {
            self.name("key");
            self.json.extend_from_slice(key.as_bytes());
        }
        self
    }

    /// Adds a text.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        // A text always serialises, and a vector takes everything.
        let _written = serde_json::to_writer(&mut self.json, value);
        self
    }

    /// Adds a number.
    pub(super) fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        let _written = serde_json::to_writer(&mut self.json, &value);
        self
    }

    /// Adds lookup keys as a list of objects; see [`key`](Self::key).
    pub(super) fn keys<'k>(mut self, keys: impl Iterator<Item = &'k [u8]>) -> Self {
        self.name("keys");
        let texts = keys.filter_map(|key| std::str::from_utf8(key).ok());
        let objects: Vec<&str> = texts.filter(|key| key.starts_with('{')).collect();
        self.json.push(b'[');
        self.json.extend_from_slice(objects.join(",").as_bytes());
        self.json.push(b']');
        self
    }

    /// Adds yes or no.
    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.json.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    fn name(&mut self, name: &str) {
        self.json.extend_from_slice(b",\"");
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
    }

    /// The JSON text.
    pub(super) fn finish(mut self) -> String {
        self.json.push(b'}');
        // Made of texts alone.
        String::from_utf8(self.json).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::EventType;

    #[test]
    fn an_event_is_one_json_object_whatever_the_names() {
        let what = Occurrence {
            source: "default",
            table: Some((1, "\"A\nb\"")),
            ttl_s: Some(60),
            ..Occurrence::new(EventType::CacheWrite).key(b"p:{\"id\":1}", 2)
        };
        let json: serde_json::Value = serde_json::from_str(&json(&what, 5)).unwrap();
        assert_eq!(json["type"], "cache_write");
        assert_eq!(json["table"], "\"A\nb\"");
        assert_eq!(json["key"]["id"], 1);
        assert_eq!((&json["ts"], &json["ttl"]), (&5.into(), &60.into()));
    }
}
