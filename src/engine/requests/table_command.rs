//! Commands on tables: at once when the table is known, else when the catalog has been read.

use std::rc::Rc;

use crate::cache::{Answer, Error, ErrorKind, Purpose, Reply};
use crate::engine::catalog::lookup::resolve_keys;
use crate::engine::host::Host;
use crate::engine::requests::before_command::BeforeCommand;
use crate::engine::{resolve_key, Caller, Engine, ResolvedKey, Store, Table};

/// How long the memo's refusal of a column or a value stands before the catalog is asked again.
const RECHECK_MS: u64 = 1000;

/// A command on one table.
pub trait TableCommand<H: Host> {
    /// What it is called, and what it does with the keys that it names.
    fn purpose(&self) -> Purpose;

    /// The lookup keys that it names.
    fn keys(&self) -> Keys<'_>;

    /// Runs it, now that the table is known.
    fn run(
        &self,
        engine: &mut Engine<H>,
        ctx: H::Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error>;

    /// A copy that outlives the command's arguments.
    fn boxed(&self) -> Box<dyn TableCommand<H>>;
}

/// Lookup keys as a client sent them.
#[derive(Debug, Clone, Copy)]
pub enum Keys<'a> {
    /// No key: the command is about the whole table.
    None,
    /// One lookup key.
    One(&'a [u8]),
    /// An array of lookup keys.
    Several(&'a [u8]),
}

impl<'a> Keys<'a> {
    /// The argument that holds them.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::None => &[],
            Self::One(bytes) | Self::Several(bytes) => bytes,
        }
    }

    /// The cache keys that they stand for. `ERR`, `PGNOCOLUMN`, `PGBADVALUE`.
    pub fn resolve<H: Host>(self, engine: &Engine<H>, table: &Table) -> Result<Vec<ResolvedKey<H::Key>>, Error> {
        match self {
            Self::None => Ok(vec![]),
            Self::One(key) => Ok(vec![resolve_key(engine, table, key)?]),
            Self::Several(keys) => resolve_keys(engine, table, keys),
        }
    }
}

/// A command on a table, with who asked, and what he calls the table.
pub struct TableCall<'c, 'x, H: Host, C: ?Sized> {
    /// The callback under way.
    pub ctx: H::Context<'x>,
    /// The table as the client spelled it.
    pub spelling: &'c [u8],
    /// What is to be done.
    pub command: &'c C,
    /// Who asked.
    pub caller: &'c mut Caller<H>,
}

/// How far a command came.
pub enum Begun {
    /// To its answer.
    Done(Answer),
    /// To those who may refuse it.
    BeforeCommand(BeforeCommand),
}

impl<H: Host> Engine<H> {
    /// The table that a client calls `spelling`, if it was resolved, in its epoch of now.
    pub fn known(&mut self, ctx: H::Context<'_>, spelling: &[u8]) -> Option<Rc<Table>> {
        let table = self.catalog.tables.find(spelling)?;
        Some(self.current(ctx, table))
    }

    /// Runs a command, unless somebody may refuse it.
    pub fn begin(&mut self, call: &mut TableCall<'_, '_, H, impl TableCommand<H>>) -> Begun {
        let answer = match self.known(call.ctx, call.spelling) {
            None => self.await_table(call),
            Some(table) => {
                let answer = match self.before_command_of(call.ctx, &table, call.command, call.caller) {
                    Ok(None) => call.command.run(self, call.ctx, &table, call.caller),
                    Ok(Some(plugins)) => return Begun::BeforeCommand(plugins),
                    Err(error) => Err(error),
                };
                self.or_await_table(call, &table, answer)
            }
        };
        Begun::Done(self.finish_call(call, answer))
    }

    /// Runs a command that somebody might have refused, by the `verdict`.
    pub fn begin_cleared(
        &mut self,
        call: &mut TableCall<'_, '_, H, impl TableCommand<H>>,
        verdict: Result<(), Error>,
    ) -> Answer {
        let answer = verdict.and_then(|()| self.run_or_await_table(call));
        self.finish_call(call, answer)
    }

    /// Runs a command that nobody has refused. Meanwhile its table may have been forgotten.
    fn run_or_await_table(&mut self, call: &mut TableCall<'_, '_, H, impl TableCommand<H>>) -> Result<Answer, Error> {
        let Some(table) = self.known(call.ctx, call.spelling) else { return self.await_table(call) };
        let answer = call.command.run(self, call.ctx, &table, call.caller);
        self.or_await_table(call, &table, answer)
    }

    /// Where the memo of the table may be outdated the catalog is asked, and the command tried once more.
    fn or_await_table(
        &mut self,
        call: &mut TableCall<'_, '_, H, impl TableCommand<H>>,
        table: &Table,
        answer: Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        match answer {
            Err(error) if self.may_be_outdated(call.ctx, table, &error) => self.await_table(call).or(Err(error)),
            answer => answer,
        }
    }

    fn finish_call(
        &mut self,
        call: &TableCall<'_, '_, H, impl TableCommand<H>>,
        answer: Result<Answer, Error>,
    ) -> Answer {
        let answer = answer.map_err(|error| self.hide(call, error));
        if let (Err(error), Some(table)) = (&answer, self.catalog.tables.find(call.spelling)) {
            self.emit_refusal(call.ctx, &table, error);
        }
        self.finish(call.ctx, call.caller, answer)
    }

    /// Whether what the memo says of a table may have changed since: it refuses a column or a value, and was not
    /// checked just now.
    fn may_be_outdated(&self, store: impl Store, table: &Table, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::NoColumn | ErrorKind::BadValue)
            && store.monotonic_ms() > table.described_ms.get() + RECHECK_MS
    }

    /// The end of a command's own call.
    pub fn finish(&mut self, ctx: H::Context<'_>, caller: &Caller<H>, answer: Result<Answer, Error>) -> Answer {
        self.catch_up(ctx);
        self.conclude(caller, answer)
    }

    /// What a command is answered in its own call. A client that waits already is answered here, and has nothing more to get.
    pub fn conclude(&mut self, caller: &Caller<H>, answer: Result<Answer, Error>) -> Answer {
        let reply = match answer {
            Ok(Answer::Blocked(waiter)) => return Answer::Blocked(waiter),
            Ok(Answer::Now(reply)) => reply,
            Err(error) => {
                self.counters.errors += 1;
                Reply::Error(error)
            }
        };
        match caller.waiter {
            None => Answer::Now(reply),
            Some(waiter) => {
                self.requests.waiters.answer(waiter, reply);
                Answer::Now(Reply::Sent)
            }
        }
    }
}
