//! The completion of a flight: what it loaded is stored, and everyone who waited is answered.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::flight::{CompletedFlight, Target};
use crate::cache::{Age, Error, ErrorKind, FlightId, PgSnapshot, Timings};
use crate::clock::Tick;
use crate::engine::host::Host;
use crate::engine::loads::entries::Found;
use crate::engine::queries::QueryLoad;
use crate::engine::{Engine, FlightWaiter, LoadedRow, Store, Table};
use crate::postgres::rows::load::Fetched;

/// What those get who waited for a flight.
#[derive(Debug)]
pub struct Answers {
    /// Everybody but those below.
    pub row: LoadedRow,
    /// Those who have named a position that an entry may not reach: what was loaded. `None`: there is nobody who has.
    pub loaded: Option<LoadedRow>,
}

/// What a statement brought for one flight.
#[derive(Debug)]
pub struct Completion {
    /// Which.
    pub flight: FlightId,
    /// The row, or why there is none.
    pub outcome: Result<Fetched, Error>,
    /// What PostgreSQL showed before it was loaded, where that matters.
    pub snapshot: Option<Rc<PgSnapshot>>,
    /// How long it waited and the statement took.
    pub timings: Timings,
}

impl<H: Host> Engine<H> {
    /// A load came back for one flight.
    pub fn complete(&mut self, store: impl Store, completion: Completion) {
        let repeat = self.loads.repeats.take(completion.flight);
        let Some(mut completed) = self.loads.flights.complete(completion.flight) else { return };
        let (began, Completion { outcome, snapshot, timings, .. }) = (Tick::now(), completion);
        let load = self.query_load_of(&completed);
        let shows_all = outcome.is_err() || self.check_guard(&mut completed, load.as_ref(), snapshot.as_deref());
        let late = repeat.filter(|_| !shows_all).map(|repeat| (repeat, completed.take_late()));
        let loaded = match &load {
            Some(load) => self.complete_query(store, &mut completed, load, outcome),
            None => self.complete_row(store, &mut completed, outcome),
        };
        self.emit_load(store, &completed, load.as_ref(), loaded.as_ref().map(|_| timings.postgres_us));
        if let Some((repeat, late)) = late.filter(|(_, late)| !late.is_empty()) {
            self.load_again(store, &completed, load.as_ref(), late, repeat);
        }
        let timings = Timings { main_us: began.elapsed_us(), ..timings };
        match loaded {
            Err(error) => self.fail_flight(store, completed, error, timings),
            Ok(answers) => self.answer_each(completed.waiters, answers, timings),
        }
    }

    /// A row came back for one flight: returns what those get who waited.
    fn complete_row(
        &mut self,
        store: impl Store,
        completed: &mut CompletedFlight<FlightWaiter<H>>,
        outcome: Result<Fetched, Error>,
    ) -> Result<Answers, Error> {
        let table = completed.plan.row().and_then(|row| self.catalog.tables.by_id(row.table));
        let mut row = loaded(table.as_deref(), completed, outcome?)?;
        let Some(table) = table else { return Ok(Answers { row, loaded: None }) };
        let is_reliable = self.may_rely_on(store, &table);
        if !is_reliable {
            self.drop_contradicted(store, &table, completed, &row);
        }
        let goes_past = completed.plan.min_lsn.is_some_and(|lsn| !self.reaches(store, &table, lsn));
        let loaded = goes_past.then(|| row.clone());
        if !completed.may_fill && !self.settings.get().test_unguarded {
            self.catch_up_with_newer(store, Rc::clone(&table), completed, &mut row);
        } else if is_reliable {
            self.fill_from(store, &table, completed, &mut row);
        }
        // Whoever is answered by what was loaded must not find an entry next that it goes past.
        if let Some(loaded) = loaded.as_ref().filter(|_| has_named_positions(&completed.waiters)) {
            self.drop_contradicted(store, &table, completed, loaded);
        }
        Ok(Answers { row, loaded })
    }

    /// Has everyone who waited for a flight answered.
    fn answer_each(&mut self, waiters: Vec<FlightWaiter<H>>, answers: Answers, timings: Timings) {
        let Some(loaded) = answers.loaded else { return self.answer_all(waiters, Ok(answers.row), timings) };
        let (named, others): (Vec<_>, Vec<_>) = waiters.into_iter().partition(|waiting| waiting.min_lsn().is_some());
        self.answer_all(named, Ok(loaded), timings);
        self.answer_all(others, Ok(answers.row), timings);
    }

    /// A flight ends without a result.
    pub fn expire_flight(&mut self, store: impl Store, completed: CompletedFlight<FlightWaiter<H>>, error: Error) {
        let load = self.query_load_of(&completed);
        self.emit_load(store, &completed, load.as_ref(), Err(&error));
        self.fail_flight(store, completed, error, Timings::default());
    }

    /// The query that a flight which has ended was for, if it was for one.
    fn query_load_of(&mut self, completed: &CompletedFlight<FlightWaiter<H>>) -> Option<QueryLoad> {
        match completed.plan.target {
            Target::Query(number) => self.queries.take_load(number),
            Target::Row(_) => None,
        }
    }

    /// Stores what a flight brought: changes of its table are told as far as they have to be.
    fn fill_from(
        &mut self,
        store: impl Store,
        table: &Table,
        completed: &CompletedFlight<FlightWaiter<H>>,
        loaded: &mut LoadedRow,
    ) {
        if completed.plan.is_refresh && loaded.own_key.as_ref() != Some(&completed.key) {
            self.discard(store, &completed.key);
        }
        let Some(own_key) = &loaded.own_key else { return };
        if completed.plan.row().is_some_and(|row| row.may_alias) {
            self.catalog.aliases.remember(&completed.key, own_key);
        }
        // Another spelling, or a WRITE, was there before: one key has one answer, until that is stale.
        if loaded.is_renamed && self.may_serve(store, table, own_key) {
            // One that is still to come may have read before this one did.
            self.counters.superseded += u64::from(self.loads.flights.supersede_key(own_key));
            match self.find_aged(store, &store.key(own_key), None, |row| Arc::from(row)) {
                (Found::Row(_), Age::Stale) => {}
                (Found::Row(row), _) => return loaded.row = Some(row),
                (Found::Absent, _) => return loaded.row = None,
                (Found::Foreign | Found::Nothing, _) => {}
            }
        }
        self.fill(store, own_key, loaded.row.as_deref(), completed.plan.ttl_s);
    }
}

/// Whether one of them has named a position.
pub fn has_named_positions<H: Host>(waiters: &[FlightWaiter<H>]) -> bool {
    waiters.iter().any(|waiting| waiting.min_lsn().is_some())
}

fn loaded<H: Host>(
    table: Option<&Table>,
    completed: &CompletedFlight<FlightWaiter<H>>,
    fetched: Fetched,
) -> Result<LoadedRow, Error> {
    let (row, own_key) = match fetched {
        Fetched::Row { json, own_key } => (Some(json), own_key),
        Fetched::Absent { own_key } => (None, own_key),
        Fetched::Ambiguous | Fetched::Rows(..) => {
            let name = table.map_or("", |table| &table.name);
            return Err(Error::new(
                ErrorKind::NotUnique,
                format!("{name}: more than one row has this lookup key: use the columns of its primary key or of a unique index"),
            ));
        }
    };
    let own_key = match own_key {
        Some(own) => {
            Some(Rc::from([completed.key.get(..completed.plan.prefix_len).unwrap_or_default(), &own].concat()))
        }
        None if completed.plan.row().is_some_and(|row| row.needs_postgres) => None,
        None => Some(Rc::clone(&completed.key)),
    };
    let is_renamed = own_key.as_ref().is_some_and(|own: &Rc<[u8]>| own[..] != completed.key[..]);
    let acl_key = own_key.as_ref().filter(|_| is_renamed).and_then(|own| {
        let lookup_key = own.get(completed.plan.prefix_len..)?;
        Some(Rc::from([&table?.acl_prefix, lookup_key].concat()))
    });
    Ok(LoadedRow { row, own_key, is_renamed, acl_key })
}
