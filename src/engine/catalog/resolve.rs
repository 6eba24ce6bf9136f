//! Resolving tables: what the catalog says of a name, and whether `allow_tables` opens it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::change::Changes;
use crate::cache::{Error, ErrorKind, TableDefinition};
use crate::engine::catalog::sources::queue_is_full;
use crate::engine::catalog::tables::{Now, Resolved};
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::workers::{Job, SourceIndex};

impl<H: Host> Engine<H> {
    /// Has the catalog asked about a table whose definition seems to have changed. A few may be on their way at once.
    pub fn describe_again(&mut self, table: &Table) {
        let Some(active) = self.sources.get(table.source) else { return };
        let job = Job::Redescribe { oid: table.definition.oid, name: table.definition.display.clone() };
        // Should the queue be full: the next comparison comes in a second.
        let _ = active.push_job(job, self.settings.get().queue_limit);
    }

    /// Tells the threads that listen to `source` which relations to compare with the catalog.
    pub fn update_known_relations(&self, source: SourceIndex) {
        if let Some(active) = self.sources.get(source) {
            let relations = self
                .catalog
                .tables
                .of_source(source)
                .map(|table| (table.definition.oid, table.definition.display.clone()));
            active.known.set(relations.collect());
        }
    }

    /// Has the catalog asked what `relation` is.
    pub fn describe(&self, source: SourceIndex, relation: &str) -> Result<(), Error> {
        let limit = self.settings.get().queue_limit;
        let Some(active) = self.sources.get(source) else { return Err(queue_is_full()) };
        active.push_job(Job::Describe(relation.to_owned()), limit)
    }

    /// `definition`, if `allow_tables` opens it.
    pub fn allowed(&self, source: SourceIndex, definition: TableDefinition) -> Result<TableDefinition, Error> {
        let TableDefinition { schema, relation, display, .. } = &definition;
        self.check_allowed(source, schema, relation, display)?;
        Ok(definition)
    }

    /// `NOPERM` unless `allow_tables` opens the relation, which is called `display`.
    pub fn check_allowed(&self, source: SourceIndex, schema: &str, relation: &str, display: &str) -> Result<(), Error> {
        let settings = self.settings.get();
        let source = settings.sources.get(source);
        if source.is_some_and(|source| source.allow_tables.allows(schema, relation, display)) {
            return Ok(());
        }
        let text = format!("table {display} is not allowed: see allow_tables; catalogs are always closed");
        Err(Error::new(ErrorKind::Denied, text))
    }

    /// Enters a table in the memo under the name that a client has for it.
    pub fn remember(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        spelling: &[u8],
        definition: Arc<TableDefinition>,
        asked: Instant,
    ) -> Rc<Table> {
        let table = self.enter(store, source, definition, asked);
        self.catalog.tables.remember(spelling, &table);
        self.update_known_relations(source);
        self.current(store, table)
    }

    /// Enters a table in the memo: with the epoch that it had before a restart, or with a new one when it is not
    /// what it was.
    pub fn enter(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        definition: Arc<TableDefinition>,
        asked: Instant,
    ) -> Rc<Table> {
        let table = match self.catalog.tables.known(source, &definition) {
            Some(table) if *table.definition == *definition || asked < table.asked.get() => table,
            Some(table) => {
                self.forget_names_of_renamed(&table, &definition);
                self.renew(store, &table, definition)
            }
            None => self.add_table(store, source, definition),
        };
        table.described_ms.set(store.monotonic_ms());
        table.asked.set(table.asked.get().max(asked));
        table
    }

    /// A relation that has another name now is not what its former names mean: whoever uses them asks anew.
    pub fn forget_names_of_renamed(&mut self, table: &Table, definition: &TableDefinition) {
        let was = &table.definition;
        if (was.oid, &was.display) != (definition.oid, &definition.display) {
            self.catalog.tables.forget_names(table.id);
        }
    }

    fn add_table(&mut self, store: impl Store, source: SourceIndex, definition: Arc<TableDefinition>) -> Rc<Table> {
        let source_prefix = self.sources.prefix(source);
        self.sources.warn_of_namesake(source, &definition.display);
        let epoch = self.saved_epoch(store, &format!("{source_prefix}{}", definition.display));
        let settings = self.settings.get();
        let cache_prefix = &settings.cache_prefix;
        let changes = Rc::new(Changes::since(self.queries.clock.next()));
        let now = Now::of(store);
        self.catalog.tables.add(Resolved {
            source,
            source_prefix,
            cache_prefix,
            definition,
            epoch,
            drop: 0,
            changes,
            now,
        })
    }
}
