//! Clients that wait, and the calls that they wait in.

use crate::cache::{Error, Timings};
use crate::cache::{Reply, WaiterId};
use crate::plugins::call::Call;
use crate::plugins::subject::Subject;
use crate::server::blocked::{BlockedClients, ClientHandle};
use crate::server::Context;

/// Every client that waits.
#[derive(Debug, Default)]
pub struct Waiters {
    clients: BlockedClients<Box<Call>>,
    /// Commands that were answered, which nobody has been told of.
    answered: Vec<Answered>,
}

/// A command whose client has waited, how long it took, in microseconds, and the code of the error that it was answered
/// with.
pub type Answered = (Box<Call>, u64, Option<String>);

impl Waiters {
    /// Makes the client of `ctx` wait. `PGBUSY` when `limit` clients wait already, `PGMISS` where the server
    /// does not let this client wait.
    pub fn block(&mut self, ctx: Context<'_>, limit: usize) -> Result<WaiterId, Error> {
        self.clients.block(ctx, limit)
    }

    /// Keeps what is to be told once the client is answered.
    pub fn remember(&mut self, id: WaiterId, call: Call) {
        if let Some(client) = self.clients.get_mut(id) {
            client.kept = Some(Box::new(call));
        }
    }

    /// What a client's command is about.
    pub fn about(&mut self, id: WaiterId, subject: Box<Subject>) {
        if let Some(call) = self.call(id) {
            call.subject = Some(subject);
        }
    }

    /// The arguments of a client's command that were kept; `None` when it is gone.
    pub fn words(&self, id: WaiterId) -> Option<Vec<Box<[u8]>>> {
        let client = self.clients.get(id)?;
        Some(client.kept.as_ref().map(|call| call.arguments.clone()).unwrap_or_default())
    }

    /// Where the time of a client's command went.
    pub fn add_timings(&mut self, id: WaiterId, timings: Timings) {
        if let Some(call) = self.call(id) {
            call.timings = call.timings.max(timings);
        }
    }

    fn call(&mut self, id: WaiterId) -> Option<&mut Box<Call>> {
        self.clients.get_mut(id)?.kept.as_mut()
    }

    /// Answers a client. Nothing happens when it is gone.
    pub fn answer(&mut self, id: WaiterId, reply: Reply) {
        let Some(mut client) = self.clients.take(id) else { return };
        if let Some(call) = client.kept.take() {
            let duration_us = call.began.elapsed_us();
            self.answered.push((call, duration_us, reply.error_code()));
        }
        client.answer(reply);
    }

    /// Whether commands were answered since they were last taken.
    pub fn has_answered(&self) -> bool {
        !self.answered.is_empty()
    }

    /// The commands that were answered since the last call.
    pub fn take_answered(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.answered)
    }

    /// Whether the client still waits.
    pub fn is_waiting(&self, id: WaiterId) -> bool {
        self.clients.get(id).is_some()
    }

    /// The client has gone.
    pub fn forget(&mut self, gone: ClientHandle) {
        self.clients.forget(gone);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}
