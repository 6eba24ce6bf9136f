//! Ticks of the server's event loop: in each of them the commands that have arrived are run, and then the replies go out.
//!
//! The server tells of every tick only while it is asked to: on an idle server, or one that serves others, that would cost
//! more than it saves.

use std::cell::Cell;
use std::os::raw::{c_int, c_void};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleEvent};

use super::context::Context;
use super::module::tell;

thread_local! {
    static TICK: Cell<EventLoopTick> = const { Cell::new(EventLoopTick { tick_number: 0, is_counted: false }) };
}

/// The tick under way, as far as it is known.
#[derive(Clone, Copy)]
struct EventLoopTick {
    tick_number: u64,
    is_counted: bool,
}

/// The number of the tick under way; `None` while ticks are not counted.
pub fn tick_number() -> Option<u64> {
    let tick = TICK.get();
    tick.is_counted.then_some(tick.tick_number)
}

/// One tick later.
fn next(is_counted: bool) {
    TICK.set(EventLoopTick { tick_number: TICK.get().tick_number + 1, is_counted });
}

/// Starts or stops counting ticks.
pub fn count_ticks(ctx: Context<'_>, is_wanted: bool) {
    if is_wanted == TICK.get().is_counted {
        return;
    }
    let event = RedisModuleEvent { id: raw::REDISMODULE_EVENT_EVENTLOOP, dataver: 1 };
    let callback = is_wanted.then_some(on_event_loop as unsafe extern "C" fn(_, _, _, _));
    // SAFETY: a valid context; no callback takes the subscription back.
    let status = unsafe { api!(RedisModule_SubscribeToServerEvent)(ctx.as_raw(), event, callback) };
    next(is_wanted && status == raw::REDISMODULE_OK as c_int);
}

/// Forgets the subscription of an earlier load of the module, which has ended with it.
pub fn reset() {
    next(false);
}

unsafe extern "C" fn on_event_loop(_: *mut RedisModuleCtx, _: RedisModuleEvent, subevent: u64, _: *mut c_void) {
    if subevent == raw::REDISMODULE_SUBEVENT_EVENTLOOP_AFTER_SLEEP {
        next(TICK.get().is_counted);
    } else {
        tell("the end of a tick", |module| module.tick_ended());
    }
}
