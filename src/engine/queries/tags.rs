//! Tags at work: all queries that carry one are dropped at once.

use crate::cache::NearMessage;
use crate::engine::host::Host;
use crate::engine::{Engine, Store};
use crate::plugins::Event;
use crate::settings::EventType;

impl<H: Host> Engine<H> {
    /// Drops the entries of all queries that carry any of `tags`. Returns how many of the tags may have been carried.
    pub fn flush_tags(&mut self, store: impl Store, tags: &[&str]) -> usize {
        let mut tags = tags.to_vec();
        tags.sort_unstable();
        tags.dedup();
        tags.retain(|tag| self.queries.tags.drop_tag(tag, &self.queries.clock));
        if !tags.is_empty() {
            self.freshness.sweep.begin();
        }
        self.counters.tags_dropped += tags.len() as u64;
        for tag in &tags {
            self.near.tell(NearMessage::Tag(tag));
            let what = Event { tag: Some(tag), ..Event::new(EventType::TagInvalidate) };
            store.emit(&self.plugins, self.settings.get(), &what);
        }
        tags.len()
    }
}
