//! Whoever is to be answered: the client of the command under way, or one that waits already.

use crate::cache::{Error, WaiterId};
use crate::engine::host::{Callback, Host};
use crate::engine::Engine;

/// Who asked.
#[derive(Debug)]
pub struct Caller<H: Host> {
    /// Set once the client waits.
    pub waiter: Option<WaiterId>,
    /// For the ACL.
    pub user: H::User,
    /// The client's id.
    pub client: u64,
}

impl<H: Host> Caller<H> {
    /// The client of the command under way.
    pub fn of(ctx: H::Context<'_>) -> Self {
        Self { waiter: None, user: ctx.user(), client: ctx.client_id() }
    }

    /// The server itself, for the client of the command under way.
    pub fn server(ctx: H::Context<'_>) -> Self {
        Self { waiter: None, user: H::server_user(), client: ctx.client_id() }
    }

    /// Makes the client wait, if it does not yet. `PGMISS` or `PGBUSY` where it cannot.
    pub fn wait(&mut self, engine: &mut Engine<H>, ctx: H::Context<'_>) -> Result<WaiterId, Error> {
        if let Some(waiter) = self.waiter {
            return Ok(waiter);
        }
        let waiter = engine.requests.waiters.block(ctx, engine.settings.get().max_waiters)?;
        self.waiter = Some(waiter);
        Ok(waiter)
    }

    /// Takes the caller out, for a command that waits. What stays knows only whom to answer.
    pub fn take(&mut self) -> Self {
        let stays = Self { waiter: self.waiter, user: H::server_user(), client: self.client };
        std::mem::replace(self, stays)
    }

    /// Takes the user out, for the ACL once a load has come back.
    pub fn take_user(&mut self) -> H::User {
        self.take().user
    }

    /// Whether the client is still in its command, so that it can be answered without a copy.
    pub fn is_in_command(&self) -> bool {
        self.waiter.is_none()
    }
}
