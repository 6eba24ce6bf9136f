//! Near caches: clients that keep answers in their own process are told what to forget.
//!
//! Messages carry consecutive numbers. While nobody listens they are counted and not built, so that whoever was away for one sees the
//! gap. A message may come later than its change was applied, by less than a tick of the event loop: what it names is forgotten then.

mod heartbeat;
mod vouch;

use crate::cache::NearMessage;
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};

/// The channel. A node of a cluster adds its id: what it publishes reaches all nodes, and nobody listens there.
const CHANNEL: &str = "pg_cache_near";

/// What is told, and to whom.
#[derive(Debug)]
pub struct NearCaches {
    /// Which run of the module the numbers belong to.
    run: Box<str>,
    /// The number of the last message.
    seq: u64,
    /// Whether anybody has heard the last heartbeat.
    is_heard: bool,
    /// Messages that were not published yet.
    queue: Vec<Vec<u8>>,
    /// When the next heartbeat is due, on the clock that only goes forward.
    beat_ms: u64,
    /// The channel, once something was to be published.
    channel: Option<String>,
}

impl Default for NearCaches {
    fn default() -> Self {
        let run = format!("{:016x}", fastrand::u64(..)).into_boxed_str();
        Self { run, seq: 0, is_heard: false, queue: Vec::new(), beat_ms: 0, channel: None }
    }
}

impl NearCaches {
    /// Has `message` published soon, if anybody listens.
    pub fn tell(&mut self, message: NearMessage<'_>) {
        self.seq += 1;
        if self.is_heard {
            self.queue.push(message.to_json(&self.run, self.seq));
        }
    }

    /// Whether anybody listens: what takes work to tell is left out where nobody does. Then the number still has to be counted.
    pub fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// Where near caches listen; `None` for a moment after the start.
    pub fn channel(&self) -> Option<String> {
        self.channel.clone()
    }

    /// Whether something is to be published.
    pub fn is_due(&self) -> bool {
        !self.queue.is_empty()
    }
}

impl<H: Host> Engine<H> {
    /// Whether near caches are to be told of something soon.
    pub fn has_near_messages(&self) -> bool {
        self.near.is_due()
    }

    /// Publishes what is queued for near caches.
    pub fn publish_near_messages(&mut self, store: impl Store) {
        if !self.near.is_due() {
            return;
        }
        let queue = std::mem::take(&mut self.near.queue);
        let channel = self.near_channel(store);
        for message in &queue {
            store.publish(channel.as_bytes(), message);
        }
    }

    /// Where near caches listen to this server.
    fn near_channel(&mut self, store: impl Store) -> &str {
        self.near.channel.get_or_insert_with(|| match store.node_id() {
            Some(id) => format!("{CHANNEL}:{id}"),
            None => CHANNEL.to_owned(),
        })
    }

    /// The row of `table` whose cache key is `cache_key` has changed, or what the cache holds of it.
    pub(in crate::engine) fn tell_near_of_key(&mut self, table: &Table, cache_key: &[u8]) {
        match table.lookup_key_in(cache_key) {
            Some(lookup_key) if self.near.is_heard() => {
                self.near.tell(NearMessage::Rows { table: &table.name, keys: &[lookup_key.to_vec()] });
            }
            _ => self.near.tell(NearMessage::Table(&table.name)),
        }
    }

    /// Somebody else has changed the key `cache_key`.
    pub(in crate::engine) fn tell_near_of_foreign_change(&mut self, cache_key: &[u8]) {
        if !self.near.is_heard() {
            return self.near.tell(NearMessage::All);
        }
        let tables = self.catalog.tables.all();
        if let Some(table) = tables.iter().find(|table| table.lookup_key_in(cache_key).is_some()) {
            self.tell_near_of_key(table, cache_key);
        } else if let Some(name) = self.query_of_key(cache_key) {
            self.near.tell(NearMessage::Query(&name));
        }
    }
}
