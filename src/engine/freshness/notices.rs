//! Change notices at work: what they name is dropped, before anything else is served.

use std::rc::Rc;

use crate::cache::key::{write_canonical_row, LookupKey};
use crate::cache::{NearMessage, Notice, Relation, Rule};
use crate::engine::host::Host;
use crate::engine::{Engine, Store, Table};
use crate::plugins::Event;
use crate::settings::EventType;
use crate::workers::SourceIndex;

/// What a row's notice says about one of the unique keys that notices name.
enum Named {
    /// The row's lookup key there.
    Key(Vec<u8>),
    /// The row has none: a null is in no unique key.
    Nothing,
    /// It does not say, or not in a spelling to rely on.
    Unknown,
}

impl<H: Host> Engine<H> {
    /// One change was committed, by transaction `xid` if that may not be visible yet.
    pub fn on_notice(&mut self, store: impl Store, source: SourceIndex, xid: Option<u64>, notice: &Notice) {
        self.counters.notices += 1;
        self.begin_telling(source, xid, notice);
        self.apply_notice(store, source, notice);
        self.end_telling(source);
    }

    fn apply_notice(&mut self, store: impl Store, source: SourceIndex, notice: &Notice) {
        match notice {
            Notice::Rows { relation, rows } => {
                for table in self.catalog.tables.concerned_by(source, relation) {
                    table.changes.add(self.queries.clock.next());
                    if !self.drop_rows(store, &table, relation, rows) {
                        self.drop_table(store, &table);
                    }
                }
            }
            Notice::Table(relation) => {
                for table in self.catalog.tables.concerned_by(source, relation) {
                    self.drop_table(store, &table);
                }
            }
            Notice::Definitions(oids) => self.definitions_changed(store, source, oids),
            Notice::Tags(tags) => {
                let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
                self.flush_tags(store, &tags);
            }
            Notice::All => self.drop_source(store, source),
            // Read where the notices come from.
            Notice::Beat(_) => {}
        }
    }

    fn definitions_changed(&mut self, store: impl Store, source: SourceIndex, oids: &[u32]) {
        for oid in oids {
            for table in self.catalog.tables.concerned_by(source, &Relation::Oid(*oid)) {
                self.drop_table(store, &table);
            }
        }
        if let Some(active) = self.sources.get(source) {
            active.known.hurry();
        }
    }

    /// Drops all tables of a source, and the queries with them.
    fn drop_source(&mut self, store: impl Store, source: SourceIndex) {
        if !store.is_replica() {
            self.flush_all(store);
            return;
        }
        let tables: Vec<_> = self.catalog.tables.of_source(source).map(Rc::clone).collect();
        tables.iter().for_each(|table| self.drop_table(store, table));
    }

    /// Ends the epoch of `table`. On a replica its master does; until its word comes nothing is served.
    pub fn drop_table(&mut self, store: impl Store, table: &Rc<Table>) {
        self.touch_table(table);
        if store.is_replica() {
            self.counters.superseded += self.loads.flights.supersede_table(table.id) as u64;
            self.near.tell(NearMessage::Table(&table.name));
            self.freshness.pending_invalidations.add_table(table, store.monotonic_ms());
        } else {
            self.start_epoch(store, table);
        }
    }

    /// Drops the entries of `rows`. False when one of them cannot be named, so that all of the table has to go.
    fn drop_rows(&mut self, store: impl Store, table: &Rc<Table>, relation: &Relation, rows: &[Box<str>]) -> bool {
        if table.non_unique.drop_all(store.unix_ms()) {
            self.counters.loose_drops += 1;
        }
        self.counters.superseded += self.loads.flights.supersede_uncertain(table.id) as u64;
        // A trigger of others prints values by its writer's settings.
        let trusts_texts = matches!(relation, Relation::Oid(_));
        let mut keys = Vec::new();
        for row in rows {
            let Ok(row) = LookupKey::parse_row(row) else { return false };
            for unique_key in &table.definition.named_keys {
                match named(table, unique_key, &row, trusts_texts) {
                    Named::Key(key) => keys.push(key),
                    Named::Nothing => {}
                    Named::Unknown => return false,
                }
            }
        }
        self.near.tell(NearMessage::Rows { table: &table.name, keys: &keys });
        for key in keys {
            self.drop_named(store, table, &key);
        }
        true
    }

    fn drop_named(&mut self, store: impl Store, table: &Rc<Table>, lookup_key: &[u8]) {
        self.touch_row(table, lookup_key);
        let cache_key = [&table.prefix, lookup_key].concat();
        self.counters.superseded += u64::from(self.loads.flights.supersede_key(&cache_key));
        self.remove_or_doubt(store, table, &cache_key);
        let what = Event::new(EventType::Invalidate).key(&cache_key, table.prefix.len());
        let what = what.reason("notice");
        self.emit(store, table, what);
    }

    /// What the catalog says of functions, operators, casts and types. Queries that were described with others are described
    /// anew; the rows of whatever may run code of somebody's are dropped.
    pub fn compare_vocabulary(&mut self, store: impl Store, source: SourceIndex, number: i64) {
        let Some(active) = self.sources.get(source) else { return };
        let before = active.vocabulary.replace(Some(number));
        self.queries.forget_all_but(source, number);
        if before.is_none_or(|before| before == number) {
            return;
        }
        self.near.tell(NearMessage::All);
        let concerned: Vec<_> =
            self.catalog.tables.of_source(source).filter(|table| !table.definition.is_plain).map(Rc::clone).collect();
        for table in concerned {
            self.drop_table(store, &table);
        }
    }

    /// What the catalog says of the tables that are known here: those that have changed are read anew.
    pub fn compare_definitions(&mut self, source: SourceIndex, seen: &[(u32, Option<i64>)]) {
        self.counters.comparisons += 1;
        for (oid, fingerprint) in seen {
            let Some(table) = self.catalog.tables.by_oid(source, *oid) else { continue };
            if *fingerprint != Some(table.definition.fingerprint) {
                self.describe_again(&table);
            }
        }
    }
}

/// The lookup key that `row` has in `unique_key` of `table`.
fn named(table: &Table, unique_key: &[usize], row: &LookupKey<'_>, trusts_texts: bool) -> Named {
    let mut columns: Vec<_> =
        unique_key.iter().filter_map(|position| table.definition.columns.get(*position)).collect();
    columns.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut texts = Vec::with_capacity(columns.len());
    for column in &columns {
        let found = row.members().find(|(name, _)| *name == column.name);
        let Some((_, value)) = found else { return Named::Unknown };
        if !trusts_texts && matches!(column.rule, Rule::ByPostgres { .. }) {
            return Named::Unknown;
        }
        if value.get() == "null" {
            return Named::Nothing;
        }
        texts.push(value.get());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let rules: Vec<Rule> = columns.iter().map(|column| column.rule).collect();
    let mut key = Vec::new();
    match write_canonical_row(&names, &rules, &texts, &mut key) {
        Ok(()) => Named::Key(key),
        Err(_) => Named::Unknown,
    }
}
