//! Clients that wait for an answer.

use std::os::raw::{c_int, c_void};
use std::ptr::NonNull;

use foldhash::HashMap;
use redis_module::raw::{self, RedisModuleBlockedClient, RedisModuleCtx, RedisModuleString};

use super::context::Context;
use super::guard::guard;
use super::module::tell;
use super::reply::{send_error, Reply};
use crate::cache::error::{Error, ErrorKind};
use crate::cache::spent::Spent;
use crate::plugins::call::Call;
use crate::plugins::subject::Subject;

/// Names one waiting client for as long as the process lives; addresses are used again, these are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaiterId(u64);

/// Names a client that waits to the server: an address, which is used again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientHandle(usize);

impl ClientHandle {
    fn of(handle: NonNull<RedisModuleBlockedClient>) -> Self {
        Self(handle.as_ptr() as usize)
    }
}

/// A client that waits. It is answered exactly once: dropping it is an error reply, never a client that hangs.
#[derive(Debug)]
struct Waiter {
    handle: NonNull<RedisModuleBlockedClient>,
    /// Its command, for whoever is told of its end.
    call: Option<Box<Call>>,
}

impl Waiter {
    fn answer(mut self, reply: Reply) {
        let handle = self.handle.as_ptr();
        self.call = None;
        std::mem::forget(self);
        unblock(handle, reply);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let reply = Error::malformed("internal error: the answer was lost, see the server's log");
        unblock(self.handle.as_ptr(), Reply::Error(reply));
    }
}

fn unblock(handle: *mut RedisModuleBlockedClient, reply: Reply) {
    let reply = Box::into_raw(Box::new(reply));
    // SAFETY: the handle came from BlockClient and this is the one call for it; `free` takes the box back.
    unsafe { api!(RedisModule_UnblockClient)(handle, reply.cast()) };
}

/// Every client that waits.
#[derive(Debug, Default)]
pub struct Waiters {
    waiting: HashMap<WaiterId, Waiter>,
    by_handle: HashMap<ClientHandle, WaiterId>,
    next: u64,
    /// The client that began to wait in the command under way.
    newest: Option<WaiterId>,
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
        if ctx.flags().deny_blocking() {
            return Err(Error::new(
                ErrorKind::Miss,
                "not in the cache, and waiting is not allowed in MULTI or a script: READ it before",
            ));
        }
        if self.waiting.len() >= limit {
            return Err(Error::new(ErrorKind::Busy, "max_waiters clients are waiting already: try again"));
        }
        // SAFETY: a valid context of a client that may block. No timeout: the server's races with ours.
        let handle =
            unsafe { api!(RedisModule_BlockClient)(ctx.as_raw(), Some(on_reply), None, Some(on_free), 0) };
        let Some(handle) = NonNull::new(handle) else {
            return Err(Error::new(
                ErrorKind::Miss,
                "not in the cache, and the server does not let this client wait",
            ));
        };
        // SAFETY: the handle is fresh.
        unsafe { api!(RedisModule_SetDisconnectCallback)(handle.as_ptr(), Some(on_disconnect)) };
        Ok(self.add(handle))
    }

    fn add(&mut self, handle: NonNull<RedisModuleBlockedClient>) -> WaiterId {
        self.next += 1;
        let id = WaiterId(self.next);
        self.by_handle.insert(ClientHandle::of(handle), id);
        self.waiting.insert(id, Waiter { handle, call: None });
        self.newest = Some(id);
        id
    }

    /// The client that has begun to wait since the last call, if it still does.
    pub fn take_newest(&mut self) -> Option<WaiterId> {
        self.newest.take().filter(|id| self.waiting.contains_key(id))
    }

    /// Keeps what is to be told once the client is answered.
    pub fn remember(&mut self, id: WaiterId, call: Call) {
        if let Some(waiter) = self.waiting.get_mut(&id) {
            waiter.call = Some(Box::new(call));
        }
    }

    /// What a client's command is about.
    pub fn about(&mut self, id: WaiterId, subject: Subject) {
        if let Some(call) = self.waiting.get_mut(&id).and_then(|waiter| waiter.call.as_mut()) {
            call.subject = Some(subject);
        }
    }

    /// The arguments of a client's command that were kept; `None` when it is gone.
    pub fn words(&self, id: WaiterId) -> Option<Vec<Box<[u8]>>> {
        let waiter = self.waiting.get(&id)?;
        Some(waiter.call.as_ref().map(|call| call.arguments.clone()).unwrap_or_default())
    }

    /// Where the time of a client's command went.
    pub fn spend(&mut self, id: WaiterId, spent: Spent) {
        if let Some(call) = self.waiting.get_mut(&id).and_then(|waiter| waiter.call.as_mut()) {
            call.spent = call.spent.max(spent);
        }
    }

    /// Whether commands were answered since they were last taken.
    pub fn has_answered(&self) -> bool {
        !self.answered.is_empty()
    }

    /// The commands that were answered since the last call.
    pub fn take_answered(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.answered)
    }

    /// Answers a client. Nothing happens when it is gone.
    pub fn answer(&mut self, id: WaiterId, reply: Reply) {
        if let Some(mut waiter) = self.waiting.remove(&id) {
            self.by_handle.remove(&ClientHandle::of(waiter.handle));
            if let Some(call) = waiter.call.take() {
                let duration_us = call.began.elapsed_us();
                self.answered.push((call, duration_us, reply.error_code()));
            }
            waiter.answer(reply);
        }
    }

    /// Whether the client still waits.
    pub fn is_waiting(&self, id: WaiterId) -> bool {
        self.waiting.contains_key(&id)
    }

    /// The client has gone.
    pub fn forget(&mut self, client: ClientHandle) {
        if let Some(id) = self.by_handle.remove(&client) {
            if let Some(waiter) = self.waiting.remove(&id) {
                waiter.answer(Reply::Sent);
            }
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

unsafe extern "C" fn on_reply(ctx: *mut RedisModuleCtx, _: *mut *mut RedisModuleString, _: c_int) -> c_int {
    // SAFETY: the server passes a valid context with the private data of `unblock`.
    let (ctx, reply) = unsafe { (Context::new(ctx), api!(RedisModule_GetBlockedClientPrivateData)(ctx)) };
    let sent = guard("a reply", || {
        // SAFETY: the private data is the box of `unblock`, alive until `on_free`.
        if let Some(reply) = unsafe { reply.cast::<Reply>().as_ref() } {
            reply.send(ctx);
        }
    });
    if sent.is_none() {
        send_error(ctx, "ERR internal error, see the server's log");
    }
    raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn on_free(_: *mut RedisModuleCtx, reply: *mut c_void) {
    if !reply.is_null() {
        // SAFETY: the box of `unblock`; the server calls this once for each.
        guard("freeing a reply", || drop(unsafe { Box::from_raw(reply.cast::<Reply>()) }));
    }
}

unsafe extern "C" fn on_disconnect(_: *mut RedisModuleCtx, handle: *mut RedisModuleBlockedClient) {
    if let Some(handle) = NonNull::new(handle) {
        tell("a disconnect", |module| module.client_gone(ClientHandle::of(handle)));
    }
}
