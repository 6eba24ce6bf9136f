//! Requests: commands on tables and queries, and those of them that wait: for the catalog, for PostgreSQL's description of a query,
//! for a load, for a plugin's word, for the end of a pause.

pub mod access;
pub mod answers;
pub mod awaiting_description;
pub mod awaiting_table;
pub mod barriers;
pub mod before_command;
pub mod caller;
pub mod deferred_write;
pub mod pending_command;
pub mod questions;
pub mod routing;
pub mod table_command;
pub mod waiting_clients;
pub mod watches;

use std::collections::VecDeque;

use awaiting_description::Descriptions;
use awaiting_table::Resolutions;
use barriers::{not_passed, Barriers};
use before_command::BeforeCommand;
use deferred_write::DeferredWrite;
use pending_command::PendingCommand;
use questions::timed_out;
use waiting_clients::{Handle, Waiters};
use watches::{too_late, Watches};

use crate::cache::{Error, Reply, Timings, WaiterId};
use crate::engine::host::Host;
use crate::engine::Engine;
use crate::plugins::call::Call;

/// Clients and commands that wait.
#[derive(Debug, Default)]
pub struct Requests<H: Host> {
    /// Clients that wait.
    pub(in crate::engine) waiters: Waiters<H>,
    /// Commands that wait for the catalog, by source and name of the table.
    resolutions: Resolutions<H>,
    /// Commands that wait for what PostgreSQL says of their query.
    descriptions: Descriptions<H>,
    /// WATCH commands that wait.
    watches: Watches,
    /// Clients that wait for changes to be applied.
    barriers: Barriers,
    /// Commands that wait for plugins that may refuse them.
    pub(in crate::engine) awaiting_plugins: VecDeque<(PendingCommand<H>, BeforeCommand)>,
    /// Commands of a cluster that wait to be bound to no slot, each with the number of its table.
    pub(in crate::engine) beyond: VecDeque<(PendingCommand<H>, u64)>,
    /// Changes that wait for the end of a pause.
    deferred: Vec<DeferredWrite<H>>,
}

impl<H: Host> Engine<H> {
    /// Answers the clients of questions that take too long.
    pub fn expire_questions(&mut self, now_ms: u64) {
        let tables = self.requests.resolutions.expire(now_ms).into_iter();
        let tables = tables.map(|pending| (Some(pending.waiter()), pending.asked, timed_out()));
        let queries = self.requests.descriptions.expire(now_ms).into_iter();
        let queries = queries.map(|pending| (pending.waiter(), pending.asked, timed_out()));
        let watches = self.requests.watches.under_way.expire(now_ms).into_iter();
        let watches = watches.map(|watch| (Some(watch.waiter), watch.asked, too_late(&watch.what)));
        let barriers = self.requests.barriers.expire(now_ms).into_iter();
        let barriers = barriers.map(|barrier| (Some(barrier.waiter), barrier.asked, not_passed()));
        for (waiter, asked, error) in tables.chain(queries).chain(watches).chain(barriers) {
            let Some(waiter) = waiter else { continue };
            self.requests.waiters.resume(waiter, Timings::catalog(asked));
            self.fail(waiter, error);
        }
    }

    /// Answers a waiting client with an error.
    pub fn fail(&mut self, waiter: WaiterId, error: Error) {
        self.counters.errors += 1;
        self.requests.waiters.answer(waiter, Reply::Error(error));
    }

    /// Keeps what is to be told once a client that waits is answered.
    pub fn remember_call(&mut self, waiter: WaiterId, call: Call) {
        self.requests.waiters.remember(waiter, call);
    }

    /// A client has gone while it waited.
    pub fn client_gone(&mut self, client: Handle<H>) {
        self.requests.waiters.forget(client);
    }
}
