//! Clients that wait for an answer.

use std::os::raw::{c_int, c_void};
use std::ptr::NonNull;

use foldhash::HashMap;
use redis_module::raw::{self, RedisModuleBlockedClient, RedisModuleCtx, RedisModuleString};

use super::context::Context;
use super::guard::guard;
use super::module::tell;
use super::reply::send_error;
use crate::cache::{Error, ErrorKind, Reply, WaiterId};

/// Names a client that waits to the server: an address, which is used again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientHandle(usize);

impl ClientHandle {
    fn of(handle: NonNull<RedisModuleBlockedClient>) -> Self {
        Self(handle.as_ptr() as usize)
    }
}

/// A client that waits, with what its owner keeps with it. It is answered exactly once: dropping it is an error reply, never a
/// client that hangs.
#[derive(Debug)]
pub struct BlockedClient<K> {
    handle: NonNull<RedisModuleBlockedClient>,
    /// What its owner keeps.
    pub kept: Option<K>,
}

impl<K> BlockedClient<K> {
    /// Answers it.
    pub fn answer(mut self, reply: Reply) {
        let handle = self.handle.as_ptr();
        self.kept = None;
        std::mem::forget(self);
        unblock(handle, reply);
    }
}

impl<K> Drop for BlockedClient<K> {
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

/// Every client that waits. `K` is what its owner keeps with each.
#[derive(Debug)]
pub struct BlockedClients<K> {
    waiting: HashMap<WaiterId, BlockedClient<K>>,
    by_handle: HashMap<ClientHandle, WaiterId>,
    next: u64,
}

impl<K> Default for BlockedClients<K> {
    fn default() -> Self {
        Self { waiting: HashMap::default(), by_handle: HashMap::default(), next: 0 }
    }
}

impl<K> BlockedClients<K> {
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
        let handle = unsafe { api!(RedisModule_BlockClient)(ctx.as_raw(), Some(on_reply), None, Some(on_free), 0) };
        let Some(handle) = NonNull::new(handle) else {
            return Err(Error::new(ErrorKind::Miss, "not in the cache, and the server does not let this client wait"));
        };
        // SAFETY: the handle is fresh.
        unsafe { api!(RedisModule_SetDisconnectCallback)(handle.as_ptr(), Some(on_disconnect)) };
        Ok(self.add(handle))
    }

    fn add(&mut self, handle: NonNull<RedisModuleBlockedClient>) -> WaiterId {
        self.next += 1;
        let id = WaiterId::new(self.next);
        self.by_handle.insert(ClientHandle::of(handle), id);
        self.waiting.insert(id, BlockedClient { handle, kept: None });
        id
    }

    /// The client, if it still waits.
    pub fn get(&self, id: WaiterId) -> Option<&BlockedClient<K>> {
        self.waiting.get(&id)
    }

    /// The same, for its owner to keep something with it.
    pub fn get_mut(&mut self, id: WaiterId) -> Option<&mut BlockedClient<K>> {
        self.waiting.get_mut(&id)
    }

    /// Takes the client out to answer it, if it still waits.
    pub fn take(&mut self, id: WaiterId) -> Option<BlockedClient<K>> {
        let client = self.waiting.remove(&id)?;
        self.by_handle.remove(&ClientHandle::of(client.handle));
        Some(client)
    }

    /// Takes out a client that has gone.
    pub fn forget(&mut self, gone: ClientHandle) {
        if let Some(client) = self.by_handle.remove(&gone).and_then(|id| self.waiting.remove(&id)) {
            client.answer(Reply::Sent);
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
