//! Turns of the server's event loop: in each of them the commands that have arrived are run, and then the replies go out.
//!
//! The server tells of every turn only while it is asked to: on an idle server, or one that serves others, that would cost
//! more than it saves.

use std::cell::Cell;
use std::os::raw::{c_int, c_void};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleEvent};

use super::context::Context;
use super::module::tell;

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn { number: 0, is_counted: false }) };
}

/// The turn under way, as far as it is known.
#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    is_counted: bool,
}

/// The number of the turn under way; `None` while turns are not counted.
pub fn number() -> Option<u64> {
    let turn = TURN.get();
    turn.is_counted.then_some(turn.number)
}

/// One turn later.
fn next(is_counted: bool) {
    TURN.set(Turn { number: TURN.get().number + 1, is_counted });
}

/// Has turns counted, or not any more.
pub fn count(ctx: Context<'_>, is_wanted: bool) {
    if is_wanted == TURN.get().is_counted {
        return;
    }
    let event = RedisModuleEvent { id: raw::REDISMODULE_EVENT_EVENTLOOP, dataver: 1 };
    let callback = is_wanted.then_some(on_turn as unsafe extern "C" fn(_, _, _, _));
    // SAFETY: a valid context; no callback takes the subscription back.
    let status = unsafe { api!(RedisModule_SubscribeToServerEvent)(ctx.as_raw(), event, callback) };
    next(is_wanted && status == raw::REDISMODULE_OK as c_int);
}

/// Forgets the subscription of an earlier load of the module, which has ended with it.
pub fn reset() {
    next(false);
}

unsafe extern "C" fn on_turn(_: *mut RedisModuleCtx, _: RedisModuleEvent, subevent: u64, _: *mut c_void) {
    if subevent == raw::REDISMODULE_SUBEVENT_EVENTLOOP_AFTER_SLEEP {
        next(TURN.get().is_counted);
    } else {
        tell("the end of a turn", |module| module.tick_ended());
    }
}
