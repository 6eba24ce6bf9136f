//! Loads: who joins or starts one, what is stored when it comes back, and who is answered with what.

pub mod completion;
pub mod entries;
pub mod load_requests;
pub mod pending_multiread;
pub mod refresh;
pub mod repeat;
pub mod rows;
pub mod stale_if_error;
pub mod superseded;
pub mod waiter;

use std::collections::VecDeque;

use completion::Completion;
use pending_multiread::PendingMultireads;
use repeat::Repeats;
use waiter::{FlightWaiter, SharedAnswer};

use crate::cache::flight::Flights;
use crate::cache::refresh_backoff::RefreshBackoff;
use crate::engine::host::Host;

/// Loads under way.
#[derive(Debug, Default)]
pub struct Loads<H: Host> {
    /// One for each cache key.
    pub(in crate::engine) flights: Flights<FlightWaiter<H>>,
    /// Keys whose refresh has failed just now.
    refresh_backoff: RefreshBackoff,
    /// How guarded flights are loaded again.
    repeats: Repeats,
    /// MULTIREADs that wait.
    pub(in crate::engine) multireads: PendingMultireads<H>,
    /// What came back from PostgreSQL and was not looked at yet.
    pub(in crate::engine) completions: VecDeque<Completion>,
    /// Who is to be answered with what.
    pub(in crate::engine) answers: VecDeque<(FlightWaiter<H>, SharedAnswer)>,
}
