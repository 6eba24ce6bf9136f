//! What a flight's waiters are: whom to answer, and with what.

use std::rc::Rc;

use crate::cache::{Error, Lsn, Reply, Timings, WaiterId};
use crate::engine::host::Host;
use crate::engine::loads::pending_multiread::MultireadId;
use crate::engine::Engine;

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

/// A load's answer, shared by all who waited for it.
pub type SharedAnswer = Rc<LoadAnswer>;

/// What a load brought, and how long that took.
#[derive(Debug)]
pub struct LoadAnswer {
    /// The row, or why there is none.
    pub result: Result<LoadedRow, Error>,
    /// Where the time went.
    pub timings: Timings,
}

/// The rest of a command that had to know a row's own key first.
pub type Continuation<H> =
    Box<dyn for<'c> FnOnce(&mut Engine<H>, <H as Host>::Context<'c>, &Result<LoadedRow, Error>) -> Reply>;

/// A waiter of a flight.
pub enum FlightWaiter<H: Host> {
    /// A READ: the row.
    Row {
        /// Whom to answer.
        waiter: WaiterId,
        /// For the ACL on the row's own key, where that was not known before.
        user: Rc<H::User>,
        /// The position that the row must reach.
        min_lsn: Option<Lsn>,
    },
    /// One key of a MULTIREAD.
    Part {
        /// Which MULTIREAD.
        multiread: MultireadId,
        /// Which of its keys.
        index: usize,
        /// The position that the row must reach.
        min_lsn: Option<Lsn>,
    },
    /// A command that goes on from here.
    Continue {
        /// Whom to answer.
        waiter: WaiterId,
        /// With what.
        rest: Continuation<H>,
    },
}

impl<H: Host> FlightWaiter<H> {
    /// The position in the write-ahead log that its answer must reach.
    pub fn min_lsn(&self) -> Option<Lsn> {
        match self {
            Self::Row { min_lsn, .. } | Self::Part { min_lsn, .. } => *min_lsn,
            Self::Continue { .. } => None,
        }
    }

    /// Whether it may be answered with an entry where its load has failed. Who must know what PostgreSQL says, rather than how a row
    /// looks, is told the truth.
    pub fn takes_stale(&self) -> bool {
        self.min_lsn().is_none() && !matches!(self, Self::Continue { .. })
    }
}

impl<H: Host> std::fmt::Debug for FlightWaiter<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FlightWaiter")
    }
}
