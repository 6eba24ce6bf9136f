//! The cluster that this server may be a node of: the slot of the command under way, and what is served here.
//!
//! While a command runs that has named a key, Redis 7.2 and later look up every key in that command's slot, and would write it there. So
//! keys of other slots are out of reach until the command is over.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};

use redis_module::raw::{self, RedisModuleCtx};

use super::context::Context;
use super::text::Text;
use crate::cache::slot::Slot;

/// Whether this server is a node of a cluster. It is one from its start to its end.
static IS_NODE: AtomicBool = AtomicBool::new(false);

/// A context of no client: what it may do, any client may who has not sent ASKING.
static NOBODY: AtomicPtr<RedisModuleCtx> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// The slot of the command under way.
    static COMMAND_SLOT: Cell<Option<Slot>> = const { Cell::new(None) };
}

/// Finds out, while the module is loaded, whether this server is a node of a cluster.
pub(super) fn start(ctx: Context<'_>) {
    let is_node = ctx.flags().is_cluster();
    IS_NODE.store(is_node, Relaxed);
    if is_node {
        // SAFETY: a valid context during load; the one that is made is freed by `stop`.
        let nobody = unsafe { api!(RedisModule_GetDetachedThreadSafeContext)(ctx.as_raw()) };
        NOBODY.store(nobody, Relaxed);
    }
}

/// Gives back what [`start`] has taken.
pub(super) fn stop() {
    let nobody = NOBODY.swap(ptr::null_mut(), Relaxed);
    if !nobody.is_null() {
        // SAFETY: made by `start`, and nobody uses it any more.
        unsafe { api!(RedisModule_FreeThreadSafeContext)(nobody) };
    }
}

/// The id that this node has in its cluster; `None` outside of one.
pub fn node_id() -> Option<String> {
    if !is_node() {
        return None;
    }
    // SAFETY: it takes nothing, and there is a cluster.
    let id = unsafe { api!(RedisModule_GetMyClusterID)() };
    if id.is_null() {
        return None;
    }
    // SAFETY: an id has that many characters, and lives as long as the server.
    let id = unsafe { std::slice::from_raw_parts(id.cast::<u8>(), raw::REDISMODULE_NODE_ID_LEN as usize) };
    Some(String::from_utf8_lossy(id).into_owned())
}

/// Whether this server is a node of a cluster.
pub fn is_node() -> bool {
    IS_NODE.load(Relaxed)
}

/// Runs `work` as part of a command that the cluster has routed by `routing`.
pub(super) fn in_command_on<T>(routing: Option<&[u8]>, work: impl FnOnce() -> T) -> T {
    if !is_node() {
        return work();
    }
    let outer = COMMAND_SLOT.replace(routing.map(Slot::of));
    let result = work();
    COMMAND_SLOT.set(outer);
    result
}

/// The slot of the command under way; `None`: it has named no key, or there is no command.
pub fn command_slot() -> Option<Slot> {
    COMMAND_SLOT.get()
}

/// Whether `key` can be read and written now.
pub fn reaches(key: &[u8]) -> bool {
    command_slot().is_none_or(|slot| Slot::of(key) == slot)
}

/// Whether any client may use `key` here: its slot is this node's, is not on its way to another one, and the cluster is up.
pub fn serves(key: &Text) -> bool {
    let nobody = NOBODY.load(Relaxed);
    if nobody.is_null() {
        return true;
    }
    // SAFETY: a live context, used on the main thread; the format announces one server string. Without `E` a refusal is null.
    let reply = unsafe { api!(RedisModule_Call)(nobody, c"EXISTS".as_ptr(), c"s".as_ptr(), key.as_raw()) };
    if reply.is_null() {
        return false;
    }
    // SAFETY: a reply of our own call, freed once.
    unsafe {
        let kind = api!(RedisModule_CallReplyType)(reply);
        api!(RedisModule_FreeCallReply)(reply);
        kind != raw::REDISMODULE_REPLY_ERROR as i32
    }
}
