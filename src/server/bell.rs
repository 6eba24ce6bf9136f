//! The bell that workers ring when there is something for the main thread to do.

use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::context::Context;
use super::guard::guard;
use super::module::tell;
use super::timer;

/// Whether the bell has been rung and not been answered: one ring is enough for any number of messages.
static RUNG: AtomicBool = AtomicBool::new(false);

/// Has the module [woken up](super::module::Module::wakeup) on the main thread, soon. May be called from any thread.
///
/// The one-shot callback has no context, and a replicated write in it aborts the server; so it starts a
/// timer of 0 ms, whose callback may write. Both run within one turn of the event loop.
pub fn ring() {
    if !RUNG.swap(true, Ordering::AcqRel) {
        // SAFETY: the server locks its list; no data is passed.
        unsafe { api!(RedisModule_EventLoopAddOneShot)(Some(on_ring), ptr::null_mut()) };
    }
}

/// Forgets a ring of an earlier load of the module, which nobody answered.
pub fn reset() {
    RUNG.store(false, Ordering::Release);
}

unsafe extern "C" fn on_ring(_: *mut c_void) {
    guard("the bell", || timer::after(Duration::ZERO, answer));
}

fn answer(ctx: Context<'_>) {
    // Before the mail is read: what comes after this rings again.
    RUNG.store(false, Ordering::Release);
    let is_done = tell("applying results", |module| module.wakeup(ctx));
    // The rest in the next turn, so that other clients are served in between.
    if is_done != Some(true) {
        ring();
    }
}
