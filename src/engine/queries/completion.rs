//! The completion of a query: its result is stored if nothing has changed meanwhile, and everyone who waited is answered.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::flight::CompletedFlight;
use crate::cache::{result_set, Error, ErrorKind, NearMessage};
use crate::engine::host::Host;
use crate::engine::loads::completion::{has_named_positions, Answers};
use crate::engine::loads::entries::Found;
use crate::engine::{Engine, FlightWaiter, LoadedRow, Store};
use crate::plugins::Event;
use crate::postgres::query::QueryRows;
use crate::postgres::rows::load::Fetched;
use crate::settings::EventType;
use crate::workers::SourceIndex;

use super::sweep::ResultKey;
use super::{Query, QueryLoad};

/// What was brought under `key`, as it is told.
fn result(key: &Rc<[u8]>, rows: Arc<[u8]>) -> LoadedRow {
    LoadedRow { row: Some(rows), own_key: Some(Rc::clone(key)), is_renamed: false, acl_key: None }
}

impl<H: Host> Engine<H> {
    /// A query came back for one flight: returns what those get who waited.
    pub fn complete_query(
        &mut self,
        store: impl Store,
        completed: &mut CompletedFlight<FlightWaiter<H>>,
        load: &QueryLoad,
        outcome: Result<Fetched, Error>,
    ) -> Result<Answers, Error> {
        let rows = outcome.and_then(|fetched| self.rows_of(store, &load.query, fetched))?;
        completed.may_fill &= self.was_guarded_whole(load);
        let loaded = Arc::clone(&rows.json);
        let goes_past = completed.plan.min_lsn.is_some_and(|lsn| !self.query_reaches(store, &load.query, lsn));
        let row = self.settle(store, load, completed, rows);
        if goes_past && has_named_positions(&completed.waiters) {
            self.drop_contradicted_result(store, load, completed, &loaded);
        }
        let key = &completed.key;
        Ok(Answers { row: result(key, row), loaded: goes_past.then(|| result(key, loaded)) })
    }

    /// Drops the entry that what was `loaded` goes past: whoever is answered by that must not find it next.
    fn drop_contradicted_result(
        &mut self,
        store: impl Store,
        load: &QueryLoad,
        completed: &CompletedFlight<FlightWaiter<H>>,
        loaded: &[u8],
    ) {
        let key = store.key(&completed.key);
        let found = self.with_rows(store, &load.query, &load.tags, &key, |rows| rows == loaded);
        if matches!(found, Found::Row(false)) {
            self.near.tell(NearMessage::Query(load.query.name()));
            // Refused on a replica, which serves no results, and in a pause.
            let _ = store.remove(&key);
        }
    }

    /// Stores what a query brought, if it may be, and returns what those get who waited.
    fn settle(
        &mut self,
        store: impl Store,
        load: &QueryLoad,
        completed: &mut CompletedFlight<FlightWaiter<H>>,
        rows: QueryRows,
    ) -> Arc<[u8]> {
        if !completed.may_fill || !self.is_fresh(load) {
            return self.pass_on(store, load, completed, rows.json);
        }
        if rows.reads_clock {
            load.query.add(&[], &[], vec!["a parameter reads the clock".to_owned()]);
        }
        if load.query.knows(&rows.relations) {
            self.fill_query(store, load, completed, &rows.json);
        }
        rows.json
    }

    /// What a query brought, once everything is accounted for that it has read.
    fn rows_of(&mut self, store: impl Store, query: &Query, fetched: Fetched) -> Result<QueryRows, Error> {
        match fetched {
            Fetched::Rows(rows, None) => Ok(rows),
            Fetched::Rows(rows, Some(discovery)) => self.account_for(store, query, *discovery).map(|()| rows),
            Fetched::Row { .. } | Fetched::Absent { .. } | Fetched::Ambiguous => {
                Err(Error::new(ErrorKind::Malformed, "internal error: a query was answered with a row"))
            }
        }
    }

    /// Whether the load was guarded by all that it has read. Tables that it was not known to read could not guard it.
    fn was_guarded_whole(&self, load: &QueryLoad) -> bool {
        let freshness = self.freshness.leases.get(load.query.source);
        load.reads == load.query.reads() || !freshness.is_some_and(|freshness| freshness.invisible.has_told())
    }

    fn is_fresh(&mut self, load: &QueryLoad) -> bool {
        let is_known = self.queries.known.get(&load.query.stem).is_some_and(|known| Rc::ptr_eq(known, &load.query));
        is_known
            && !load.query.is_outdated(&self.catalog.tables)
            && self.queries.is_fresh(load.stamp, &load.query, &load.tags)
    }

    /// What those get who waited for a load that was superseded: nobody may find an older answer when they ask again. They
    /// get the entry that was stored meanwhile, or wait for the load that began meanwhile; else this is the newest.
    fn pass_on(
        &mut self,
        store: impl Store,
        load: &QueryLoad,
        completed: &mut CompletedFlight<FlightWaiter<H>>,
        rows: Arc<[u8]>,
    ) -> Arc<[u8]> {
        let key = store.key(&completed.key);
        let standing = self.queries.known.get(&load.query.stem).map(Rc::clone);
        let standing = standing.filter(|query| self.may_rely_on_query(store, query));
        let found = standing.map(|query| self.with_rows(store, &query, &load.tags, &key, |rows| Arc::from(rows)));
        if let Some(Found::Row(rows)) = found {
            return rows;
        }
        let key = Rc::clone(&completed.key);
        self.counters.superseded += u64::from(self.loads.flights.hand_over(&key, completed));
        rows
    }

    fn fill_query(
        &mut self,
        store: impl Store,
        load: &QueryLoad,
        completed: &CompletedFlight<FlightWaiter<H>>,
        rows: &[u8],
    ) {
        if !self.may_rely_on_query(store, &load.query) {
            return;
        }
        let max_bytes = self.settings.get().max_entry_bytes;
        let entry = || result_set::write(load.stamp, rows);
        // There is no grace for it: it is asked anew when its time has come.
        let is_stored = rows.len() <= max_bytes
            && self.store_with_grace(store, &completed.key, &entry(), completed.plan.ttl_s, Duration::ZERO).is_ok();
        if is_stored {
            self.counters.fills += 1;
        } else {
            self.counters.fills_skipped += 1;
        }
    }

    /// The name of the query whose entry stands under `cache_key`, if one may.
    pub fn query_of_key(&self, cache_key: &[u8]) -> Option<String> {
        let key = std::str::from_utf8(cache_key).ok()?;
        ResultKey::of(key, &self.settings.get().cache_prefix).map(|key| key.name.to_owned())
    }

    /// The entry of a query expired or was evicted.
    pub fn emit_query_key_change(&mut self, store: impl Store, kind: EventType, cache_key: &[u8]) {
        let Ok(key) = std::str::from_utf8(cache_key) else { return };
        let prefix = self.settings.get().cache_prefix.clone();
        let Some(key) = ResultKey::of(key, &prefix) else { return };
        let source = self.sources.iter().position(|source| source.prefix == key.source_prefix);
        if let Some(source) = source {
            self.emit_for_query(store, source, key.name, Event::new(kind).key(cache_key, 0));
        }
    }

    /// Tells of something that has happened to the query called `name`.
    pub fn emit_for_query(&self, store: impl Store, source: SourceIndex, name: &str, what: Event<'_>) {
        let what = Event { source: self.sources.name(source), query: Some(name), ..what };
        store.emit(&self.plugins, self.settings.get(), &what);
    }
}
