//! Loads that are repeated for those who came while they were under way: they saw too little for them.
//!
//! A load may have read before a transaction became visible that was told before it began. Who came before the load is answered with
//! it. Who came later may know of the transaction already, by PostgreSQL's own word.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::flight::{CompletedFlight, FlightPlan, Target};
use crate::cache::{Error, ErrorKind, FlightId, Timings};
use crate::engine::host::Host;
use crate::engine::loads::load_requests::LoadRequests;
use crate::engine::loads::superseded::key_of_now;
use crate::engine::queries::QueryLoad;
use crate::engine::{Engine, FlightWaiter, Store};
use crate::postgres::rows::load::KeyValues;
use crate::workers::batch::Batch;

/// What loads a flight again.
#[derive(Debug)]
pub struct Repeat {
    batch: Arc<Batch>,
    values: KeyValues,
}

/// That of each guarded flight under way.
#[derive(Debug, Default)]
pub struct Repeats(HashMap<FlightId, Repeat>);

impl Repeats {
    /// Flight `flight` is loaded by `batch` with these values.
    pub fn add(&mut self, flight: FlightId, batch: &Arc<Batch>, values: &KeyValues) {
        self.0.insert(flight, Repeat { batch: Arc::clone(batch), values: values.clone() });
    }

    /// Takes out what loads `flight` again.
    pub fn take(&mut self, flight: FlightId) -> Option<Repeat> {
        if self.0.is_empty() {
            return None;
        }
        self.0.remove(&flight)
    }
}

impl<H: Host> Engine<H> {
    /// Forgets how flights are loaded again that were given up.
    pub fn forget_repeats(&mut self) {
        let flights = &self.loads.flights;
        self.loads.repeats.0.retain(|flight, _| flights.is_under_way(*flight));
    }

    /// `late` are to be answered by a load that begins now.
    pub fn load_again(
        &mut self,
        store: impl Store,
        completed: &CompletedFlight<FlightWaiter<H>>,
        load: Option<&QueryLoad>,
        late: Vec<FlightWaiter<H>>,
        repeat: Repeat,
    ) {
        match load {
            Some(load) => self.run_again(store, completed, load, late, repeat),
            None => self.load_row_again(store, completed, late, repeat),
        }
    }

    fn load_row_again(
        &mut self,
        store: impl Store,
        completed: &CompletedFlight<FlightWaiter<H>>,
        late: Vec<FlightWaiter<H>>,
        repeat: Repeat,
    ) {
        let Some(target) = completed.plan.row() else { return };
        let Some(table) = self.catalog.tables.by_id(target.table) else {
            return self.answer_all(late, Err(gone()), Timings::default());
        };
        let table = self.current(store, table);
        let key = key_of_now(&table, completed, &completed.key);
        let lookup_key = completed.key.get(completed.plan.prefix_len..).unwrap_or_default();
        let prefix_len = key.len() - lookup_key.len();
        let plan = FlightPlan { prefix_len, guard: None, ..completed.plan.clone() };
        let Some(flight) = self.loads.flights.rejoin(&key, plan, late) else { return };
        let is_guarded = self.guard_row(flight, &table, target, lookup_key);
        let mut requests = LoadRequests::default();
        requests.add(&repeat.batch, flight, repeat.values, is_guarded);
        self.submit(store, table.source, requests);
    }

    fn run_again(
        &mut self,
        store: impl Store,
        completed: &CompletedFlight<FlightWaiter<H>>,
        load: &QueryLoad,
        late: Vec<FlightWaiter<H>>,
        repeat: Repeat,
    ) {
        let number = self.queries.ask(&load.query, &load.tags);
        let plan = FlightPlan { target: Target::Query(number), guard: None, ..completed.plan.clone() };
        let Some(flight) = self.loads.flights.rejoin(&completed.key, plan, late) else {
            self.queries.take_load(number);
            return;
        };
        let is_guarded = self.guard_query(flight, &load.query);
        let mut requests = LoadRequests::default();
        requests.add(&repeat.batch, flight, repeat.values, is_guarded);
        self.submit(store, load.query.source, requests);
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::NoTable, "the relation was dropped meanwhile")
}
