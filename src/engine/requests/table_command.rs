//! Commands on tables: at once when the table is known, else when the catalog has been read.

use std::rc::Rc;

use crate::cache::{Answer, Reply};
use crate::cache::{Error, ErrorKind};
use crate::engine::catalog::lookup::resolve_keys;
use crate::engine::requests::before_command::BeforeCommand;
use crate::engine::{resolve_key, Caller, Engine, Outcome, ResolvedKey, Table};
use crate::plugins::call;
use crate::plugins::call::Args;
use crate::server::clock::monotonic_ms;
use crate::server::{Arguments, Context, Spec};

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

/// A command on a table, with who asked, and what he calls the table.
pub struct TableCall<'c, C: ?Sized> {
    /// The callback under way.
    pub ctx: Context<'c>,
    /// The table as the client spelled it.
    pub spelling: &'c [u8],
    /// What is to be done.
    pub command: &'c C,
    /// Who asked.
    pub caller: &'c mut Caller,
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
    let mut call = TableCall { ctx, spelling, command, caller: &mut caller };
    match crate::engine::with(|engine| Some(engine.begin(&mut call))) {
        None => Reply::default().into(),
        Some(Begun::Done(answer)) => answer.into(),
        Some(Begun::BeforeCommand(plugins)) => {
            let args = || call::kept(arguments.iter());
            let verdict = plugins.ask(ctx, command.spec(), call.caller, Args::Live(&args));
            let subject = verdict.is_ok().then_some(plugins.subject);
            let answer = crate::engine::with(|engine| {
                let answer = verdict.and_then(|()| engine.run_or_await_table(&mut call));
                engine.finish_call(&call, answer)
            });
            Outcome { answer, subject }
        }
    }
}

impl Engine {
    /// The table that a client calls `spelling`, if it was resolved, in its epoch of now.
    pub fn known(&mut self, ctx: Context<'_>, spelling: &[u8]) -> Option<Rc<Table>> {
        let table = self.catalog.tables.find(spelling)?;
        Some(self.current(ctx, table))
    }

    fn begin(&mut self, call: &mut TableCall<'_, impl TableCommand>) -> Begun {
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

    /// Runs a command that nobody has refused. Meanwhile its table may have been forgotten.
    fn run_or_await_table(&mut self, call: &mut TableCall<'_, impl TableCommand>) -> Result<Answer, Error> {
        let Some(table) = self.known(call.ctx, call.spelling) else { return self.await_table(call) };
        let answer = call.command.run(self, call.ctx, &table, call.caller);
        self.or_await_table(call, &table, answer)
    }

    /// Where the memo of the table may be outdated the catalog is asked, and the command tried once more.
    fn or_await_table(
        &mut self,
        call: &mut TableCall<'_, impl TableCommand>,
        table: &Table,
        answer: Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        match answer {
            Err(error) if self.may_be_outdated(table, &error) => self.await_table(call).or(Err(error)),
            answer => answer,
        }
    }

    fn finish_call(&mut self, call: &TableCall<'_, impl TableCommand>, answer: Result<Answer, Error>) -> Answer {
        let answer = answer.map_err(|error| self.hide(call, error));
        self.finish(call.ctx, call.caller, answer)
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
