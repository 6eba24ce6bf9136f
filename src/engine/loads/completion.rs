//! Flights that land: what they brought is stored, and everyone who waited is answered.

use std::ffi::CStr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::age::Age;
use crate::cache::error::{Error, ErrorKind};
use crate::cache::flight::{FlightId, Landed, Target};
use crate::cache::spent::Spent;
use crate::postgres::rows::load::Fetched;
use crate::server::acl::{Access, User};
use crate::server::context::{replicas_are_paused, Context};
use crate::server::reply::Reply;

use crate::engine::catalog::tables::Table;
use crate::engine::command_names;
use crate::engine::loads::entries::Found;
use crate::engine::loads::pending_multiread::{json_array, too_many_bytes, Fit, GatherId, Slot};
use crate::engine::loads::waiter::{Brought, Ticket};
use crate::engine::queries::QueryLoad;
use crate::engine::requests::deferred_write::Held;
use crate::engine::state::Engine;
use crate::engine::store::Store;

/// What a statement brought for one flight.
#[derive(Debug)]
pub struct Landing {
    /// Which.
    pub flight: FlightId,
    /// The row, or why there is none.
    pub outcome: Result<Fetched, Error>,
    /// How long it waited and the statement took.
    pub spent: Spent,
}

/// A load's answer, shared by all who waited for it.
pub type Answered = Rc<LoadAnswer>;

/// What a load brought, and how long that took.
#[derive(Debug)]
pub struct LoadAnswer {
    /// The row, or why there is none.
    pub result: Result<Brought, Error>,
    /// Where the time went.
    pub spent: Spent,
}

impl Engine {
    /// A load came back for one flight.
    pub fn land(&mut self, store: impl Store, landing: Landing) {
        let Some(mut landed) = self.flights.land(landing.flight) else { return };
        let Landing { outcome, spent, .. } = landing;
        let load = self.query_load_of(&landed);
        let brought = match &load {
            Some(load) => self.complete_query(store, &mut landed, load, outcome),
            None => self.complete_row(store, &mut landed, outcome),
        };
        self.tell_load(store, &landed, load.as_ref(), brought.as_ref().map(|_| spent.postgres_us));
        match brought {
            Err(error) => self.fail_flight(store, landed, error, spent),
            brought => self.answer_all(landed.waiters, brought, spent),
        }
    }

    /// A row came back for one flight: returns what those get who waited.
    fn complete_row(
        &mut self,
        store: impl Store,
        landed: &mut Landed<Ticket>,
        outcome: Result<Fetched, Error>,
    ) -> Result<Brought, Error> {
        let table = landed.plan.row().and_then(|row| self.tables.by_id(row.table));
        let mut brought = brought(table.as_deref(), landed, outcome?)?;
        match table {
            Some(table) if landed.may_fill || self.settings.get().test_unguarded => {
                self.fill_from(store, &table, landed, &mut brought);
            }
            Some(table) => self.catch_up_with_newer(store, table, landed, &mut brought),
            None => {}
        }
        Ok(brought)
    }

    /// A flight ends without having landed.
    pub fn give_up(&mut self, store: impl Store, landed: Landed<Ticket>, error: Error) {
        let load = self.query_load_of(&landed);
        self.tell_load(store, &landed, load.as_ref(), Err(&error));
        self.fail_flight(store, landed, error, Spent::default());
    }

    /// The query that a flight which has ended was for, if it was for one.
    fn query_load_of(&mut self, landed: &Landed<Ticket>) -> Option<QueryLoad> {
        match landed.plan.target {
            Target::Query(number) => self.queries.take_load(number),
            Target::Row(_) => None,
        }
    }

    /// Stores what a flight brought, if changes of its table are told as far as they have to be.
    fn fill_from(
        &mut self,
        store: impl Store,
        table: &Table,
        landed: &Landed<Ticket>,
        brought: &mut Brought,
    ) {
        if !self.may_rely_on(store, table) {
            return;
        }
        if landed.plan.is_refresh && brought.own_key.as_ref() != Some(&landed.key) {
            self.discard(store, &landed.key);
        }
        let Some(own_key) = &brought.own_key else { return };
        if landed.plan.row().is_some_and(|row| row.may_alias) {
            self.aliases.remember(&landed.key, own_key);
        }
        // Another spelling, or a WRITE, was there before: one key has one answer, until that is stale.
        if brought.is_renamed && self.may_serve(store, table, own_key) {
            // One that is still to come may have read before this one did.
            self.counters.superseded += u64::from(self.flights.supersede_key(own_key));
            match self.find_aged(store, &store.key(own_key), None, |row| Arc::from(row)) {
                (Found::Row(_), Age::Stale) => {}
                (Found::Row(row), _) => return brought.row = Some(row),
                (Found::Absent, _) => return brought.row = None,
                (Found::Foreign | Found::Nothing, _) => {}
            }
        }
        self.fill(store, own_key, brought.row.as_deref(), landed.plan.ttl_s);
    }

    /// Answers one waiter of a flight.
    pub fn answer(&mut self, ctx: Context<'_>, ticket: Ticket, answered: &Answered) {
        match ticket {
            Ticket::Row { waiter, user } => {
                self.waiters.spend(waiter, answered.spent);
                match self.row_for(ctx, &user, command_names::READ, answered) {
                    Ok(Some(row)) => self.waiters.answer(waiter, Reply::Bulk(row)),
                    Ok(None) => self.waiters.answer(waiter, Reply::Nil),
                    Err(error) => self.fail(waiter, error),
                }
            }
            Ticket::Part { gather, index } => self.answer_part(ctx, gather, index, answered),
            // What follows may write, which a pause forbids.
            Ticket::Then { waiter, rest } if replicas_are_paused() => {
                self.held.push(Held::Answer(Ticket::Then { waiter, rest }, Rc::clone(answered)));
            }
            Ticket::Then { waiter, rest } => {
                self.waiters.spend(waiter, answered.spent);
                let reply = rest(self, ctx, &answered.result);
                self.waiters.answer(waiter, reply);
            }
        }
    }

    /// The row, if the user may read it under its own key, which may differ from the one that was asked for.
    fn row_for(
        &mut self,
        ctx: Context<'_>,
        user: &User,
        command: &'static CStr,
        answered: &Answered,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let brought = answered.result.as_ref().map_err(Clone::clone)?;
        self.check_own_key(ctx, user, brought, command, Access::Read)?;
        Ok(brought.row.clone())
    }

    fn answer_part(&mut self, ctx: Context<'_>, gather: GatherId, index: usize, answered: &Answered) {
        let slot = match self.part_for(ctx, gather, answered) {
            Ok(Some(row)) => Slot::Row(row),
            Ok(None) => Slot::Absent,
            Err(error) => {
                if let Some(gather) = self.gathers.remove(gather) {
                    self.waiters.spend(gather.waiter, gather.spent.max(answered.spent));
                    self.fail(gather.waiter, error);
                }
                return;
            }
        };
        let Some((done, fit)) = self.gathers.fill(gather, index, slot, answered.spent) else { return };
        self.waiters.spend(done.waiter, done.spent);
        match fit {
            Fit::Fits => self.waiters.answer(done.waiter, Reply::Buffer(json_array(&done.slots))),
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
        gather: GatherId,
        answered: &Answered,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        match &answered.result {
            Ok(Brought { acl_key: None, row, .. }) => Ok(row.clone()),
            Ok(_) => match self.gathers.asker(gather) {
                Some(user) => self.row_for(ctx, &user, command_names::MULTIREAD, answered),
                // Answered already: nobody is shown it.
                None => Ok(None),
            },
            Err(error) => Err(error.clone()),
        }
    }
}

fn brought(table: Option<&Table>, landed: &Landed<Ticket>, fetched: Fetched) -> Result<Brought, Error> {
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
            Some(Rc::from([landed.key.get(..landed.plan.prefix_len).unwrap_or_default(), &own].concat()))
        }
        None if landed.plan.row().is_some_and(|row| row.asks) => None,
        None => Some(Rc::clone(&landed.key)),
    };
    let is_renamed = own_key.as_ref().is_some_and(|own: &Rc<[u8]>| own[..] != landed.key[..]);
    let acl_key = own_key.as_ref().filter(|_| is_renamed).and_then(|own| {
        let lookup_key = own.get(landed.plan.prefix_len..)?;
        Some(Rc::from([&table?.acl_prefix, lookup_key].concat()))
    });
    Ok(Brought { row, own_key, is_renamed, acl_key })
}
