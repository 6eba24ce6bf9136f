//! The start of a command, for plugins that may refuse it.

use super::call::Args;
use super::subject::Subject;
use crate::server::{Context, User};

/// A command that is about to run, for whoever may refuse it.
#[derive(Debug)]
pub struct CommandStart<'a> {
    /// Its name in lower case: `pgcache.read`.
    pub command: &'static str,
    /// Whether it changes the cache.
    pub is_write: bool,
    /// Its arguments.
    pub arguments: Args<'a>,
    /// Who asks.
    pub user: &'a User,
    /// The client's id.
    pub client: u64,
    /// What it is about; `None` for a command that is about no table.
    pub subject: Option<&'a Subject>,
    /// Whether a script asks, in which no other may be run.
    pub in_script: bool,
}

impl<'a> CommandStart<'a> {
    /// A command of the client of `ctx`, about no table.
    pub fn new(ctx: Context<'_>, command: &'static str, is_write: bool, user: &'a User, arguments: Args<'a>) -> Self {
        Self {
            command,
            is_write,
            arguments,
            user,
            client: ctx.client_id(),
            subject: None,
            in_script: ctx.flags().in_script(),
        }
    }
}
