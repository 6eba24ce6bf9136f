//! Keyspace notifications: what others do to cache keys.

use std::cell::Cell;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleString};

use super::context::Context;
use super::keyspace::is_own_write;
use super::module::{tell, Module};
use super::text::bytes_of;
use crate::cache::key_change::KeyChange;

thread_local! {
    /// The database out of which a key was moved last.
    static MOVED_OUT_OF: Cell<c_int> = const { Cell::new(0) };
}

/// Asks the server for the notifications, whatever `notify-keyspace-events` says.
pub(super) fn subscribe(ctx: Context<'_>) -> bool {
    let kinds = raw::REDISMODULE_NOTIFY_GENERIC
        | raw::REDISMODULE_NOTIFY_STRING
        | raw::REDISMODULE_NOTIFY_EXPIRED
        | raw::REDISMODULE_NOTIFY_EVICTED;
    // SAFETY: a valid context during load.
    let status = unsafe { api!(RedisModule_SubscribeToKeyspaceEvents)(ctx.as_raw(), kinds, Some(on_change)) };
    status == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn on_change(
    ctx: *mut RedisModuleCtx,
    kind: c_int,
    event: *const c_char,
    key: *mut RedisModuleString,
) -> c_int {
    if !is_own_write() {
        tell("a keyspace notification", |module| {
            // SAFETY: the server passes a live key for the time of this call.
            let key = unsafe { bytes_of(key) };
            // First: nearly all keys are somebody else's.
            if module.may_concern(key) {
                // SAFETY: the server passes a valid context and a C string for the time of this call.
                let (ctx, event) = unsafe { (Context::new(ctx), CStr::from_ptr(event)) };
                pass_on(module, ctx, change(kind, event), key);
            }
        });
    }
    if kind == raw::REDISMODULE_NOTIFY_GENERIC {
        // SAFETY: as above.
        unsafe { keep_database(Context::new(ctx), CStr::from_ptr(event)) };
    }
    raw::REDISMODULE_OK as c_int
}

/// Valkey from 8.1 on (its pull request 4024 ends it) leaves the client of a command in the database of the command's last
/// notification, if a module asks for notifications: that of MOVE would find itself in the key's new database.
fn keep_database(ctx: Context<'_>, event: &CStr) {
    match event.to_bytes() {
        // SAFETY: a valid context.
        b"move_from" => MOVED_OUT_OF.set(unsafe { api!(RedisModule_GetSelectedDb)(ctx.as_raw()) }),
        b"move_to" => {
            // SAFETY: a valid context; the notification before this one came from that database.
            unsafe { api!(RedisModule_SelectDb)(ctx.as_raw(), MOVED_OUT_OF.get()) };
        }
        _ => (),
    }
}

fn pass_on(module: &dyn Module, ctx: Context<'_>, change: KeyChange, key: &[u8]) {
    // SAFETY: a valid context.
    let database = unsafe { api!(RedisModule_GetSelectedDb)(ctx.as_raw()) };
    if database == 0 {
        module.key_changed(ctx, change, key);
    }
}

fn change(kind: c_int, event: &CStr) -> KeyChange {
    match event.to_bytes() {
        b"expired" => KeyChange::Expired,
        b"restore" => KeyChange::Restored,
        _ if kind == raw::REDISMODULE_NOTIFY_EVICTED => KeyChange::Evicted,
        _ => KeyChange::Touched,
    }
}
