//! Whoever is to be answered: the client of the command under way, or one that waits already.

use crate::cache::error::Error;
use crate::server::acl::{Access, User};
use crate::server::blocked::WaiterId;
use crate::server::context::Context;
use crate::server::text::Text;

use super::lookup::Located;
use super::state::Engine;
use super::tables::Table;

/// Who asked.
#[derive(Debug)]
pub struct Caller {
    /// Set once the client waits.
    pub waiter: Option<WaiterId>,
    /// For the ACL.
    pub user: User,
}

impl Caller {
    /// The client of the command under way.
    pub fn of(ctx: Context<'_>) -> Self {
        Self { waiter: None, user: User::of(ctx) }
    }

    /// Makes the client wait, if it does not yet. `PGMISS` or `PGBUSY` where it cannot.
    pub fn wait(&mut self, engine: &mut Engine, ctx: Context<'_>) -> Result<WaiterId, Error> {
        if let Some(waiter) = self.waiter {
            return Ok(waiter);
        }
        let waiter = engine.waiters.block(ctx, engine.settings.get().max_waiters)?;
        self.waiter = Some(waiter);
        Ok(waiter)
    }

    /// `NOPERM` unless the client may do `access` with the row that `located` names, whose cache key is `cache_key`.
    pub fn check(
        &self,
        ctx: Context<'_>,
        table: &Table,
        located: &Located,
        cache_key: &Text,
        access: Access,
    ) -> Result<(), Error> {
        self.user.check(ctx, table.acl_key(cache_key, located.prefix_len).text(), access)
    }

    /// Whether the client is still in its command, so that it can be answered without a copy.
    pub fn is_in_command(&self) -> bool {
        self.waiter.is_none()
    }
}
