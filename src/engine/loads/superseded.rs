//! Loads whose rows are not stored: because they are superseded, or because their source is suspect.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::flight::CompletedFlight;
use crate::engine::host::Host;
use crate::engine::loads::entries::{find, Found};
use crate::engine::{Engine, FlightWaiter, LoadedRow, Store, Table};

impl<H: Host> Engine<H> {
    /// Nobody who is answered by a superseded flight may find an older row when they ask again. They get the entry that was
    /// stored meanwhile, or wait for the load that began meanwhile; where there is neither, what was brought is the newest.
    pub fn catch_up_with_newer(
        &mut self,
        store: impl Store,
        table: Rc<Table>,
        completed: &mut CompletedFlight<FlightWaiter<H>>,
        loaded: &mut LoadedRow,
    ) {
        let table = self.current(store, table);
        let own_key = loaded.own_key.as_ref().map(|key| key_of_now(&table, completed, key));
        let standing = own_key.as_ref().filter(|key| self.may_serve(store, &table, key));
        match standing.map_or(Found::Nothing, |key| find(store, &store.key(key), |row| Arc::from(row))) {
            Found::Row(row) => return loaded.row = Some(row),
            Found::Absent => return loaded.row = None,
            Found::Foreign | Found::Nothing => {}
        }
        let flight_key = key_of_now(&table, completed, &completed.key);
        let mut superseded = self.loads.flights.hand_over(&flight_key, completed);
        if let Some(other) = own_key.filter(|key| *key != flight_key && !completed.waiters.is_empty()) {
            superseded |= self.loads.flights.supersede_key(&other);
        }
        self.counters.superseded += u64::from(superseded);
    }

    /// A load of a suspect source is not stored. The entry that it contradicts goes: whoever is answered by the load must not be
    /// shown that entry when the next load fails.
    pub fn drop_contradicted(
        &mut self,
        store: impl Store,
        table: &Rc<Table>,
        completed: &CompletedFlight<FlightWaiter<H>>,
        loaded: &LoadedRow,
    ) {
        let table = self.current(store, Rc::clone(table));
        let key = loaded.own_key.as_deref().or_else(|| self.catalog.aliases.find(&completed.key));
        let key = key_of_now(&table, completed, key.unwrap_or(&completed.key));
        let is_contradicted = match find(store, &store.key(&key), |row| loaded.row.as_deref() == Some(row)) {
            Found::Row(is_same) => !is_same,
            Found::Absent => loaded.row.is_some(),
            Found::Foreign | Found::Nothing => false,
        };
        if is_contradicted {
            self.tell_near_of_key(&table, &key);
            self.remove_or_doubt(store, &table, &key);
        }
    }
}

/// `key`, which a flight began with, in its table's epoch of now.
pub(super) fn key_of_now<H: Host>(table: &Table, completed: &CompletedFlight<FlightWaiter<H>>, key: &[u8]) -> Vec<u8> {
    let mut now = Vec::new();
    let is_non_unique = completed.plan.row().is_some_and(|row| row.is_non_unique);
    if is_non_unique {
        table.non_unique.set_used();
    }
    table.write_prefix(is_non_unique, &mut now);
    now.extend_from_slice(key.get(completed.plan.prefix_len..).unwrap_or_default());
    now
}
