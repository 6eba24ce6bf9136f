//! A near cache of the model: it keeps answers by the rules of docs/clients.md, and hears messages late, or not at all.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{Model, Name, MAX_STALENESS_MS};

/// A row, or that there is none.
type Answer = Option<String>;

/// An answer that is kept.
#[derive(Debug)]
struct Kept {
    answer: Answer,
    /// The lookup key by which messages name it; `None`: any change of its table ends it.
    key: Option<String>,
    /// When its life ends.
    ends_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct NearCache {
    is_connected: bool,
    /// Messages on their way.
    coming: VecDeque<String>,
    kept: BTreeMap<String, Kept>,
    /// The run and the number of the last message.
    last: Option<(String, u64)>,
    /// When the last ping was sent that has come back.
    pinged_ms: Option<u64>,
    /// Until when it may answer.
    valid_until_ms: u64,
}

impl NearCache {
    fn lose(&mut self) {
        *self = Self { is_connected: self.is_connected, ..Self::default() };
    }

    fn hear(&mut self, message: &str) {
        let message: Value = serde_json::from_str(message).expect("messages are JSON");
        let (run, seq) = (message["run"].as_str().expect("a run"), message["seq"].as_u64().expect("a number"));
        if self.last.as_ref().is_some_and(|last| *last != (run.to_owned(), seq - 1)) {
            (self.kept, self.valid_until_ms) = (BTreeMap::new(), 0);
        }
        self.last = Some((run.to_owned(), seq));
        let names = |kept: &Kept, keys: &Vec<Value>| {
            kept.key.as_ref().is_none_or(|key| keys.iter().any(|named| named.as_str() == Some(key)))
        };
        match (message["sources"].as_object(), message["keys"].as_array()) {
            (Some(sources), _) => self.beat(&sources["default"]),
            (None, Some(keys)) => self.kept.retain(|_, kept| !names(kept, keys)),
            (None, None) => self.kept.clear(),
        }
    }

    fn beat(&mut self, source: &Value) {
        if let (Some(pinged_ms), Some(age_ms)) = (self.pinged_ms, source["age_ms"].as_u64()) {
            self.valid_until_ms = (pinged_ms + MAX_STALENESS_MS).saturating_sub(age_ms);
        }
    }
}

impl Model {
    /// Some time passes, and the near cache hears what has come so far, or some of it, or loses its connection, or has one again.
    pub(super) fn hear_near(&mut self, which: usize, how: u8) {
        self.pass(u64::from(how));
        self.tell_near();
        if how >= 248 {
            self.near.is_connected = !self.near.is_connected;
            self.cache.store.has_listener.set(self.near.is_connected);
            return self.near.lose();
        }
        let count = if how % 4 == 0 { which % (self.near.coming.len() + 1) } else { self.near.coming.len() };
        let heard: Vec<String> = self.near.coming.drain(..count).collect();
        heard.iter().for_each(|message| self.near.hear(message));
        if self.near.coming.is_empty() {
            // A ping goes to and fro.
            self.near.pinged_ms = Some(self.now_ms);
        }
    }

    /// The server publishes what is due.
    fn tell_near(&mut self) {
        let now_ms = crate::engine::Store::monotonic_ms(&self.cache.store);
        self.cache.engine.publish_near_messages(&self.cache.store);
        self.cache.engine.beat_near_caches(&self.cache.store, now_ms);
        let told = self.cache.store.take_published();
        if self.near.is_connected {
            self.near.coming.extend(told);
        }
    }

    /// The application reads a row through its near cache, and mostly waits until it has been loaded.
    pub(super) fn read_near_and_load(&mut self, client: usize, name: Name, which: usize) {
        self.read_near(client, name);
        if which % 4 != 0 {
            self.complete_all();
        }
    }

    fn read_near(&mut self, client: usize, name: Name) {
        let is_valid = self.now_ms < self.near.valid_until_ms;
        let kept = self.near.kept.get(&name.text()).filter(|_| is_valid);
        if let Some(kept) = kept.filter(|kept| kept.ends_ms.is_none_or(|ends_ms| self.now_ms < ends_ms)) {
            let oldest = self.state_when(name.row, self.now_ms.saturating_sub(MAX_STALENESS_MS));
            let shown = self.shown(name.row, kept.answer.as_deref(), oldest);
            assert!(shown.is_some(), "{name:?} is {:?} near by: older than state {oldest}", kept.answer);
            return;
        }
        let table = self.cache.table("t");
        let key = self.cache.resolve_key("t", &name.text());
        let vouched = self.cache.engine.vouch_for_rows(&self.cache.store, &table, &[key]).remove(0);
        let vouched: Value = serde_json::from_slice(&vouched).expect("it is JSON");
        let answer = self.read(client, name, None);
        if let (true, false, Some(answer)) = (is_valid, vouched.is_null(), answer) {
            let ends_ms = vouched["ttl_ms"].as_u64().map(|ttl_ms| self.now_ms + ttl_ms);
            let kept = Kept { answer, key: vouched["key"].as_str().map(Into::into), ends_ms };
            self.near.kept.insert(name.text(), kept);
        }
    }

    /// Whatever the near cache still keeps is what PostgreSQL holds, once it has heard everything.
    pub(super) fn check_near_at_rest(&mut self) {
        self.tell_near();
        self.hear_near(0, 1);
        let kept = std::mem::take(&mut self.near.kept);
        for (text, kept) in &kept {
            let row = super::row_of_key(text).0;
            let latest = self.latest(row);
            let is_latest = self.shown(row, kept.answer.as_deref(), latest).is_some();
            assert!(is_latest, "{text} is kept as {:?} near by, at rest", kept.answer);
        }
    }

    /// Makes the near cache listen from the beginning.
    pub fn with_near_cache(mut self) -> Self {
        self.near.is_connected = true;
        self.cache.store.has_listener.set(true);
        self
    }
}
