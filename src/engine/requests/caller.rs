//! Whoever is to be answered: the client of the command under way, or one that waits already.

use crate::cache::Error;
use crate::cache::WaiterId;
use crate::engine::Engine;
use crate::server::{Context, User};

/// Who asked.
#[derive(Debug)]
pub struct Caller {
    /// Set once the client waits.
    pub waiter: Option<WaiterId>,
    /// For the ACL.
    pub user: User,
    /// The client's id.
    pub client: u64,
}

impl Caller {
    /// The client of the command under way.
    pub fn of(ctx: Context<'_>) -> Self {
        Self { waiter: None, user: User::of(ctx), client: ctx.client_id() }
    }

    /// Makes the client wait, if it does not yet. `PGMISS` or `PGBUSY` where it cannot.
    pub fn wait(&mut self, engine: &mut Engine, ctx: Context<'_>) -> Result<WaiterId, Error> {
        if let Some(waiter) = self.waiter {
            return Ok(waiter);
        }
        let waiter = engine.requests.waiters.block(ctx, engine.settings.get().max_waiters)?;
        self.waiter = Some(waiter);
        Ok(waiter)
    }

    /// Whether the client is still in its command, so that it can be answered without a copy.
    pub fn is_in_command(&self) -> bool {
        self.waiter.is_none()
    }
}
