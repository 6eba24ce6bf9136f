//! Pending commands: their clients wait until the catalog has been asked for their table, a pause has ended, or nobody
//! refuses them any more.

use std::rc::Rc;

use crate::cache::{Error, ErrorKind, Purpose, Timings, WaiterId};
use crate::clock::Tick;
use crate::engine::host::Host;
use crate::engine::requests::access::tells_what_there_is;
use crate::engine::requests::before_command::BeforeCommand;
use crate::engine::requests::deferred_write::DeferredWrite;
use crate::engine::requests::questions::timed_out;
use crate::engine::{Caller, Engine, Store, Table, TableCall, TableCommand};

/// A command whose table is being resolved.
pub struct PendingCommand<H: Host> {
    waiter: WaiterId,
    caller: Caller<H>,
    /// The table as the client spelled it.
    pub spelling: Box<[u8]>,
    command: Box<dyn TableCommand<H>>,
    /// When the catalog was asked for its table.
    pub asked: Tick,
    /// Whether everybody has let it pass who may refuse it.
    is_cleared: bool,
}

impl<H: Host> std::fmt::Debug for PendingCommand<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingCommand")
    }
}

impl<H: Host> PendingCommand<H> {
    /// That of `call`, whose client waits as `waiter`.
    pub fn of(waiter: WaiterId, call: &mut TableCall<'_, '_, H, impl TableCommand<H>>) -> Self {
        let (caller, spelling, command) = (call.caller.take(), call.spelling.into(), call.command.boxed());
        Self { waiter, caller, spelling, command, asked: Tick::now(), is_cleared: false }
    }

    /// `command` on the table called `spelling`, of a client that waits as `waiter`: nobody refuses it.
    pub fn cleared(waiter: WaiterId, caller: &mut Caller<H>, spelling: &[u8], command: &impl TableCommand<H>) -> Self {
        let (caller, spelling, command) = (caller.take(), spelling.into(), command.boxed());
        Self { waiter, caller, spelling, command, asked: Tick::now(), is_cleared: true }
    }

    /// Who waits.
    pub fn waiter(&self) -> WaiterId {
        self.waiter
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller<H> {
        &self.caller
    }

    /// The call that it goes on with.
    fn call<'c, 'x>(&'c mut self, ctx: H::Context<'x>) -> TableCall<'c, 'x, H, dyn TableCommand<H>> {
        let Self { spelling, command, caller, .. } = self;
        TableCall { ctx, spelling, command: &**command, caller }
    }

    /// What its command wants keys for.
    pub fn purpose(&self) -> Purpose {
        self.command.purpose()
    }
}

impl<H: Host> Engine<H> {
    /// Runs a command whose client waits, or has it wait for those who may refuse it.
    pub fn run_pending(&mut self, ctx: H::Context<'_>, pending: PendingCommand<H>, table: &Rc<Table>, waited: Timings) {
        let waiter = pending.waiter;
        if self.requests.waiters.is_waiting(waiter) {
            self.requests.waiters.resume(waiter, waited);
            self.go_on(ctx, pending, table);
            self.requests.waiters.suspend(waiter);
        }
    }

    fn go_on(&mut self, ctx: H::Context<'_>, mut pending: PendingCommand<H>, table: &Rc<Table>) {
        if pending.purpose().is_write() && ctx.is_paused() {
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
        if let Err(error) = &answer {
            self.emit_refusal(ctx, table, error);
        }
        self.conclude(&pending.caller, answer);
    }

    /// Answers a command whose table is not to be had.
    pub fn fail_pending(&mut self, ctx: H::Context<'_>, mut pending: PendingCommand<H>, error: Error) {
        // Here it is `allow_tables` that says `NOPERM`, not the ACL.
        let tells = *error.kind() == ErrorKind::Denied || tells_what_there_is(error.kind());
        let denied = if tells { self.denied(&pending.call(ctx)) } else { None };
        self.fail(pending.waiter, denied.unwrap_or(error));
    }

    /// Takes out a command whose client waits until nobody refuses it.
    pub fn next_awaiting_plugins(&mut self) -> Option<(PendingCommand<H>, BeforeCommand)> {
        self.requests.awaiting_plugins.pop_front()
    }

    /// The arguments of a command that waits; `None`: its client has gone.
    pub fn words_of(&self, pending: &PendingCommand<H>) -> Option<Vec<Box<[u8]>>> {
        self.requests.waiters.words(pending.waiter)
    }

    /// Goes on with a command that waited for those who may refuse it.
    pub fn resume_pending(
        &mut self,
        ctx: H::Context<'_>,
        pending: PendingCommand<H>,
        before: BeforeCommand,
        verdict: Result<(), Error>,
    ) {
        match verdict {
            Err(error) => self.fail(pending.waiter, error),
            Ok(()) => {
                self.requests.waiters.about(pending.waiter, before.subject);
                self.run_deferred(ctx, PendingCommand { is_cleared: true, ..pending });
            }
        }
        self.catch_up(ctx);
    }

    /// Runs a command that was held, for a pause that has ended or for those who may refuse it.
    pub fn run_deferred(&mut self, ctx: H::Context<'_>, pending: PendingCommand<H>) {
        match self.known(ctx, &pending.spelling) {
            Some(table) => self.run_pending(ctx, pending, &table, Timings::default()),
            None => self.fail(pending.waiter, timed_out()),
        }
    }
}
