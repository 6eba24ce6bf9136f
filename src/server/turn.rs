//! Turns of the server's event loop: in each of them the commands that have arrived are run, and then the replies go out.
//!
//! The server tells of every turn only while it is asked to: on an idle server, or one that serves others, that would cost
//! more than it saves.

use std::cell::Cell;
use std::os::raw::{c_int, c_void};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleEvent};

use super::context::Context;

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static TURN: Cell<u64> = const { Cell::new(0) };
}

/// The number of the turn under way; `None` while turns are not counted.
pub fn number() -> Option<u64> {
    IS_COUNTED.get().then(|| TURN.get())
}

/// Has turns counted, or not any more.
pub fn count(ctx: Context<'_>, is_wanted: bool) {
    if is_wanted == IS_COUNTED.get() {
        return;
    }
    let event = RedisModuleEvent { id: raw::REDISMODULE_EVENT_EVENTLOOP, dataver: 1 };
    let callback = is_wanted.then_some(on_turn as unsafe extern "C" fn(_, _, _, _));
    // SAFETY: a valid context; no callback takes the subscription back.
    let status = unsafe { api!(RedisModule_SubscribeToServerEvent)(ctx.as_raw(), event, callback) };
    IS_COUNTED.set(is_wanted && status == raw::REDISMODULE_OK as c_int);
    TURN.set(TURN.get() + 1);
}

/// Forgets the subscription of an earlier load of the module, which has ended with it.
pub fn reset() {
    IS_COUNTED.set(false);
}

unsafe extern "C" fn on_turn(_: *mut RedisModuleCtx, _: RedisModuleEvent, subevent: u64, _: *mut c_void) {
    if subevent == raw::REDISMODULE_SUBEVENT_EVENTLOOP_AFTER_SLEEP {
        TURN.set(TURN.get() + 1);
    }
}
