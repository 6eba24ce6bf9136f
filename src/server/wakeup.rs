//! Wakeups of the main thread, for which workers ask when there is something for it to do.

use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::context::Context;
use super::guard::guard;
use super::module::tell;
use super::timer;

/// Whether a wakeup is on its way: one is enough for any number of messages.
static IS_COMING: AtomicBool = AtomicBool::new(false);

/// Has the module [woken up](super::module::Module::wakeup) on the main thread, soon. May be called from any thread.
///
/// The one-shot callback has no context, and a replicated write in it aborts the server; so it starts a
/// timer of 0 ms, whose callback may write. Both run within one tick of the event loop.
pub fn wake() {
    if !IS_COMING.swap(true, Ordering::AcqRel) {
        // SAFETY: the server locks its list; no data is passed.
        unsafe { api!(RedisModule_EventLoopAddOneShot)(Some(on_one_shot), ptr::null_mut()) };
    }
}

/// Forgets a wakeup of an earlier load of the module, which never came.
pub fn reset() {
    IS_COMING.store(false, Ordering::Release);
}

unsafe extern "C" fn on_one_shot(_: *mut c_void) {
    guard("a wakeup", || timer::after(Duration::ZERO, wake_up));
}

fn wake_up(ctx: Context<'_>) {
    // Before the messages are read: what comes after this asks again.
    IS_COMING.store(false, Ordering::Release);
    let is_done = tell("applying results", |module| module.wakeup(ctx));
    // The rest in the next turn, so that other clients are served in between.
    if is_done != Some(true) {
        wake();
    }
}
