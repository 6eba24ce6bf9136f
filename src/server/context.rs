//! The context of a server callback, and what it says about the server's state.

use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;

use redis_module::raw::{self, RedisModuleCtx};

/// The context that the server passed to the callback under way.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    raw: *mut RedisModuleCtx,
    callback: PhantomData<&'c ()>,
}

impl Context<'_> {
    /// Wraps the context of the callback under way.
    ///
    /// # Safety
    /// `raw` is a context of this module, valid on the main thread for the lifetime that the caller picks.
    pub(super) unsafe fn new(raw: *mut RedisModuleCtx) -> Self {
        Self { raw, callback: PhantomData }
    }

    /// The pointer, for calls into the module API.
    pub(super) fn as_raw(&self) -> *mut RedisModuleCtx {
        self.raw
    }

    /// The state of server and client. Costs a look at the memory limit: asked for on misses, not on hits.
    pub fn flags(&self) -> Flags {
        // SAFETY: the context is valid while `self` is.
        Flags(unsafe { api!(RedisModule_GetContextFlags)(self.raw) } as u32)
    }

    /// Why the server does not run `command` without arguments, which must be one that it refuses: nothing is run.
    pub(super) fn refusal(self, command: &CStr, format: &CStr) -> io::Error {
        let call = api!(RedisModule_Call);
        // SAFETY: a valid context; the format announces no argument. There is no reply to free.
        let reply = unsafe { call(self.as_raw(), command.as_ptr(), format.as_ptr()) };
        debug_assert!(reply.is_null(), "the server refuses it");
        io::Error::last_os_error()
    }

    /// The id of the client that sent the command; in scripts and timers one that no client has.
    pub fn client_id(&self) -> u64 {
        // SAFETY: the context is valid while `self` is.
        unsafe { api!(RedisModule_GetClientId)(self.raw) }
    }
}

/// What [`Context::flags`] found.
#[derive(Debug, Clone, Copy)]
pub struct Flags(u32);

impl Flags {
    /// Whether the client must not be made to wait: MULTI, scripts, calls from other modules.
    pub fn deny_blocking(self) -> bool {
        self.0
            & (raw::REDISMODULE_CTX_FLAGS_DENY_BLOCKING
                | raw::REDISMODULE_CTX_FLAGS_MULTI
                | raw::REDISMODULE_CTX_FLAGS_LUA)
            != 0
    }

    /// Whether a script is running.
    pub fn in_script(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_LUA != 0
    }

    /// Whether this server is a replica.
    pub fn is_replica(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_SLAVE != 0
    }

    /// Whether the command came over the replication link, from this server's master.
    pub fn is_from_master(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_REPLICATED != 0
    }

    /// Whether the data set is being loaded.
    pub fn is_loading(self) -> bool {
        self.0 & (raw::REDISMODULE_CTX_FLAGS_LOADING | raw::REDISMODULE_CTX_FLAGS_ASYNC_LOADING) != 0
    }

    /// Whether this server is a node of a cluster.
    pub fn is_cluster(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_CLUSTER != 0
    }
}

/// Whether a write now would reach replicas that must not see one: CLIENT PAUSE, a failover under way. The
/// server aborts on such a write.
pub fn replicas_are_paused() -> bool {
    // SAFETY: takes nothing and only reads the server's state, on the main thread.
    unsafe { api!(RedisModule_AvoidReplicaTraffic)() != 0 }
}
