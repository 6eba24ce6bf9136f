//! Commands on tables: at once when the table is known, else when the catalog has been read.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::error::{Error, ErrorKind};
use crate::cache::name::TableName;
use crate::cache::table::TableDefinition;
use crate::plugins::call::Words;
use crate::server::acl::Access;
use crate::server::blocked::WaiterId;
use crate::server::clock::monotonic_ms;
use crate::server::command::{Arguments, Spec};
use crate::server::context::{replicas_are_paused, Context};
use crate::server::reply::Reply;
use crate::workers::mail::SourceIndex;
use crate::workers::queue::Job;

use super::caller::Caller;
use super::lookup::Located;
use super::mutations::Held;
use super::sources::queue_is_full;
use super::state::{timed_out, Engine};
use super::tables::{Resolved, Table};
use super::veto::Guarded;

/// How long the memo's refusal of a column or a value stands before the catalog is asked again.
const RECHECK_MS: u64 = 1000;

/// How a command ends for now.
#[derive(Debug)]
pub enum Answer {
    /// With this reply.
    Now(Reply),
    /// The client waits, and something under way will answer it.
    Later,
}

/// A command on one table.
pub trait OnTable {
    /// What it is called and takes.
    fn spec(&self) -> &'static Spec;

    /// What it does with the keys that it names.
    fn access(&self) -> Access;

    /// The keys that it names.
    fn located(&self, engine: &Engine, table: &Table) -> Result<Vec<Located>, Error>;

    /// Runs it, now that the table is known.
    fn run(
        &self,
        engine: &mut Engine,
        ctx: Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller,
    ) -> Result<Answer, Error>;

    /// A copy that outlives the command's arguments.
    fn parked(&self) -> Box<dyn OnTable>;

    /// Whether it changes the keyspace, so that it has to wait for the end of a pause.
    fn writes(&self) -> bool {
        false
    }
}

/// A command whose table is being resolved.
pub struct Parked {
    waiter: WaiterId,
    caller: Caller,
    /// The table as the client spelled it.
    spelling: Box<[u8]>,
    command: Box<dyn OnTable>,
    /// Whether everybody has let it pass who may refuse it.
    is_cleared: bool,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parked")
    }
}

impl Parked {
    /// Who waits.
    pub fn waiter(&self) -> WaiterId {
        self.waiter
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What its command is called and takes.
    pub fn spec(&self) -> &'static Spec {
        self.command.spec()
    }
}

/// The tables being resolved.
#[derive(Default)]
pub struct Resolutions {
    under_way: HashMap<(SourceIndex, String), Resolution>,
}

struct Resolution {
    parked: Vec<Parked>,
    deadline_ms: u64,
}

impl std::fmt::Debug for Resolutions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resolutions({})", self.under_way.len())
    }
}

/// How far a command came.
enum Begun {
    /// To its reply.
    Done(Reply),
    /// To those who may refuse it.
    Guarded(Guarded),
}

/// Runs `command`, which came with `arguments`, for the client of `ctx` on the table that it calls `spelling`.
pub fn on_table(
    ctx: Context<'_>,
    arguments: Arguments<'_>,
    spelling: &[u8],
    command: &impl OnTable,
) -> Reply {
    let mut caller = Caller::of(ctx);
    match super::with(|engine| Some(engine.begin(ctx, spelling, command, &mut caller))) {
        None => Reply::default(),
        Some(Begun::Done(reply)) => reply,
        Some(Begun::Guarded(guarded)) => {
            let words = || arguments.kept();
            let verdict = guarded.ask(ctx, command.spec(), &caller, Words::Live(&words));
            super::with(|engine| {
                let answer = verdict.and_then(|()| {
                    engine.about = Some(guarded.subject);
                    engine.run_or_park(ctx, spelling, command, &mut caller)
                });
                engine.finish(ctx, &caller, answer)
            })
        }
    }
}

impl Engine {
    /// The table that a client calls `spelling`, if it was resolved, in its generation of now.
    pub fn known(&mut self, ctx: Context<'_>, spelling: &[u8]) -> Option<Rc<Table>> {
        let table = self.tables.find(spelling)?;
        Some(self.current(ctx, table))
    }

    fn begin(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl OnTable,
        caller: &mut Caller,
    ) -> Begun {
        let Some(table) = self.known(ctx, spelling) else {
            let answer = self.park(ctx, spelling, command, caller);
            return Begun::Done(self.finish(ctx, caller, answer));
        };
        let answer = match self.guarded(ctx, &table, command, caller) {
            Ok(None) => command.run(self, ctx, &table, caller),
            Ok(Some(guarded)) => return Begun::Guarded(guarded),
            Err(error) => Err(error),
        };
        let answer = self.or_park(ctx, spelling, command, caller, &table, answer);
        Begun::Done(self.finish(ctx, caller, answer))
    }

    /// Runs a command that nobody has refused. Meanwhile its table may have been forgotten.
    fn run_or_park(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl OnTable,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let Some(table) = self.known(ctx, spelling) else { return self.park(ctx, spelling, command, caller) };
        let answer = command.run(self, ctx, &table, caller);
        self.or_park(ctx, spelling, command, caller, &table, answer)
    }

    /// Where the memo of the table may be outdated the catalog is asked, and the command tried once more.
    fn or_park(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl OnTable,
        caller: &mut Caller,
        table: &Table,
        answer: Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        match answer {
            Err(error) if self.may_be_outdated(table, &error) => {
                self.park(ctx, spelling, command, caller).or(Err(error))
            }
            answer => answer,
        }
    }

    /// The end of a command's own call.
    fn finish(&mut self, ctx: Context<'_>, caller: &Caller, answer: Result<Answer, Error>) -> Reply {
        super::catch_up(self, ctx);
        self.conclude(caller, answer)
    }

    /// What a command is answered in its own call: nothing more once its client waits.
    fn conclude(&mut self, caller: &Caller, answer: Result<Answer, Error>) -> Reply {
        let reply = match answer {
            Ok(Answer::Later) => return Reply::Sent,
            Ok(Answer::Now(reply)) => reply,
            Err(error) => {
                self.counters.errors += 1;
                Reply::Error(error)
            }
        };
        match caller.waiter {
            None => reply,
            Some(waiter) => {
                self.waiters.answer(waiter, reply);
                Reply::Sent
            }
        }
    }

    /// Has the client wait until the catalog has been asked for `spelling`, and then run `command`.
    pub fn park(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl OnTable,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let name = TableName::parse(spelling)?;
        let source = self.sources.named(name.source())?;
        let waiter = caller.wait(self, ctx)?;
        let client = caller.client;
        let caller = std::mem::replace(
            caller,
            Caller { waiter: Some(waiter), user: crate::server::acl::User::server(), client },
        );
        let (spelling, command) = (spelling.into(), command.parked());
        let parked = Parked { waiter, caller, spelling, command, is_cleared: false };
        let key = (source, name.relation().to_owned());
        if let Some(resolution) = self.resolutions.under_way.get_mut(&key) {
            resolution.parked.push(parked);
            return Ok(Answer::Later);
        }
        self.describe(source, name.relation())?;
        let deadline_ms = monotonic_ms() + self.settings.get().load_timeout.as_millis() as u64;
        self.resolutions.under_way.insert(key, Resolution { parked: vec![parked], deadline_ms });
        Ok(Answer::Later)
    }

    /// Has the catalog asked about a table whose definition seems to have changed. A few may be on their way at once.
    pub fn describe_again(&mut self, table: &Table) {
        let Some(active) = self.sources.get(table.source) else { return };
        let job = Job::Redescribe { oid: table.definition.oid, name: table.definition.display.clone() };
        // Should the queue be full: the next comparison comes in a second.
        let _ = active.push_job(job, self.settings.get().queue_limit);
    }

    /// Tells the threads that listen to `source` which relations to compare with the catalog.
    pub fn tell_known(&self, source: SourceIndex) {
        if let Some(active) = self.sources.get(source) {
            let relations = self
                .tables
                .of_source(source)
                .map(|table| (table.definition.oid, table.definition.display.clone()));
            active.known.set(relations.collect());
        }
    }

    fn describe(&self, source: SourceIndex, relation: &str) -> Result<(), Error> {
        let limit = self.settings.get().queue_limit;
        let Some(active) = self.sources.get(source) else { return Err(queue_is_full()) };
        active.push_job(Job::Describe(relation.to_owned()), limit)
    }

    /// The catalog has answered for `relation`.
    pub fn resolved(
        &mut self,
        ctx: Context<'_>,
        source: SourceIndex,
        relation: &str,
        result: Result<TableDefinition, Error>,
        asked: Instant,
    ) {
        let key = (source, relation.to_owned());
        let Some(resolution) = self.resolutions.under_way.remove(&key) else { return };
        let definition = result.and_then(|definition| self.allowed(source, definition)).map(Arc::new);
        for parked in resolution.parked {
            match &definition {
                Err(error) => self.fail(parked.waiter, error.clone()),
                Ok(definition) => {
                    let table = self.remember(ctx, source, &parked.spelling, Arc::clone(definition), asked);
                    self.run_parked(ctx, parked, &table);
                }
            }
        }
    }

    fn allowed(&self, source: SourceIndex, definition: TableDefinition) -> Result<TableDefinition, Error> {
        let settings = self.settings.get();
        let allows = settings.sources.get(source).is_some_and(|source| {
            source.allow_tables.allows(&definition.schema, &definition.relation, &definition.display)
        });
        if allows {
            return Ok(definition);
        }
        Err(Error::new(
            ErrorKind::Denied,
            format!(
                "table {} is not allowed: see allow_tables; catalogs are always closed",
                definition.display
            ),
        ))
    }

    /// Enters a table in the memo: with the generation that it had before a restart, or with a new one when it is not
    /// what it was.
    fn remember(
        &mut self,
        ctx: Context<'_>,
        source: SourceIndex,
        spelling: &[u8],
        definition: Arc<TableDefinition>,
        asked: Instant,
    ) -> Rc<Table> {
        let table = match self.tables.known(source, &definition) {
            Some(table) if *table.definition == *definition || asked < table.asked.get() => table,
            Some(table) => {
                self.forget_names_of_renamed(&table, &definition);
                self.renew(ctx, &table, definition)
            }
            None => self.add_table(ctx, source, definition),
        };
        table.described_ms.set(monotonic_ms());
        table.asked.set(table.asked.get().max(asked));
        self.tables.remember(spelling, &table);
        self.tell_known(source);
        self.current(ctx, table)
    }

    /// A relation that has another name now is not what its former names mean: whoever uses them asks anew.
    pub fn forget_names_of_renamed(&mut self, table: &Table, definition: &TableDefinition) {
        let was = &table.definition;
        if (was.oid, &was.display) != (definition.oid, &definition.display) {
            self.tables.forget_names(table.id);
        }
    }

    fn add_table(
        &mut self,
        ctx: Context<'_>,
        source: SourceIndex,
        definition: Arc<TableDefinition>,
    ) -> Rc<Table> {
        let source_prefix = self.sources.prefix(source);
        let epoch = self.saved_epoch(ctx, &format!("{source_prefix}{}", definition.display));
        let settings = self.settings.get();
        let cache_prefix = &settings.cache_prefix;
        self.tables.add(Resolved { source, source_prefix, cache_prefix, definition, epoch, drop: 0 })
    }

    /// Whether what the memo says of a table may have changed since: it refuses a column or a value, and was not
    /// checked just now.
    fn may_be_outdated(&self, table: &Table, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::NoColumn | ErrorKind::BadValue)
            && monotonic_ms() > table.described_ms.get() + RECHECK_MS
    }

    /// Runs a command whose client waits, or has it wait for those who may refuse it.
    fn run_parked(&mut self, ctx: Context<'_>, mut parked: Parked, table: &Rc<Table>) {
        if !self.waiters.is_waiting(parked.waiter) {
            return;
        }
        if parked.command.writes() && replicas_are_paused() {
            return self.held.push(Held::Command(parked));
        }
        let guarded = if parked.is_cleared {
            Ok(None)
        } else {
            self.guarded(ctx, table, &*parked.command, &parked.caller)
        };
        let answer = match guarded {
            Ok(Some(guarded)) => return self.vetoable.push_back((parked, guarded)),
            Ok(None) => parked.command.run(self, ctx, table, &mut parked.caller),
            Err(error) => Err(error),
        };
        self.conclude(&parked.caller, answer);
    }

    /// Goes on with a command that waited for those who may refuse it.
    pub fn clear_parked(
        &mut self,
        ctx: Context<'_>,
        parked: Parked,
        guarded: Guarded,
        verdict: Result<(), Error>,
    ) {
        match verdict {
            Err(error) => self.fail(parked.waiter, error),
            Ok(()) => {
                self.waiters.about(parked.waiter, guarded.subject);
                self.run_held(ctx, Parked { is_cleared: true, ..parked });
            }
        }
    }

    /// Runs a command that was held, for a pause that has ended or for those who may refuse it.
    pub fn run_held(&mut self, ctx: Context<'_>, parked: Parked) {
        match self.known(ctx, &parked.spelling) {
            Some(table) => self.run_parked(ctx, parked, &table),
            None => self.fail(parked.waiter, timed_out()),
        }
    }

    /// Answers a waiting client with an error.
    pub fn fail(&mut self, waiter: WaiterId, error: Error) {
        self.counters.errors += 1;
        self.waiters.answer(waiter, Reply::Error(error));
    }

    /// Gives up the resolutions that take too long.
    pub fn give_up_resolutions(&mut self, now_ms: u64) {
        let late = |resolution: &Resolution| resolution.deadline_ms <= now_ms;
        let names: Vec<_> = self
            .resolutions
            .under_way
            .iter()
            .filter(|(_, resolution)| late(resolution))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            for parked in
                self.resolutions.under_way.remove(&name).into_iter().flat_map(|resolution| resolution.parked)
            {
                self.fail(parked.waiter, timed_out());
            }
        }
    }
}
