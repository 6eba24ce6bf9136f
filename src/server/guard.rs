//! The border that no panic crosses, and what is told of panics.

use std::any::Any;
use std::panic::{self, catch_unwind, AssertUnwindSafe, PanicHookInfo};

/// Has every panic of ours become a line in the server's log, with its place in the code, whichever thread it is on. The
/// standard library's own hook writes to stderr, which a daemon has not; and where the environment wants a backtrace, it
/// frees memory that the C library has from the server's allocator with the C library's own `free`, which ends a server
/// that loads modules with `RTLD_DEEPBIND` (Valkey 9).
pub(super) fn log_panics() {
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = message(panic.payload());
    match panic.location() {
        Some(place) => log::error!("panic at {place}: {message}"),
        None => log::error!("panic: {message}"),
    }
}

/// Runs the body of a callback. A panic is logged with `what` and becomes `None`; unwinding into the server
/// would end it.
pub fn guard<T>(what: &str, body: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(body));
    if result.is_err() {
        log::error!("{what} has panicked: see the line above");
    }
    result.ok()
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "no message",
    }
}
