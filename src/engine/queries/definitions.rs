//! Definitions of queries: where they are saved, and how others come by them.

use crate::cache::named_query::{NamedQueries, NamedQuery};
use crate::cache::query_changes::QueryChanges;
use crate::cache::{Access, Error, NearMessage, Purpose};
use crate::engine::host::Host;
use crate::engine::records::name::RecordName;
use crate::engine::{command_names, Engine, Store};

use super::request::{no_such_query, stem, NAMED};

impl<H: Host> Engine<H> {
    /// Defines a query, in the place of one that has its name.
    pub fn define_query(&mut self, store: impl Store, query: NamedQuery) {
        let name = query.name.clone();
        self.near.tell(NearMessage::Query(&name));
        self.queries.named.define(query);
        self.save_definition(store, &name);
    }

    /// Removes a definition, and with it what it has brought. `ERR` when there is none.
    pub fn remove_query(&mut self, store: impl Store, name: &str) -> Result<(), Error> {
        if !self.queries.named.remove(name) {
            return Err(no_such_query());
        }
        self.near.tell(NearMessage::Query(name));
        let cache_prefix = self.settings.get().cache_prefix.clone();
        for source in self.sources.iter() {
            let stem = stem(&cache_prefix, &source.prefix, NAMED, name);
            self.queries.forget(&stem);
        }
        self.save_definition(store, name);
        Ok(())
    }

    /// The queries that were defined.
    pub fn defined_queries(&self) -> impl Iterator<Item = &NamedQuery> {
        self.queries.named.iter()
    }

    /// Reads the records, if the data set is there and they were not read yet.
    pub fn know_definitions(&mut self, store: impl Store) {
        if !self.records.get(RecordName::Queries).is_read() && !store.is_loading() {
            self.read_definitions(store);
        }
    }

    /// Takes over what the records say, as far as they are to be believed. Changes of another record than the one that stands there
    /// say nothing.
    pub fn read_definitions(&mut self, store: impl Store) {
        let saved = self.read_record(store, RecordName::Queries, NamedQueries::read);
        let changes = self.read_record(store, RecordName::QueryChanges, QueryChanges::read);
        if saved.is_none() && changes.is_none() {
            return;
        }
        self.near.tell(NearMessage::All);
        saved.into_iter().for_each(|saved| self.queries.saved = saved);
        changes.into_iter().for_each(|changes| self.queries.changes = changes);
        self.queries.named = self.queries.saved.clone();
        if self.queries.changes.follow(self.records.get(RecordName::Queries).said()) {
            self.queries.changes.apply(&mut self.queries.named);
        }
    }

    /// `NOPERM` unless `user` may do `access` by PGCACHE.DEFINE with the record of the definitions.
    pub fn may_define(&mut self, ctx: H::Context<'_>, user: &H::User, access: Access) -> Result<(), Error> {
        let key = ctx.key(&self.record_acl_key(RecordName::Queries));
        self.may_access(ctx, user, Purpose { command: command_names::DEFINE, access }, &[&key])
    }

    /// Saves what has become of the definition called `name`: beside the others where they are many, and now and then with them.
    fn save_definition(&mut self, store: impl Store, name: &str) {
        let (queries, base) = (&mut self.queries, self.records.get(RecordName::Queries).said());
        let is_settled = |name| self.records.get(name).is_settled();
        if !is_settled(RecordName::Queries)
            || !is_settled(RecordName::QueryChanges)
            || !queries.changes.follow(base)
            || !queries.changes.have_room(queries.named.len())
        {
            return self.save_definitions(store);
        }
        queries.changes.put(name, queries.named.find(name).cloned());
        let record = queries.changes.write();
        self.save_record(store, RecordName::QueryChanges, Some(&record));
    }

    /// Saves all definitions as a whole. The record of none is no record.
    pub fn save_definitions(&mut self, store: impl Store) {
        let named = &self.queries.named;
        let record = (!named.is_empty()).then(|| named.write());
        self.save_record(store, RecordName::Queries, record.as_deref());
        // What was saved before stays whole until this has been.
        if !self.records.get(RecordName::Queries).is_due() {
            self.drop_definition_changes(store);
        }
    }

    /// The record of all has them.
    fn drop_definition_changes(&mut self, store: impl Store) {
        let changes = self.records.get(RecordName::QueryChanges);
        if !changes.is_settled() || changes.said().is_some() {
            self.save_record(store, RecordName::QueryChanges, None);
        }
        if !store.is_replica() {
            self.queries.saved = self.queries.named.clone();
            self.queries.changes = QueryChanges::since(self.records.get(RecordName::Queries).said());
        }
    }
}
