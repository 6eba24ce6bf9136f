//! Clients that wait, and the calls that they wait in.

use foldhash::HashMap;

use crate::cache::{Error, ErrorKind, Reply, Timings, WaiterId};
use crate::engine::host::{Callback, Client, Host};
use crate::plugins::call::Call;
use crate::plugins::subject::Subject;

/// Every client that waits.
#[derive(Debug, Default)]
pub struct Waiters<H: Host> {
    waiting: HashMap<WaiterId, WaitingClient<H>>,
    by_handle: HashMap<Handle<H>, WaiterId>,
    next: u64,
    /// Commands that were answered, which nobody has been told of.
    answered: Vec<Answered>,
}

/// What the server calls a client that has gone.
pub type Handle<H> = <<H as Host>::Client as Client>::Handle;

/// A command whose client has waited, how long it took, in microseconds, and the code of the error that it was answered
/// with.
pub type Answered = (Box<Call>, u64, Option<String>);

/// A client, with what is to be told once it is answered.
#[derive(Debug)]
struct WaitingClient<H: Host> {
    client: H::Client,
    call: Option<Box<Call>>,
}

impl<H: Host> Waiters<H> {
    /// Makes the client of `ctx` wait. `PGBUSY` when `limit` clients wait already, `PGMISS` where the server
    /// does not let this client wait.
    pub fn block(&mut self, ctx: H::Context<'_>, limit: usize) -> Result<WaiterId, Error> {
        if ctx.denies_blocking() {
            return Err(Error::new(
                ErrorKind::Miss,
                "not in the cache, and a command in MULTI, a script or a function cannot wait for PostgreSQL: read it before, or \
                 without MULTI (redis-py: pipeline(transaction=False))",
            ));
        }
        if self.waiting.len() >= limit {
            return Err(Error::new(ErrorKind::Busy, "max_waiters clients are waiting already: try again"));
        }
        match ctx.block() {
            Some(client) => Ok(self.add(client)),
            None => Err(Error::new(ErrorKind::Miss, "not in the cache, and the server does not let this client wait")),
        }
    }

    fn add(&mut self, client: H::Client) -> WaiterId {
        self.next += 1;
        let id = WaiterId::new(self.next);
        self.by_handle.insert(client.handle(), id);
        self.waiting.insert(id, WaitingClient { client, call: None });
        id
    }

    /// Keeps what is to be told once the client is answered.
    pub fn remember(&mut self, id: WaiterId, call: Call) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.call = Some(Box::new(call));
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
        let waiting = self.waiting.get(&id)?;
        Some(waiting.call.as_ref().map(|call| call.arguments.clone()).unwrap_or_default())
    }

    /// What a client has waited for is there, and the main thread is at work for it again. `timings` says where the time went.
    pub fn resume(&mut self, id: WaiterId, timings: Timings) {
        if let Some(call) = self.call(id) {
            call.timings = call.timings.and(timings);
            call.resume();
        }
    }

    /// The main thread is done with a client's command for now, whether it was answered or not.
    pub fn suspend(&mut self, id: WaiterId) {
        if let Some(call) = self.call(id) {
            call.suspend();
        }
    }

    fn call(&mut self, id: WaiterId) -> Option<&mut Box<Call>> {
        self.waiting.get_mut(&id)?.call.as_mut()
    }

    /// Answers a client. Nothing happens when it is gone.
    pub fn answer(&mut self, id: WaiterId, reply: Reply) {
        let Some(WaitingClient { client, call }) = self.waiting.remove(&id) else { return };
        self.by_handle.remove(&client.handle());
        if let Some(mut call) = call {
            call.suspend();
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
        self.waiting.contains_key(&id)
    }

    /// The client has gone.
    pub fn forget(&mut self, gone: Handle<H>) {
        if let Some(waiting) = self.by_handle.remove(&gone).and_then(|id| self.waiting.remove(&id)) {
            waiting.client.answer(Reply::Sent);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
