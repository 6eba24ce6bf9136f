//! Epochs of tables: a whole table is dropped by giving its cache keys another prefix.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Gap, NearMessage, Refusal, Stored, TableDefinition};
use crate::engine::catalog::tables::{Now, Resolved};
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::plugins::Event;
use crate::settings::EventType;
use crate::workers::SourceIndex;

impl<H: Host> Engine<H> {
    /// Starts a new epoch of `table`: no entry from before is found any more, no flight from before fills.
    pub fn start_epoch(&mut self, store: impl Store, table: &Rc<Table>) -> Rc<Table> {
        self.renew(store, table, Arc::clone(&table.definition))
    }

    /// Starts a new epoch of every table, and returns how many are known.
    pub fn flush_all(&mut self, store: impl Store) -> usize {
        let epoch = store.unix_ms().max(self.catalog.everything_epoch.map_or(0, |last| last + 1));
        self.catalog.everything_epoch = Some(epoch);
        self.save_epoch(store, EVERYTHING, epoch);
        self.drop_everything();
        self.catalog.tables.len()
    }

    /// Database 0 was swapped for another: whatever stands there now is of another time.
    ///
    /// The records are written in the next tick: here they would reach replicas before the swap does.
    pub fn keyspace_replaced(&mut self, store: impl Store) {
        for table in self.catalog.tables.all() {
            self.advance(store, &table, Arc::clone(&table.definition), table.next_epoch(store.unix_ms()));
        }
        self.keyspace_flushed();
    }

    /// Another data set was loaded. On a replica it is the master's, and so are its epochs; a master's own
    /// memory knows better than what it loads.
    pub fn keyspace_loaded(&mut self, store: impl Store) {
        self.keyspace_flushed();
        self.forget_home();
        self.freshness.slot_imports.forget();
        self.gap_everywhere(store, Gap::Loaded);
        if !store.is_replica() {
            return;
        }
        self.take_over_all(store);
        self.follow_records(store);
    }

    /// Puts all tables into the epochs that their records say: another master's, or another data set's.
    pub fn follow_records(&mut self, store: impl Store) {
        for table in self.catalog.tables.all() {
            let epoch = self.saved_epoch(store, &table.name);
            if epoch != table.epoch {
                self.loads.flights.supersede_table(table.id);
                self.replace_table(store, &table, Arc::clone(&table.definition), epoch);
            }
        }
    }

    /// Puts `table` into the epoch that its record says, if that is a later one.
    pub fn follow_later_record(&mut self, store: impl Store, table: &Rc<Table>) {
        let epoch = self.saved_epoch(store, &table.name);
        if epoch > table.epoch {
            self.replace_table(store, table, Arc::clone(&table.definition), epoch);
        }
    }

    /// Writes the records that are due: those that a flush or a swap took away, or a pause held up. Returns whether all are there:
    /// nothing is stored under an epoch that another master would not know of.
    pub fn record_epochs(&mut self, store: impl Store) -> bool {
        if self.catalog.epochs_are_due {
            self.record_due_epochs(store);
        }
        !self.catalog.epochs_are_due
    }

    fn record_due_epochs(&mut self, store: impl Store) {
        let may_write = store.may_write();
        self.catalog.epochs_are_due = may_write == Err(Refusal::Paused);
        if may_write.is_ok() {
            self.keep_home(store);
            if let Some(epoch) =
                self.catalog.everything_epoch.filter(|epoch| self.record(store, EVERYTHING) != Some(*epoch))
            {
                self.save_epoch(store, EVERYTHING, epoch);
            }
            for table in self.catalog.tables.all() {
                if let Some(epoch) = table.epoch.filter(|epoch| self.record(store, &table.name) != Some(*epoch)) {
                    self.save_epoch(store, &table.name, epoch);
                }
            }
        }
    }

    /// PostgreSQL says that a relation has changed its definition, or (`None`) that it is gone.
    pub fn redefined(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        oid: u32,
        definition: Option<Arc<TableDefinition>>,
        asked: Instant,
    ) {
        let known = self.catalog.tables.by_oid(source, oid);
        let Some(table) = known.filter(|table| table.asked.get() <= asked) else { return };
        table.asked.set(asked);
        match definition {
            Some(definition) if *definition == *table.definition => {}
            Some(definition) if self.is_known_otherwise(&table, &definition) => self.gone(store, &table),
            Some(definition) => {
                self.forget_names_of_renamed(&table, &definition);
                self.renew(store, &table, definition);
            }
            None => self.gone(store, &table),
        }
        self.update_known_relations(source);
    }

    fn gone(&mut self, store: impl Store, table: &Rc<Table>) {
        self.start_epoch(store, table);
        table.changes.add_definition(self.queries.clock.next());
        self.catalog.tables.forget(table.source, table.definition.oid);
    }

    /// Whether the relation that `definition` describes is another one that is known already: it has taken the name.
    fn is_known_otherwise(&self, table: &Table, definition: &TableDefinition) -> bool {
        definition.oid != table.definition.oid && self.catalog.tables.by_oid(table.source, definition.oid).is_some()
    }

    /// Starts a new epoch of `table` as `definition`.
    pub fn renew(&mut self, store: impl Store, table: &Rc<Table>, definition: Arc<TableDefinition>) -> Rc<Table> {
        self.counters.superseded += self.loads.flights.supersede_table(table.id) as u64;
        let epoch = table.next_epoch(store.unix_ms());
        self.save_epoch(store, &table.name, epoch);
        self.advance(store, table, definition, epoch)
    }

    /// Puts `table` into epoch `epoch`, counts that and tells of it.
    fn advance(
        &mut self,
        store: impl Store,
        table: &Rc<Table>,
        definition: Arc<TableDefinition>,
        epoch: u64,
    ) -> Rc<Table> {
        self.counters.epochs += 1;
        self.freshness.sweep.begin();
        let new = self.replace_table(store, table, definition, Some(epoch));
        self.emit(store, &new, Event::new(EventType::TableFlush));
        new
    }

    fn replace_table(
        &mut self,
        store: impl Store,
        table: &Rc<Table>,
        definition: Arc<TableDefinition>,
        epoch: Option<u64>,
    ) -> Rc<Table> {
        if *definition == *table.definition {
            table.changes.add(self.queries.clock.next());
        } else {
            table.changes.add_definition(self.queries.clock.next());
        }
        self.near.tell(NearMessage::Table(&table.name));
        let settings = self.settings.get();
        let resolved = Resolved {
            source: table.source,
            source_prefix: self.sources.prefix(table.source),
            cache_prefix: &settings.cache_prefix,
            definition,
            epoch,
            drop: self.catalog.bulk_invalidations.last(),
            changes: Rc::clone(&table.changes),
            now: Now::of(store),
        };
        self.catalog.tables.replace(table, resolved)
    }

    /// The record of a table's epoch lives among the entries: it is saved and replicated with them, and
    /// what loses it (FLUSHALL) loses them too.
    fn epoch_key(&self, table: &str) -> Vec<u8> {
        format!("{}@epoch{}:{table}", self.settings.get().cache_prefix, self.home_tag()).into_bytes()
    }

    /// The epoch that was recorded for `table`, or for everything after that.
    pub fn saved_epoch(&self, store: impl Store, table: &str) -> Option<u64> {
        self.record(store, table).max(self.record(store, EVERYTHING))
    }

    fn record(&self, store: impl Store, table: &str) -> Option<u64> {
        store.read(&store.key(&self.epoch_key(table)), |stored| match stored {
            Stored::Bytes(bytes) => parse_epoch(bytes, store.unix_ms()),
            Stored::Nothing | Stored::OtherType => None,
        })
    }

    fn save_epoch(&mut self, store: impl Store, table: &str, epoch: u64) {
        if store.command_slot().is_some() || !self.has_home(store) {
            self.catalog.lose_epochs();
            return;
        }
        let saved = store.put(&store.key(&self.epoch_key(table)), epoch.to_string().as_bytes(), None);
        if saved == Err(Refusal::Elsewhere) {
            self.leave_home();
        }
        // What does not fit now is tried again: a record is all that tells old entries from new ones after a restart.
        self.catalog.epochs_are_due |= matches!(saved, Err(Refusal::Paused | Refusal::Refused));
    }

    /// Whether the key is the record of an epoch.
    pub fn is_record(&self, key: &[u8]) -> bool {
        key.get(self.settings.get().cache_prefix.len()..)
            .is_some_and(|rest| rest.starts_with(b"@epoch:") || rest.starts_with(b"@epoch{"))
    }

    /// On a replica the master's record of an epoch arrives like any key. On a master nobody else writes it: what is
    /// there was lost.
    pub fn epoch_key_changed(&mut self, store: impl Store, key: &[u8]) {
        if !self.is_record(key) {
            return;
        }
        if !store.is_replica() {
            self.catalog.epochs_are_due = true;
            return;
        }
        let is_about_everything = self.epoch_key(EVERYTHING) == key;
        for table in self.catalog.tables.all() {
            if !is_about_everything && self.epoch_key(&table.name) != key {
                continue;
            }
            if let Some(epoch) = self.saved_epoch(store, &table.name).filter(|epoch| Some(*epoch) != table.epoch) {
                self.loads.flights.supersede_table(table.id);
                let table = self.replace_table(store, &table, Arc::clone(&table.definition), Some(epoch));
                // What was doubted under its keys of before is in doubt under those of now.
                if table.definition.is_watched {
                    self.freshness.pending_invalidations.add_table(&table, store.monotonic_ms());
                }
            }
        }
    }
}

/// How far an epoch may lie in the future, in milliseconds: clocks of former masters differ.
const MAX_AHEAD_MS: u64 = 24 * 3600 * 1000;

/// Reads a record. An epoch far in the future is somebody else's: no later one would ever be saved.
fn parse_epoch(record: &[u8], now_ms: u64) -> Option<u64> {
    let epoch: u64 = std::str::from_utf8(record).ok()?.parse().ok()?;
    (epoch <= now_ms.saturating_add(MAX_AHEAD_MS)).then_some(epoch)
}

/// In the place of a table's name: the epoch that every table has reached at least. No relation's name looks like
/// it, because SQL would quote it.
const EVERYTHING: &str = "*";
