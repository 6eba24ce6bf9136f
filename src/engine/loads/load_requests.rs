//! Load requests: a reader joins the flight for a key, or starts one.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::flight::{FlightPlan, Joined, RowTarget, Target};
use crate::cache::{ttl, Answer, Error, FlightId, Ttl};
use crate::engine::catalog::sources::queue_is_full;
use crate::engine::host::Host;
use crate::engine::loads::pending_multiread::{MultireadId, PendingMultiread};
use crate::engine::loads::waiter::Continuation;
use crate::engine::{Caller, Engine, FlightWaiter, ResolvedKey, Store, StoreKey, Table};
use crate::postgres::rows::load::KeyValues;
use crate::workers::batch::{Batch, Task};
use crate::workers::queue::Limits;
use crate::workers::SourceIndex;

/// Keys with the flights that wait for them.
type Keys = Vec<(FlightId, KeyValues)>;

/// A row that is to be loaded: where it may stand, and the values that its statement takes.
#[derive(Debug)]
pub struct RowLoad<K> {
    /// Where it may stand.
    pub resolved_key: ResolvedKey<K>,
    /// The values of its lookup key.
    pub values: KeyValues,
}

impl<K: StoreKey> RowLoad<K> {
    /// The row that `resolved_key` names. Fails where its values cannot be told.
    pub fn of(resolved_key: ResolvedKey<K>) -> Result<Self, Error> {
        let values = resolved_key.values()?;
        Ok(Self { resolved_key, values })
    }
}

/// The loads that one command starts, gathered so that each statement's keys go as one task.
#[derive(Debug, Default)]
pub struct LoadRequests {
    tasks: Vec<(Arc<Batch>, Keys)>,
    /// Whether one of them has to say what it saw.
    is_guarded: bool,
}

impl LoadRequests {
    /// Adds the load of a flight to those of its statement. `is_guarded`: whether it has to say what it saw.
    pub fn add(&mut self, batch: &Arc<Batch>, flight: FlightId, values: KeyValues, is_guarded: bool) {
        self.is_guarded |= is_guarded;
        match self.tasks.iter_mut().find(|(known, _)| Arc::ptr_eq(known, batch)) {
            Some((_, keys)) => keys.push((flight, values)),
            None => self.tasks.push((Arc::clone(batch), vec![(flight, values)])),
        }
    }
}

impl<H: Host> Engine<H> {
    /// How many wait on the flight that a reader of `key` would join; `None` when there is none.
    pub fn waiters_of(&self, key: &[u8]) -> Option<usize> {
        self.loads.flights.waiters_of(key)
    }

    /// Enters a MULTIREAD that waits for some of its rows.
    pub fn start_multiread(&mut self, multiread: PendingMultiread<H>) -> MultireadId {
        self.loads.multireads.add(multiread)
    }

    /// Lets `waiting` wait for `row`; a flight that this starts goes to `requests`.
    pub fn join<S: Store>(
        &mut self,
        store: S,
        table: &Rc<Table>,
        row: RowLoad<S::Key>,
        ttl_s: u32,
        waiting: FlightWaiter<H>,
        requests: &mut LoadRequests,
    ) {
        let RowLoad { resolved_key, values } = row;
        let target = RowTarget {
            may_alias: resolved_key.needs_postgres && !resolved_key.lookup.reads_clock(&values),
            ..resolved_key.target(table)
        };
        let min_lsn = self.unreached(store, table, waiting.min_lsn());
        let plan = FlightPlan { min_lsn, ..self.plan(store, Target::Row(target), resolved_key.prefix_len, ttl_s) };
        if let Some(flight) = self.join_flight(resolved_key.flight_key(), plan, waiting) {
            let batch =
                if resolved_key.needs_postgres { resolved_key.lookup.asking() } else { resolved_key.lookup.plain() };
            let lookup_key = resolved_key.flight_key().get(resolved_key.prefix_len..).unwrap_or_default();
            let is_guarded = self.guard_row(flight, table, target, lookup_key);
            requests.add(batch, flight, values, is_guarded);
        }
    }

    /// The plan of a flight that loads `target` for `ttl_s` seconds, and whose key has a prefix of that length.
    pub fn plan(&self, store: impl Store, target: Target, prefix_len: usize, ttl_s: u32) -> FlightPlan {
        let deadline_ms = self.load_deadline_ms(store.monotonic_ms());
        FlightPlan { target, ttl_s, deadline_ms, prefix_len, is_refresh: false, guard: None, min_lsn: None }
    }

    /// Lets `waiting` wait for the flight for `key`. Returns the one that this starts, which has to be loaded; `None`: one is
    /// under way.
    pub fn join_flight(&mut self, key: &[u8], plan: FlightPlan, waiting: FlightWaiter<H>) -> Option<FlightId> {
        match self.loads.flights.join(key, plan, waiting) {
            Joined::Started(flight) => Some(flight),
            Joined::Waiting(_) => {
                self.counters.coalesced += 1;
                None
            }
        }
    }

    /// Hands the flights that were started to the workers. Those that find no room in the queue, or a
    /// source that is down, complete at once with `PGBUSY` or `PGDOWN`.
    pub fn submit(&mut self, store: impl Store, source: SourceIndex, requests: LoadRequests) {
        let settings = self.settings.get();
        let limits =
            Limits { queue_limit: settings.queue_limit, batch_max: settings.batch_max, calls: !store.counts_ticks() };
        if requests.is_guarded {
            let all = requests.tasks.iter().flat_map(|(batch, keys)| keys.iter().map(move |key| (batch, key)));
            let guarded = all.filter(|(_, (flight, _))| self.loads.flights.is_guarded(*flight));
            guarded.for_each(|(batch, (flight, values))| self.loads.repeats.add(*flight, batch, values));
        }
        let pushed = Instant::now();
        let deadline = pushed + settings.load_timeout;
        for (batch, keys) in requests.tasks {
            let flights: Vec<FlightId> = keys.iter().map(|(flight, _)| *flight).collect();
            let pushed = self.sources.get(source).map_or_else(
                || Err(queue_is_full()),
                |active| active.push(&batch, Task { keys, pushed, deadline, is_guarded: requests.is_guarded }, limits),
            );
            if let Err(error) = pushed {
                self.reject(store, &flights, &error);
            }
        }
    }

    /// Has PostgreSQL name the row's own key; `rest` goes on from there.
    pub fn ask_for_own_key(
        &mut self,
        ctx: H::Context<'_>,
        table: &Rc<Table>,
        resolved_key: ResolvedKey<H::Key>,
        caller: &mut Caller<H>,
        rest: Continuation<H>,
    ) -> Result<Answer, Error> {
        let row = RowLoad::of(resolved_key)?;
        let waiter = caller.wait(self, ctx)?;
        let mut requests = LoadRequests::default();
        let ttl_s = self.ttl_s(None);
        self.join(ctx, table, row, ttl_s, FlightWaiter::Continue { waiter, rest }, &mut requests);
        self.submit(ctx, table.source, requests);
        Ok(Answer::Blocked(waiter))
    }

    /// The time to live in seconds that a command asked for, or the default; 0: no expiry.
    pub fn ttl_s(&self, asked: Option<Ttl>) -> u32 {
        asked.map_or_else(|| ttl::whole_seconds(self.settings.get().default_ttl), Ttl::seconds)
    }

    fn reject(&mut self, store: impl Store, flights: &[FlightId], error: &Error) {
        for flight in flights {
            if let Some(completed) = self.loads.flights.complete(*flight) {
                self.expire_flight(store, completed, error.clone());
            }
        }
        store.wake();
    }
}
