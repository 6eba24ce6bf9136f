//! The completion of a flight: what it loaded is stored, and everyone who waited is answered.

use std::ffi::CStr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::flight::{CompletedFlight, Target};
use crate::cache::{Access, Purpose, Reply};
use crate::cache::{Age, Error, ErrorKind, FlightId, Timings};
use crate::engine::loads::entries::Found;
use crate::engine::loads::pending_multiread::{json_array, too_many_bytes, Fit, MultireadId, Slot};
use crate::engine::queries::QueryLoad;
use crate::engine::requests::deferred_write::DeferredWrite;
use crate::engine::{command_names, Engine, FlightWaiter, LoadedRow, Store, Table};
use crate::postgres::rows::load::Fetched;
use crate::server::context::replicas_are_paused;
use crate::server::{Context, User};

/// What a statement brought for one flight.
#[derive(Debug)]
pub struct Completion {
    /// Which.
    pub flight: FlightId,
    /// The row, or why there is none.
    pub outcome: Result<Fetched, Error>,
    /// How long it waited and the statement took.
    pub timings: Timings,
}

/// A load's answer, shared by all who waited for it.
pub type SharedAnswer = Rc<LoadAnswer>;

/// What a load brought, and how long that took.
#[derive(Debug)]
pub struct LoadAnswer {
    /// The row, or why there is none.
    pub result: Result<LoadedRow, Error>,
    /// Where the time went.
    pub timings: Timings,
}

impl Engine {
    /// A load came back for one flight.
    pub fn complete(&mut self, store: impl Store, completion: Completion) {
        let Some(mut completed) = self.loads.flights.complete(completion.flight) else { return };
        let Completion { outcome, timings, .. } = completion;
        let load = self.query_load_of(&completed);
        let loaded = match &load {
            Some(load) => self.complete_query(store, &mut completed, load, outcome),
            None => self.complete_row(store, &mut completed, outcome),
        };
        self.emit_load(store, &completed, load.as_ref(), loaded.as_ref().map(|_| timings.postgres_us));
        match loaded {
            Err(error) => self.fail_flight(store, completed, error, timings),
            loaded => self.answer_all(completed.waiters, loaded, timings),
        }
    }

    /// A row came back for one flight: returns what those get who waited.
    fn complete_row(
        &mut self,
        store: impl Store,
        completed: &mut CompletedFlight<FlightWaiter>,
        outcome: Result<Fetched, Error>,
    ) -> Result<LoadedRow, Error> {
        let table = completed.plan.row().and_then(|row| self.catalog.tables.by_id(row.table));
        let mut loaded = loaded(table.as_deref(), completed, outcome?)?;
        match table {
            Some(table) if completed.may_fill || self.settings.get().test_unguarded => {
                self.fill_from(store, &table, completed, &mut loaded);
            }
            Some(table) => self.catch_up_with_newer(store, table, completed, &mut loaded),
            None => {}
        }
        Ok(loaded)
    }

    /// A flight ends without a result.
    pub fn expire_flight(&mut self, store: impl Store, completed: CompletedFlight<FlightWaiter>, error: Error) {
        let load = self.query_load_of(&completed);
        self.emit_load(store, &completed, load.as_ref(), Err(&error));
        self.fail_flight(store, completed, error, Timings::default());
    }

    /// The query that a flight which has ended was for, if it was for one.
    fn query_load_of(&mut self, completed: &CompletedFlight<FlightWaiter>) -> Option<QueryLoad> {
        match completed.plan.target {
            Target::Query(number) => self.queries.take_load(number),
            Target::Row(_) => None,
        }
    }

    /// Stores what a flight brought, if changes of its table are told as far as they have to be.
    fn fill_from(
        &mut self,
        store: impl Store,
        table: &Table,
        completed: &CompletedFlight<FlightWaiter>,
        loaded: &mut LoadedRow,
    ) {
        if !self.may_rely_on(store, table) {
            return;
        }
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

    /// Answers one waiter of a flight.
    pub fn answer(&mut self, ctx: Context<'_>, waiting: FlightWaiter, answered: &SharedAnswer) {
        match waiting {
            FlightWaiter::Row { waiter, user } => {
                self.requests.waiters.add_timings(waiter, answered.timings);
                match self.row_for(ctx, &user, command_names::READ, answered) {
                    Ok(Some(row)) => self.requests.waiters.answer(waiter, Reply::Bulk(row)),
                    Ok(None) => self.requests.waiters.answer(waiter, Reply::Nil),
                    Err(error) => self.fail(waiter, error),
                }
            }
            FlightWaiter::Part { multiread, index } => self.answer_part(ctx, multiread, index, answered),
            // What follows may write, which a pause forbids.
            FlightWaiter::Continue { waiter, rest } if replicas_are_paused() => {
                self.requests
                    .deferred
                    .push(DeferredWrite::Answer(FlightWaiter::Continue { waiter, rest }, Rc::clone(answered)));
            }
            FlightWaiter::Continue { waiter, rest } => {
                self.requests.waiters.add_timings(waiter, answered.timings);
                let reply = rest(self, ctx, &answered.result);
                self.requests.waiters.answer(waiter, reply);
            }
        }
    }

    /// The row, if the user may read it under its own key, which may differ from the one that was asked for.
    fn row_for(
        &mut self,
        ctx: Context<'_>,
        user: &User,
        command: &'static CStr,
        answered: &SharedAnswer,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let loaded = answered.result.as_ref().map_err(Clone::clone)?;
        self.check_own_key(ctx, user, loaded, Purpose { command, access: Access::Read })?;
        Ok(loaded.row.clone())
    }

    fn answer_part(&mut self, ctx: Context<'_>, multiread: MultireadId, index: usize, answered: &SharedAnswer) {
        let slot = match self.part_for(ctx, multiread, answered) {
            Ok(Some(row)) => Slot::Row(row),
            Ok(None) => Slot::Absent,
            Err(error) => {
                if let Some(multiread) = self.loads.multireads.remove(multiread) {
                    self.requests.waiters.add_timings(multiread.waiter, multiread.timings.max(answered.timings));
                    self.fail(multiread.waiter, error);
                }
                return;
            }
        };
        let Some((done, fit)) = self.loads.multireads.fill(multiread, index, slot, answered.timings) else {
            return;
        };
        self.requests.waiters.add_timings(done.waiter, done.timings);
        match fit {
            Fit::Fits => self.requests.waiters.answer(done.waiter, Reply::Buffer(json_array(&done.slots))),
            Fit::TooLong => {
                let max = self.settings.get().max_multiread_bytes;
                self.fail(done.waiter, too_many_bytes(max));
            }
        }
    }

    /// The row for a MULTIREAD. Only under another key than was asked for does it matter whose it is.
    fn part_for(
        &mut self,
        ctx: Context<'_>,
        multiread: MultireadId,
        answered: &SharedAnswer,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        match &answered.result {
            Ok(LoadedRow { acl_key: None, row, .. }) => Ok(row.clone()),
            Ok(_) => match self.loads.multireads.asker(multiread) {
                Some(user) => self.row_for(ctx, &user, command_names::MULTIREAD, answered),
                // Answered already: nobody is shown it.
                None => Ok(None),
            },
            Err(error) => Err(error.clone()),
        }
    }
}

fn loaded(
    table: Option<&Table>,
    completed: &CompletedFlight<FlightWaiter>,
    fetched: Fetched,
) -> Result<LoadedRow, Error> {
    let (row, own_key) = match fetched {
        Fetched::Row { json, own_key } => (Some(json), own_key),
        Fetched::Absent { own_key } => (None, own_key),
        Fetched::Ambiguous | Fetched::Rows(..) => {
            return Err(Error::new(
                ErrorKind::NotUnique,
                "the lookup key matches more than one row: use the primary key or a unique one",
            ))
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
