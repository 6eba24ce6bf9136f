//! Commands on tables: at once when the table is known, else when the catalog has been read.

use std::rc::Rc;

use crate::cache::{Error, ErrorKind};
use crate::engine::catalog::lookup::resolve_keys;
use crate::engine::requests::before_command::BeforeCommand;
use crate::engine::{resolve_key, Caller, Engine, Outcome, ResolvedKey, Table};
use crate::plugins::call;
use crate::plugins::call::Args;
use crate::server::clock::monotonic_ms;
use crate::server::{Answer, Arguments, Context, Reply, Spec};

/// How long the memo's refusal of a column or a value stands before the catalog is asked again.
const RECHECK_MS: u64 = 1000;

/// A command on one table.
pub trait TableCommand {
    /// What it is called and takes.
    fn spec(&self) -> &'static Spec;

    /// The lookup keys that it names.
    fn keys(&self) -> Keys<'_>;

    /// Runs it, now that the table is known.
    fn run(
        &self,
        engine: &mut Engine,
        ctx: Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller,
    ) -> Result<Answer, Error>;

    /// A copy that outlives the command's arguments.
    fn boxed(&self) -> Box<dyn TableCommand>;
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
    pub fn resolve(self, engine: &Engine, table: &Table) -> Result<Vec<ResolvedKey>, Error> {
        match self {
            Self::None => Ok(vec![]),
            Self::One(key) => Ok(vec![resolve_key(engine, table, key)?]),
            Self::Several(keys) => resolve_keys(engine, table, keys),
        }
    }
}

/// How far a command came.
enum Begun {
    /// To its answer.
    Done(Answer),
    /// To those who may refuse it.
    BeforeCommand(BeforeCommand),
}

/// Runs `command`, which came with `arguments`, for the client of `ctx` on the table that it calls `spelling`.
pub fn run_on_table(
    ctx: Context<'_>,
    arguments: Arguments<'_>,
    spelling: &[u8],
    command: &impl TableCommand,
) -> Outcome {
    let mut caller = Caller::of(ctx);
    match crate::engine::with(|engine| Some(engine.begin(ctx, spelling, command, &mut caller))) {
        None => Reply::default().into(),
        Some(Begun::Done(answer)) => answer.into(),
        Some(Begun::BeforeCommand(before_command_of)) => {
            let words = || call::kept(arguments.iter());
            let verdict = before_command_of.ask(ctx, command.spec(), &caller, Args::Live(&words));
            let subject = verdict.is_ok().then_some(before_command_of.subject);
            let answer = crate::engine::with(|engine| {
                let answer =
                    verdict.and_then(|()| engine.run_or_await_table(ctx, spelling, command, &mut caller));
                let answer = engine.hide(ctx, spelling, command, &caller, answer);
                engine.finish(ctx, &caller, answer)
            });
            Outcome { answer, subject }
        }
    }
}

impl Engine {
    /// The table that a client calls `spelling`, if it was resolved, in its generation of now.
    pub fn known(&mut self, ctx: Context<'_>, spelling: &[u8]) -> Option<Rc<Table>> {
        let table = self.catalog.tables.find(spelling)?;
        Some(self.current(ctx, table))
    }

    fn begin(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl TableCommand,
        caller: &mut Caller,
    ) -> Begun {
        let Some(table) = self.known(ctx, spelling) else {
            let answer = self.await_table(ctx, spelling, command, caller);
            let answer = self.hide(ctx, spelling, command, caller, answer);
            return Begun::Done(self.finish(ctx, caller, answer));
        };
        let answer = match self.before_command_of(ctx, &table, command, caller) {
            Ok(None) => command.run(self, ctx, &table, caller),
            Ok(Some(before_command_of)) => return Begun::BeforeCommand(before_command_of),
            Err(error) => Err(error),
        };
        let answer = self.or_await_table(ctx, spelling, command, caller, &table, answer);
        let answer = self.hide(ctx, spelling, command, caller, answer);
        Begun::Done(self.finish(ctx, caller, answer))
    }

    /// Runs a command that nobody has refused. Meanwhile its table may have been forgotten.
    fn run_or_await_table(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl TableCommand,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let Some(table) = self.known(ctx, spelling) else {
            return self.await_table(ctx, spelling, command, caller);
        };
        let answer = command.run(self, ctx, &table, caller);
        self.or_await_table(ctx, spelling, command, caller, &table, answer)
    }

    /// Where the memo of the table may be outdated the catalog is asked, and the command tried once more.
    fn or_await_table(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &impl TableCommand,
        caller: &mut Caller,
        table: &Table,
        answer: Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        match answer {
            Err(error) if self.may_be_outdated(table, &error) => {
                self.await_table(ctx, spelling, command, caller).or(Err(error))
            }
            answer => answer,
        }
    }

    /// Whether what the memo says of a table may have changed since: it refuses a column or a value, and was not
    /// checked just now.
    fn may_be_outdated(&self, table: &Table, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::NoColumn | ErrorKind::BadValue)
            && monotonic_ms() > table.described_ms.get() + RECHECK_MS
    }

    /// The end of a command's own call.
    pub fn finish(&mut self, ctx: Context<'_>, caller: &Caller, answer: Result<Answer, Error>) -> Answer {
        crate::engine::catch_up(self, ctx);
        self.conclude(caller, answer)
    }

    /// What a command is answered in its own call. A client that waits already is answered here, and has nothing more to get.
    pub fn conclude(&mut self, caller: &Caller, answer: Result<Answer, Error>) -> Answer {
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
