//! Work for a little later, on the main thread, where writes may be replicated.

use std::os::raw::c_void;
use std::time::Duration;

use redis_module::raw::RedisModuleCtx;

use super::context::Context;
use super::guard::guard;

/// Runs `work` after `delay` (milliseconds). While a timer waits the server does not unload the module.
pub fn after(ctx: Context<'_>, delay: Duration, work: fn(Context<'_>)) {
    let delay_ms = delay.as_millis() as i64;
    // SAFETY: a valid context; the function pointer comes back as it is.
    unsafe { api!(RedisModule_CreateTimer)(ctx.as_raw(), delay_ms, Some(on_timer), work as *mut c_void) };
}

unsafe extern "C" fn on_timer(ctx: *mut RedisModuleCtx, work: *mut c_void) {
    // SAFETY: the server passes a valid context for the time of this call, and what `after` gave it.
    let (ctx, work) =
        unsafe { (Context::new(ctx), std::mem::transmute::<*mut c_void, fn(Context<'_>)>(work)) };
    guard("a timer", || work(ctx));
}
