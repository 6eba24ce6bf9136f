//! Pending commands: their clients wait until the catalog has been asked for their table, a pause has ended, or nobody
//! refuses them any more.

use std::rc::Rc;

use crate::cache::name::TableName;
use crate::cache::{Answer, Reply, WaiterId};
use crate::cache::{Error, ErrorKind};
use crate::engine::requests::access::tells_what_there_is;
use crate::engine::requests::before_command::BeforeCommand;
use crate::engine::requests::deferred_write::DeferredWrite;
use crate::engine::state::timed_out;
use crate::engine::{Caller, Engine, Table, TableCall, TableCommand};
use crate::server::context::replicas_are_paused;
use crate::server::{Context, Spec, User};

/// A command whose table is being resolved.
pub struct PendingCommand {
    waiter: WaiterId,
    caller: Caller,
    /// The table as the client spelled it.
    pub spelling: Box<[u8]>,
    command: Box<dyn TableCommand>,
    /// Whether everybody has let it pass who may refuse it.
    is_cleared: bool,
}

impl std::fmt::Debug for PendingCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parked")
    }
}

impl PendingCommand {
    /// Who waits.
    pub fn waiter(&self) -> WaiterId {
        self.waiter
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The call that it goes on with.
    fn call<'c>(&'c mut self, ctx: Context<'c>) -> TableCall<'c, dyn TableCommand> {
        let Self { spelling, command, caller, .. } = self;
        TableCall { ctx, spelling, command: &**command, caller }
    }

    /// What its command is called and takes.
    pub fn spec(&self) -> &'static Spec {
        self.command.spec()
    }
}

impl Engine {
    /// Has the client wait until the catalog has been asked for `spelling`, and then run `command`.
    pub fn await_table(&mut self, call: &mut TableCall<'_, impl TableCommand>) -> Result<Answer, Error> {
        let name = TableName::parse(call.spelling)?;
        let source = self.sources.named(name.source())?;
        let waiter = call.caller.wait(self, call.ctx)?;
        let client = call.caller.client;
        let moved = Caller { waiter: Some(waiter), user: User::server(), client };
        let caller = std::mem::replace(call.caller, moved);
        let (spelling, command) = (call.spelling.into(), call.command.boxed());
        let pending = PendingCommand { waiter, caller, spelling, command, is_cleared: false };
        self.resolve(source, name.relation(), pending)?;
        Ok(Answer::Blocked(waiter))
    }

    /// Runs a command whose client waits, or has it wait for those who may refuse it.
    pub fn run_pending(&mut self, ctx: Context<'_>, mut pending: PendingCommand, table: &Rc<Table>) {
        if !self.requests.waiters.is_waiting(pending.waiter) {
            return;
        }
        if pending.spec().is_write() && replicas_are_paused() {
            return self.requests.deferred.push(DeferredWrite::Command(pending));
        }
        let before_command_of = if pending.is_cleared {
            Ok(None)
        } else {
            self.before_command_of(ctx, table, &*pending.command, &pending.caller)
        };
        let answer = match before_command_of {
            Ok(Some(before_command_of)) => {
                return self.requests.awaiting_plugins.push_back((pending, before_command_of))
            }
            Ok(None) => pending.command.run(self, ctx, table, &mut pending.caller),
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| self.hide(&pending.call(ctx), error));
        self.conclude(&pending.caller, answer);
    }

    /// Answers a command whose table is not to be had.
    pub fn fail_pending(&mut self, ctx: Context<'_>, mut pending: PendingCommand, error: Error) {
        // Here it is `allow_tables` that says `NOPERM`, not the ACL.
        let tells = *error.kind() == ErrorKind::Denied || tells_what_there_is(error.kind());
        let denied = if tells { self.denied(&pending.call(ctx)) } else { None };
        self.fail(pending.waiter, denied.unwrap_or(error));
    }

    /// Goes on with a command that waited for those who may refuse it.
    pub fn resume_pending(
        &mut self,
        ctx: Context<'_>,
        pending: PendingCommand,
        before_command_of: BeforeCommand,
        verdict: Result<(), Error>,
    ) {
        match verdict {
            Err(error) => self.fail(pending.waiter, error),
            Ok(()) => {
                self.requests.waiters.about(pending.waiter, before_command_of.subject);
                self.run_deferred(ctx, PendingCommand { is_cleared: true, ..pending });
            }
        }
    }

    /// Runs a command that was held, for a pause that has ended or for those who may refuse it.
    pub fn run_deferred(&mut self, ctx: Context<'_>, pending: PendingCommand) {
        match self.known(ctx, &pending.spelling) {
            Some(table) => self.run_pending(ctx, pending, &table),
            None => self.fail(pending.waiter, timed_out()),
        }
    }

    /// Answers a waiting client with an error.
    pub fn fail(&mut self, waiter: WaiterId, error: Error) {
        self.counters.errors += 1;
        self.requests.waiters.answer(waiter, Reply::Error(error));
    }
}
