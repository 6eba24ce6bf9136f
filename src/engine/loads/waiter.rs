//! What a flight's waiters are: whom to answer, and with what.

use std::rc::Rc;

use crate::cache::Error;
use crate::cache::{Reply, WaiterId};
use crate::engine::loads::pending_multiread::MultireadId;
use crate::engine::Engine;
use crate::server::{Context, User};

/// What a load brought, with the cache key that it belongs under.
#[derive(Debug, Clone)]
pub struct LoadedRow {
    /// The row's JSON; `None`: it does not exist.
    pub row: Option<std::sync::Arc<[u8]>>,
    /// The row's own cache key; `None`: an absent row whose key has no one spelling.
    pub own_key: Option<Rc<[u8]>>,
    /// Whether that is another key than the one that was asked for.
    pub is_renamed: bool,
    /// What the server's ACL is asked about where it is.
    pub acl_key: Option<Rc<[u8]>>,
}

/// The rest of a command that had to know a row's own key first.
pub type Continuation = Box<dyn FnOnce(&mut Engine, Context<'_>, &Result<LoadedRow, Error>) -> Reply>;

/// A waiter of a flight.
pub enum FlightWaiter {
    /// A READ: the row.
    Row {
        /// Whom to answer.
        waiter: WaiterId,
        /// For the ACL on the row's own key, where that was not known before.
        user: Rc<User>,
    },
    /// One key of a MULTIREAD.
    Part {
        /// Which MULTIREAD.
        multiread: MultireadId,
        /// Which of its keys.
        index: usize,
    },
    /// A command that goes on from here.
    Continue {
        /// Whom to answer.
        waiter: WaiterId,
        /// With what.
        rest: Continuation,
    },
}

impl std::fmt::Debug for FlightWaiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket")
    }
}
