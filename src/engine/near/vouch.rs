//! Vouching: what a near cache has to know of an answer to keep it.

use crate::cache::canonical::write_string;
use crate::cache::lease::LeaseStatus;
use crate::cache::{Age, Reply};
use crate::engine::host::Host;
use crate::engine::loads::entries::Found;
use crate::engine::queries::{Query, Request};
use crate::engine::{Engine, ResolvedKey, Store, StoreKey, Table};
use crate::workers::SourceIndex;

/// What the cache vouches for.
#[derive(Debug)]
struct Vouched {
    /// What messages name it by: members of a JSON object.
    labels: Vec<u8>,
    /// The source that tells of its changes; `None`: nobody does.
    source: Option<SourceIndex>,
    /// What is left of its life; `None`: it does not end.
    ttl_ms: Option<u64>,
}

impl<H: Host> Engine<H> {
    /// What is to be known of the rows of `table` that the client is about to read, each as a JSON object, or `null` for a row that is
    /// not to be kept: the cache does not hold it, or does not vouch for it.
    pub fn vouch_for_rows<S: Store>(&self, store: S, table: &Table, keys: &[ResolvedKey<S::Key>]) -> Vec<Vec<u8>> {
        let may_vouch = self.may_vouch(store, table);
        let vouch = |key| self.vouch_for_row(store, table, key).filter(|_| may_vouch);
        keys.iter().map(|key| vouch(key).map_or(b"null".to_vec(), |vouched| self.told(&vouched))).collect()
    }

    /// Whether changes of `table`, if any are told, have been told as far as they have to be.
    fn may_vouch(&self, store: impl Store, table: &Table) -> bool {
        let freshness = || self.freshness_of(table.source, store.monotonic_ms());
        !table.definition.is_watched || freshness() == LeaseStatus::Live
    }

    fn vouch_for_row<S: Store>(&self, store: S, table: &Table, key: &ResolvedKey<S::Key>) -> Option<Vouched> {
        if self.is_doubted(table, key.cache_key.as_bytes()) {
            return None;
        }
        let (found, age) = self.find_aged(store, &key.cache_key, None, |_| ());
        if !matches!(found, Found::Row(()) | Found::Absent) || age == Age::Stale {
            return None;
        }
        let ((), left_ms) = store.read_with_ttl(&key.cache_key, |_| ());
        let ttl_ms = left_ms.map(|left_ms| match found {
            Found::Row(()) => self.ageing().life_ms(left_ms),
            Found::Absent | Found::Foreign | Found::Nothing => left_ms,
        });
        let mut labels = Vec::new();
        write_text_member("table", &table.name, &mut labels);
        match std::str::from_utf8(key.lookup_key()) {
            Ok(lookup_key) if !key.lookup.is_non_unique => write_text_member("key", lookup_key, &mut labels),
            _ => labels.extend_from_slice(b"\"key\":null,"),
        }
        Some(Vouched { labels, source: table.definition.is_watched.then_some(table.source), ttl_ms })
    }

    /// The same for the result of a query: its JSON object, or nil.
    pub fn vouch_for_query<S: Store>(&mut self, store: S, request: &Request, query: &Query, key: &S::Key) -> Reply {
        let tables = query.tables(&self.catalog.tables);
        let is_told = tables.iter().all(|table| self.may_vouch(store, table));
        if !is_told || !self.may_rely_on_query(store, query) {
            return Reply::Nil;
        }
        let found = self.with_rows(store, query, &request.tags, key, |_| ());
        let ((), ttl_ms) = store.read_with_ttl(key, |_| ());
        if !matches!(found, Found::Row(())) {
            return Reply::Nil;
        }
        let mut labels = Vec::new();
        write_text_member("query", &request.name, &mut labels);
        write_list("tables", tables.iter().map(|table| &*table.name), &mut labels);
        write_list("tags", request.tags.iter().map(|tag| &**tag), &mut labels);
        let is_watched = tables.iter().any(|table| table.definition.is_watched);
        let vouched = Vouched { labels, source: is_watched.then_some(query.source), ttl_ms };
        Reply::Buffer(self.told(&vouched))
    }

    fn told(&self, vouched: &Vouched) -> Vec<u8> {
        let mut json = vec![b'{'];
        write_text_member("run", &self.near.run, &mut json);
        json.extend_from_slice(&vouched.labels);
        match vouched.source {
            Some(source) => write_text_member("source", self.sources.name(source), &mut json),
            None => json.extend_from_slice(b"\"source\":null,"),
        }
        let ttl_ms = vouched.ttl_ms.map_or_else(|| "null".to_owned(), |ttl_ms| ttl_ms.to_string());
        json.extend_from_slice(b"\"ttl_ms\":");
        json.extend_from_slice(ttl_ms.as_bytes());
        json.push(b'}');
        json
    }
}

fn write_text_member(name: &str, text: &str, json: &mut Vec<u8>) {
    write_string(name, json);
    json.push(b':');
    write_string(text, json);
    json.push(b',');
}

fn write_list<'t>(name: &str, texts: impl Iterator<Item = &'t str>, json: &mut Vec<u8>) {
    write_string(name, json);
    json.extend_from_slice(b":[");
    for (index, text) in texts.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_string(text, json);
    }
    json.extend_from_slice(b"],");
}
