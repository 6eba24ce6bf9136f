//! Work for a little later, on the main thread, where writes may be replicated.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::raw::c_void;
use std::ptr;
use std::time::Duration;

use redis_module::raw::{RedisModuleCtx, RedisModuleTimerID};

use super::context::Context;
use super::guard::guard;

type Work = fn(Context<'_>);

thread_local! {
    static TIMERS: RefCell<Timers> = const {
        RefCell::new(Timers { ctx: ptr::null_mut(), waiting: BTreeMap::new(), next: 0 })
    };
}

/// The timers that wait, by a number of their own.
struct Timers {
    /// What they are started with. The server does not know whose it is: it refuses to unload a module while a timer waits that is
    /// the module's, and there is none to be had between MODULE UNLOAD and that refusal. So we stop them ourselves.
    ctx: *mut RedisModuleCtx,
    waiting: BTreeMap<usize, (RedisModuleTimerID, Work)>,
    next: usize,
}

/// Has timers started from now on, until [`stop`].
pub(super) fn start() {
    // SAFETY: called on the main thread; without a client the context is no module's.
    let ctx = unsafe { api!(RedisModule_GetThreadSafeContext)(ptr::null_mut()) };
    TIMERS.with_borrow_mut(|timers| timers.ctx = ctx);
}

/// Stops those that wait. None can be started any more.
pub(super) fn stop() {
    let (ctx, waiting) = TIMERS.with_borrow_mut(|timers| {
        (std::mem::replace(&mut timers.ctx, ptr::null_mut()), std::mem::take(&mut timers.waiting))
    });
    if ctx.is_null() {
        return;
    }
    for (id, _) in waiting.into_values() {
        // SAFETY: a timer of this context that has not fired; nothing is to be had back.
        unsafe { api!(RedisModule_StopTimer)(ctx, id, ptr::null_mut()) };
    }
    // SAFETY: made by `start`, and nobody uses it any more.
    unsafe { api!(RedisModule_FreeThreadSafeContext)(ctx) };
}

/// Runs `work` after `delay` (milliseconds), unless the module is unloaded before. For the main thread.
pub fn after(delay: Duration, work: Work) {
    TIMERS.with_borrow_mut(|timers| {
        if timers.ctx.is_null() {
            return;
        }
        timers.next += 1;
        let number = timers.next;
        // SAFETY: our own context, on the main thread; the number comes back as it is.
        let id = unsafe {
            api!(RedisModule_CreateTimer)(
                timers.ctx,
                delay.as_millis() as i64,
                Some(on_timer),
                ptr::without_provenance_mut(number),
            )
        };
        timers.waiting.insert(number, (id, work));
    });
}

unsafe extern "C" fn on_timer(ctx: *mut RedisModuleCtx, number: *mut c_void) {
    // SAFETY: the server passes a valid context for the time of this call.
    let ctx = unsafe { Context::new(ctx) };
    guard("a timer", || {
        let work = TIMERS.with_borrow_mut(|timers| timers.waiting.remove(&number.addr()));
        if let Some((_, work)) = work {
            work(ctx);
        }
    });
}
