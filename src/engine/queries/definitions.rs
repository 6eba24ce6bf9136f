//! Definitions of queries: where they are saved, and how others come by them.

use crate::cache::error::Error;
use crate::cache::named_query::{NamedQueries, NamedQuery};
use crate::server::acl::{Access, User};
use crate::server::context::Context;
use crate::server::text::Text;

use super::super::state::Engine;
use super::request::{no_such_query, stem, NAMED};

impl Engine {
    /// Defines a query, in the place of one that has its name.
    pub fn define_query(&mut self, ctx: Context<'_>, query: NamedQuery) {
        self.queries.named.define(query);
        self.save_definitions(ctx);
    }

    /// Removes a definition, and with it what it has brought. `ERR` when there is none.
    pub fn remove_query(&mut self, ctx: Context<'_>, name: &str) -> Result<(), Error> {
        if !self.queries.named.remove(name) {
            return Err(no_such_query());
        }
        let cache_prefix = self.settings.get().cache_prefix.clone();
        for source in self.sources.iter() {
            let stem = stem(&cache_prefix, &source.prefix, NAMED, name);
            self.queries.forget(&stem);
        }
        self.save_definitions(ctx);
        Ok(())
    }

    /// Reads the record once, and writes it when it is due.
    pub fn keep_definitions(&mut self, ctx: Context<'_>) {
        self.know_definitions(ctx);
        if self.query_record.is_due() {
            self.save_definitions(ctx);
        }
    }

    /// Reads the record, if the data set is there and it was not read yet.
    pub fn know_definitions(&mut self, ctx: Context<'_>) {
        if !self.query_record.is_read() && !ctx.flags().is_loading() {
            self.read_definitions(ctx);
        }
    }

    /// Somebody else has changed a key. On a replica that may have been what its master has announced; on a master nobody
    /// else writes it.
    pub fn definitions_key_changed(&mut self, ctx: Context<'_>, key: &[u8]) {
        if key != self.definitions_key() {
            return;
        }
        if ctx.flags().is_replica() {
            if self.query_record.is_vouched() {
                self.read_definitions(ctx);
            }
        } else {
            self.query_record.touched(ctx, &Text::new(key));
        }
    }

    /// Takes over what the record says, if it is to be believed.
    pub fn read_definitions(&mut self, ctx: Context<'_>) {
        let key = Text::new(&self.definitions_key());
        if let Some(named) = self.query_record.read(ctx, &key, &mut self.signing, NamedQueries::read) {
            self.queries.named = named;
        }
    }

    /// `NOPERM` unless `user` may change the definitions, that is write their record.
    pub fn may_define(&mut self, ctx: Context<'_>, user: &User) -> Result<(), Error> {
        let key = Text::new(&self.definitions_key());
        self.may_access(ctx, user, &[&key], Access::Write)
    }

    /// Where the record stands.
    pub fn definitions_key(&self) -> Vec<u8> {
        format!("{}@queries", self.settings.get().cache_prefix).into_bytes()
    }

    /// The record of no definitions is no record.
    ///
    /// That there is none replicas are told at once: later nobody would know that there was something.
    pub fn save_definitions(&mut self, ctx: Context<'_>) {
        let key = Text::new(&self.definitions_key());
        let named = &self.queries.named;
        let record = (!named.is_empty()).then(|| named.write());
        self.query_record.save(ctx, &key, &mut self.signing, record.as_deref());
        if record.is_none() {
            self.announce_news(ctx);
        }
    }
}
