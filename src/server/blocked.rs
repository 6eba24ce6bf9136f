//! Clients that wait for an answer.

use std::os::raw::{c_int, c_void};
use std::ptr::NonNull;

use redis_module::raw::{self, RedisModuleBlockedClient, RedisModuleCtx, RedisModuleString};

use super::context::Context;
use super::guard::guard;
use super::module::tell;
use super::reply::send_error;
use crate::cache::{Error, Reply};

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
pub struct BlockedClient(NonNull<RedisModuleBlockedClient>);

impl BlockedClient {
    /// Makes the client of `ctx` wait; `None` where the server does not let it.
    pub fn of(ctx: Context<'_>) -> Option<Self> {
        // SAFETY: a valid context of a client that may block. No timeout: the server's races with ours.
        let handle = unsafe { api!(RedisModule_BlockClient)(ctx.as_raw(), Some(on_reply), None, Some(on_free), 0) };
        let handle = NonNull::new(handle)?;
        // SAFETY: the handle is fresh.
        unsafe { api!(RedisModule_SetDisconnectCallback)(handle.as_ptr(), Some(on_disconnect)) };
        Some(Self(handle))
    }

    /// What the server calls it.
    pub fn handle(&self) -> ClientHandle {
        ClientHandle::of(self.0)
    }

    /// Answers it.
    pub fn answer(self, reply: Reply) {
        let handle = self.0.as_ptr();
        std::mem::forget(self);
        unblock(handle, reply);
    }
}

impl Drop for BlockedClient {
    fn drop(&mut self) {
        let reply = Error::malformed("internal error: the answer was lost, see the server's log");
        unblock(self.0.as_ptr(), Reply::Error(reply));
    }
}

fn unblock(handle: *mut RedisModuleBlockedClient, reply: Reply) {
    let reply = Box::into_raw(Box::new(reply));
    // SAFETY: the handle came from BlockClient and this is the one call for it; `free` takes the box back.
    unsafe { api!(RedisModule_UnblockClient)(handle, reply.cast()) };
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
