//! One event as a JSON object. It names keys, never row data.

use std::io::Write;

use super::event::Event;
use crate::cache::canonical::write_string;

/// The event of an occurrence at `ts_ms`.
pub(super) fn json(what: &Event<'_>, ts_ms: u64) -> String {
    told(Vec::new(), what, ts_ms).finish()
}

/// The same in memory that was used before.
pub(super) fn json_in(memory: Vec<u8>, what: &Event<'_>, ts_ms: u64) -> Vec<u8> {
    told(memory, what, ts_ms).into_bytes()
}

fn told(memory: Vec<u8>, what: &Event<'_>, ts_ms: u64) -> EventJson {
    let mut event = EventJson::new_in(memory, what.kind.name());
    // A tag belongs to no source.
    if !what.source.is_empty() {
        event = event.text("source", what.source);
    }
    event = event.number("ts", ts_ms);
    if let Some((_, table)) = what.table {
        event = event.text("table", table);
    }
    if let Some(tag) = what.tag {
        event = event.text("tag", tag);
    }
    if let Some(query) = what.query {
        event = event.text("query", query);
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
    event
}

/// One event on its way into JSON. The fields appear in the order they are added.
#[derive(Debug)]
pub(super) struct EventJson {
    json: Vec<u8>,
}

impl EventJson {
    /// An event of type `kind`, a plain word.
    pub(super) fn new(kind: &str) -> Self {
        Self::new_in(Vec::new(), kind)
    }

    /// The same in memory that was used before.
    fn new_in(memory: Vec<u8>, kind: &str) -> Self {
        let mut json = memory;
        json.clear();
        json.reserve(256);
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
        write_string(value, &mut self.json);
        self
    }

    /// Adds a number.
    pub(super) fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        // A vector takes everything.
        let _written = write!(self.json, "{value}");
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
    pub(super) fn finish(self) -> String {
        // Made of texts alone.
        String::from_utf8(self.into_bytes()).unwrap_or_default()
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.json.push(b'}');
        self.json
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::EventType;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_arrives_as_it_is(text in any::<String>()) {
            let json: serde_json::Value =
                serde_json::from_str(&EventJson::new("some").text("text", &text).finish()).unwrap();
            prop_assert_eq!(json["text"].as_str(), Some(&*text));
        }
    }

    #[test]
    fn memory_that_was_used_before_holds_the_new_event_alone() {
        let what = Event::new(EventType::Hit);
        assert_eq!(json_in("{\"left\":\"over\"}".into(), &what, 5), json(&what, 5).into_bytes());
    }

    #[test]
    fn an_event_is_one_json_object_whatever_the_names() {
        let what = Event {
            source: "default",
            table: Some((1, "\"A\nb\"")),
            ttl_s: Some(60),
            ..Event::new(EventType::Write).key(b"p:{\"id\":1}", 2)
        };
        let json: serde_json::Value = serde_json::from_str(&json(&what, 5)).unwrap();
        assert_eq!(json["type"], "cache_write");
        assert_eq!(json["table"], "\"A\nb\"");
        assert_eq!(json["key"]["id"], 1);
        assert_eq!((&json["ts"], &json["ttl"]), (&5.into(), &60.into()));
        assert!(json.get("tag").is_none() && json.get("query").is_none(), "{json}");
    }

    #[test]
    fn the_event_of_a_tag_names_it() {
        let what = Event { source: "default", tag: Some("a\"b"), ..Event::new(EventType::TagInvalidate) };
        let wanted = r#"{"type":"tag_invalidate","source":"default","ts":5,"tag":"a\"b"}"#;
        assert_eq!(json(&what, 5), wanted);
    }

    #[test]
    fn the_event_of_a_query_names_it_and_has_no_key() {
        let cache_key = br#"pg_cache:@query:{"a":1}:[{"b":2}]"#;
        let what = Event { source: "default", query: Some(r#"{"a":1}"#), ..Event::new(EventType::Hit) };
        let wanted = r#"{"type":"cache_hit","source":"default","ts":5,"query":"{\"a\":1}"}"#;
        // Wherever its parameters are said to start: names and parameters may hold what looks like a lookup key.
        for prefix_len in 0..=cache_key.len() + 1 {
            assert_eq!(json(&what.key(cache_key, prefix_len), 5), wanted, "{prefix_len}");
        }
    }
}
