//! Mass drops: everything, or the watched tables of a source, starts a new epoch. A drop is one number; the tables
//! follow before their next hit, or a few with each tick of the clock.

use std::collections::HashMap;
use std::rc::Rc;

use crate::cache::NearMessage;
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::workers::SourceIndex;

/// How many tables follow with one tick.
const TABLES_PER_TICK: usize = 32;

/// The mass drops so far, by number.
#[derive(Debug, Default)]
pub struct BulkInvalidations {
    last: u64,
    /// The last that was for everything.
    everything: u64,
    /// The last that was for a source's watched tables.
    watched: HashMap<SourceIndex, u64>,
    /// Whether tables may still have to follow.
    is_due: bool,
}

impl BulkInvalidations {
    /// The number of the last one: an epoch that begins now is later than that.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether tables may be left that have not followed the last one.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// Whether `table` has to start a new epoch.
    pub fn hit(&self, table: &Table) -> bool {
        // Every hit asks, and nearly always the table is later than any drop.
        table.drop < self.last
            && (table.drop < self.everything
                || (table.definition.is_watched
                    && self.watched.get(&table.source).is_some_and(|drop| table.drop < *drop)))
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.is_due = true;
        self.last
    }
}

impl<H: Host> Engine<H> {
    /// Drops every table, also those that were not asked for yet.
    pub fn drop_everything(&mut self) {
        self.catalog.bulk_invalidations.everything = self.catalog.bulk_invalidations.next();
        self.queries.start_run();
        self.near.tell(NearMessage::All);
        self.freshness.sweep.begin();
        self.counters.superseded += self.loads.flights.supersede_all() as u64;
        self.sources.restart_pace();
    }

    /// Drops the watched tables of a source.
    pub fn drop_watched(&mut self, source: SourceIndex) {
        let drop = self.catalog.bulk_invalidations.next();
        self.catalog.bulk_invalidations.watched.insert(source, drop);
        let of_source = self.catalog.tables.of_source(source);
        let watched: Vec<Rc<Table>> = of_source.filter(|table| table.definition.is_watched).map(Rc::clone).collect();
        self.near.tell(NearMessage::All);
        // Without a watched table nothing is lost.
        if let Some(active) = self.sources.get(source).filter(|_| !watched.is_empty()) {
            active.restart_pace();
        }
        for table in watched {
            table.changes.add(self.queries.clock.next());
            self.counters.superseded += self.loads.flights.supersede_table(table.id) as u64;
        }
    }

    /// `table` in the epoch that it has to be in now. A replica's tables follow their master's records.
    pub fn current(&mut self, store: impl Store, table: Rc<Table>) -> Rc<Table> {
        if !self.catalog.bulk_invalidations.hit(&table) || store.is_replica() {
            return table;
        }
        self.follow(store, &table)
    }

    /// Has one table follow the last mass drop. What was read of it and others was dropped when that was, and what has been
    /// stored since stays.
    fn follow(&mut self, store: impl Store, table: &Rc<Table>) -> Rc<Table> {
        let last_change = table.changes.last();
        let table = self.start_epoch(store, table);
        table.changes.add(last_change);
        table
    }

    /// This server has become a replica, whose tables follow their master's records. Those that had not followed the last mass
    /// drop may show what it has ended until the master's word has come.
    pub fn suspect_what_is_behind(&mut self, store: impl Store) {
        for table in self.catalog.tables.all() {
            if self.catalog.bulk_invalidations.hit(&table) {
                self.freshness.pending_invalidations.add_source(table.source, store.monotonic_ms());
                self.follow_later_record(store, &table);
            }
        }
    }

    /// Has a few more tables follow the last mass drop, so that replicas hear of it and memory is given back.
    pub fn apply_bulk_invalidations(&mut self, store: impl Store) {
        if !self.catalog.bulk_invalidations.is_due || store.is_replica() {
            return;
        }
        let behind: Vec<Rc<Table>> = self
            .catalog
            .tables
            .all()
            .into_iter()
            .filter(|table| self.catalog.bulk_invalidations.hit(table))
            .take(TABLES_PER_TICK)
            .collect();
        self.catalog.bulk_invalidations.is_due = behind.len() == TABLES_PER_TICK;
        for table in behind {
            self.follow(store, &table);
        }
    }
}
