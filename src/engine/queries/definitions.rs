//! Definitions of queries: where they are saved, and how others come by them.

use crate::cache::error::Error;
use crate::cache::named_query::{NamedQueries, NamedQuery};
use crate::cache::query_changes::QueryChanges;
use crate::server::acl::{Access, User};
use crate::server::context::Context;
use crate::server::text::Text;

use super::request::{no_such_query, stem, NAMED};
use crate::engine::command_names;
use crate::engine::state::Engine;
use crate::engine::store::Store;

impl Engine {
    /// Defines a query, in the place of one that has its name.
    pub fn define_query(&mut self, store: impl Store, query: NamedQuery) {
        let name = query.name.clone();
        self.queries.named.define(query);
        self.save_definition(store, &name);
    }

    /// Removes a definition, and with it what it has brought. `ERR` when there is none.
    pub fn remove_query(&mut self, store: impl Store, name: &str) -> Result<(), Error> {
        if !self.queries.named.remove(name) {
            return Err(no_such_query());
        }
        let cache_prefix = self.settings.get().cache_prefix.clone();
        for source in self.sources.iter() {
            let stem = stem(&cache_prefix, &source.prefix, NAMED, name);
            self.queries.forget(&stem);
        }
        self.save_definition(store, name);
        Ok(())
    }

    /// Reads the records once, and writes them when they are due.
    pub fn keep_definitions(&mut self, store: impl Store) {
        self.know_definitions(store);
        self.restore_definitions(store);
    }

    /// Writes the records when somebody else may have changed them.
    pub fn restore_definitions(&mut self, store: impl Store) {
        if self.query_record.is_due() || self.change_record.is_due() {
            self.save_definitions(store);
        }
    }

    /// Reads the records, if the data set is there and they were not read yet.
    pub fn know_definitions(&mut self, store: impl Store) {
        if !self.query_record.is_read() && !store.is_loading() {
            self.read_definitions(store);
        }
    }

    /// Somebody else has changed a key. On a replica that may have been what its master has announced; on a master nobody
    /// else writes it.
    pub fn definitions_key_changed(&mut self, store: impl Store, key: &[u8]) {
        let is_whole = key == self.definitions_key();
        if !is_whole && key != self.definition_changes_key() {
            return;
        }
        let record = if is_whole { &mut self.query_record } else { &mut self.change_record };
        if !store.is_replica() {
            record.touched(store, &store.key(key));
        } else if record.is_vouched() {
            self.read_definitions(store);
        }
    }

    /// Takes over what the records say, as far as they are to be believed. Changes of another record than the one that stands there
    /// say nothing.
    pub fn read_definitions(&mut self, store: impl Store) {
        let (key, changes_key) = (self.definitions_key(), self.definition_changes_key());
        let saved = self.query_record.read(store, &store.key(&key), &mut self.signing, NamedQueries::read);
        let changes =
            self.change_record.read(store, &store.key(&changes_key), &mut self.signing, QueryChanges::read);
        if saved.is_none() && changes.is_none() {
            return;
        }
        saved.into_iter().for_each(|saved| self.queries.saved = saved);
        changes.into_iter().for_each(|changes| self.queries.changes = changes);
        self.queries.named = self.queries.saved.clone();
        if self.queries.changes.follow(self.query_record.said()) {
            self.queries.changes.apply(&mut self.queries.named);
        }
    }

    /// `NOPERM` unless `user` may do `access` by PGCACHE.DEFINE with the record of the definitions.
    pub fn may_define(&mut self, ctx: Context<'_>, user: &User, access: Access) -> Result<(), Error> {
        let key = Text::new(&self.definitions_key());
        self.may_access(ctx, user, command_names::DEFINE, &[&key], access)
    }

    /// Where the record stands.
    pub fn definitions_key(&self) -> Vec<u8> {
        format!("{}@queries", self.settings.get().cache_prefix).into_bytes()
    }

    /// Where the record of what has become of them since stands.
    pub fn definition_changes_key(&self) -> Vec<u8> {
        format!("{}@queries.changes", self.settings.get().cache_prefix).into_bytes()
    }

    /// Saves what has become of the definition called `name`: beside the others where they are many, and now and then with them.
    fn save_definition(&mut self, store: impl Store, name: &str) {
        let (queries, base) = (&mut self.queries, self.query_record.said());
        let is_settled = self.query_record.is_settled() && self.change_record.is_settled();
        if !is_settled || !queries.changes.follow(base) || !queries.changes.have_room(queries.named.len()) {
            return self.save_definitions(store);
        }
        queries.changes.put(name, queries.named.find(name).cloned());
        let record = queries.changes.write();
        let key = store.key(&self.definition_changes_key());
        self.change_record.save(store, &key, &mut self.signing, Some(&record));
    }

    /// Saves all definitions as a whole. The record of none is no record.
    ///
    /// That there is none replicas are told at once: later nobody would know that there was something.
    pub fn save_definitions(&mut self, store: impl Store) {
        let key = store.key(&self.definitions_key());
        let named = &self.queries.named;
        let record = (!named.is_empty()).then(|| named.write());
        self.query_record.save(store, &key, &mut self.signing, record.as_deref());
        // What was saved before stays whole until this has been.
        if !self.query_record.is_due() {
            self.drop_definition_changes(store);
        }
        if record.is_none() {
            self.announce_news(store);
        }
    }

    /// The record of all has them.
    fn drop_definition_changes(&mut self, store: impl Store) {
        if !self.change_record.is_settled() || self.change_record.said().is_some() {
            let key = store.key(&self.definition_changes_key());
            self.change_record.save(store, &key, &mut self.signing, None);
        }
        if !store.is_replica() {
            self.queries.saved = self.queries.named.clone();
            self.queries.changes = QueryChanges::since(self.query_record.said());
        }
    }
}
