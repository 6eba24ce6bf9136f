//! Asking a query: its entry, or the load that brings one.

use std::ffi::CStr;
use std::rc::Rc;

use crate::cache::flight::{FlightPlan, Target};
use crate::cache::{result_set, Access, Answer, Error, Purpose, Reply, Stored};
use crate::engine::host::{Callback, Host};
use crate::engine::loads::entries::Found;
use crate::engine::loads::load_requests::LoadRequests;
use crate::engine::{command_names, Caller, Engine, FlightWaiter, Store, StoreKey};
use crate::plugins::Event;
use crate::settings::EventType;

use super::{Asked, Query, Request};

/// What is wanted of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its rows.
    Rows,
    /// What is known of it.
    Inspection,
    /// Whether its rows may be kept by whoever asks for them next.
    Vouching,
}

impl Wanted {
    /// The command that wants it.
    fn command(self) -> &'static CStr {
        match self {
            Self::Rows => command_names::QUERY,
            Self::Inspection => command_names::INSPECT,
            Self::Vouching => command_names::NEAR,
        }
    }
}

impl<H: Host> Engine<H> {
    /// Answers `asked` for the client of `ctx`.
    pub fn ask(&mut self, ctx: H::Context<'_>, asked: &Asked, wanted: Wanted) -> Answer {
        let mut caller = Caller::of(ctx);
        self.know_definitions(ctx);
        let request =
            self.request(ctx, asked).map_err(|error| self.hide_query(ctx, asked, wanted.command(), &caller, error));
        let answer = request.and_then(|request| self.query(ctx, &request, wanted, &mut caller));
        self.finish(ctx, &caller, answer)
    }

    /// Answers `request`, now or once PostgreSQL has.
    pub fn query(
        &mut self,
        ctx: H::Context<'_>,
        request: &Request,
        wanted: Wanted,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error> {
        let key = ctx.key(&request.cache_key());
        let purpose = Purpose { command: wanted.command(), access: Access::Read };
        if request.slot_tag.is_empty() {
            self.may_access(ctx, &caller.user, purpose, &[&key])?;
        } else {
            self.may_access(ctx, &caller.user, purpose, &[&ctx.key(&request.acl_key())])?;
        }
        let Some(query) = self.known_query(request) else {
            return self.await_description(ctx, request, wanted, caller);
        };
        match wanted {
            Wanted::Rows => {}
            Wanted::Inspection => return Ok(Answer::Now(self.inspect_query(ctx, request, &query, &key))),
            Wanted::Vouching => return Ok(Answer::Now(self.vouch_for_query(ctx, request, &query, &key))),
        }
        if let Some(reply) = self.reply_with_rows(ctx, request, &query, &key, caller.is_in_command()) {
            self.counters.hits += 1;
            self.emit_query_event(ctx, request, EventType::Hit, &key);
            return Ok(Answer::Now(reply));
        }
        self.counters.misses += 1;
        let waiter = caller.wait(self, ctx)?;
        let user = Rc::new(caller.take_user());
        self.emit_query_event(ctx, request, EventType::Miss, &key);
        self.join_query(ctx, request, &query, &key, FlightWaiter::Row { waiter, user, min_lsn: request.min_lsn });
        Ok(Answer::Blocked(waiter))
    }

    /// What is known of the query, unless a table that it reads has become another one.
    fn known_query(&mut self, request: &Request) -> Option<Rc<Query>> {
        let query = Rc::clone(self.queries.known.get(&request.stem)?);
        if query.sql() != &*request.sql || query.is_outdated(&self.catalog.tables) {
            self.queries.forget(&request.stem);
            return None;
        }
        Some(query)
    }

    fn reply_with_rows(
        &mut self,
        ctx: H::Context<'_>,
        request: &Request,
        query: &Query,
        key: &H::Key,
        in_command: bool,
    ) -> Option<Reply> {
        let is_reached = request.min_lsn.is_none_or(|lsn| self.query_reaches(ctx, query, lsn));
        if !is_reached || !self.may_rely_on_query(ctx, query) {
            self.counters.bypassed += 1;
            return None;
        }
        let found = self.with_rows(ctx, query, &request.tags, key, |rows| ctx.reply_with(rows, in_command));
        match found {
            Found::Row(reply) => Some(reply),
            Found::Foreign => {
                self.counters.foreign_values += 1;
                None
            }
            Found::Absent | Found::Nothing => None,
        }
    }

    /// Passes the rows of the entry under `key`, which carries `tags`, to `take`, if they are what PostgreSQL says as far as
    /// it has told.
    pub(in crate::engine) fn with_rows<S: Store, T>(
        &mut self,
        store: S,
        query: &Query,
        tags: &[Box<str>],
        key: &S::Key,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Found<T> {
        let queries = &mut self.queries;
        store.read(key, |stored| match stored {
            Stored::Nothing => Found::Nothing,
            Stored::OtherType => Found::Foreign,
            Stored::Bytes(entry) => match result_set::read(entry) {
                Some((stamp, rows)) if queries.is_fresh(stamp, query, tags) => Found::Row(take(rows)),
                Some(_) => Found::Nothing,
                None => Found::Foreign,
            },
        })
    }

    /// Whether entries of `query` may be served and stored: here its changes are known, which a replica's master does not
    /// pass on, and told as far as they have to be.
    pub(in crate::engine) fn may_rely_on_query(&self, store: impl Store, query: &Query) -> bool {
        !store.is_replica() && query.reads_only(&self.catalog.tables, |table| self.may_rely_on(store, table))
    }

    fn join_query<S: Store>(
        &mut self,
        store: S,
        request: &Request,
        query: &Rc<Query>,
        key: &S::Key,
        waiting: FlightWaiter<H>,
    ) {
        let under_way = match self.loads.flights.target_of(key.as_bytes()) {
            Some(Target::Query(number)) => Some(number),
            Some(Target::Row(_)) | None => None,
        };
        if under_way.is_some_and(|number| !self.queries.is_load_fresh(number, query, &request.tags)) {
            self.counters.superseded += u64::from(self.loads.flights.supersede_key(key.as_bytes()));
        }
        let number = self.queries.ask(query, &request.tags);
        let min_lsn = self.unreached_by_query(store, query, request.min_lsn);
        let plan =
            FlightPlan { min_lsn, ..self.plan(store, Target::Query(number), request.prefix_len(), request.ttl_s) };
        let Some(flight) = self.join_flight(key.as_bytes(), plan, waiting) else {
            self.queries.take_load(number);
            return;
        };
        let mut requests = LoadRequests::default();
        let is_guarded = self.guard_query(flight, query);
        requests.add(&query.batch, flight, Box::new([Box::from(&*request.params)]), is_guarded);
        self.submit(store, query.source, requests);
    }

    fn emit_query_event(&mut self, ctx: H::Context<'_>, request: &Request, kind: EventType, key: &H::Key) {
        let what = Event::new(kind).key(key.as_bytes(), request.prefix_len());
        self.emit_for_query(ctx, request.source, &request.name, what);
    }
}
