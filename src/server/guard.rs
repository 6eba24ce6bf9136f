//! The border that no panic crosses.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs the body of a callback. A panic is logged with `what` and becomes `None`; unwinding into the server
/// would end it.
pub fn guard<T>(what: &str, body: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(panic) => {
            log::error!("panic in {what}: {}", message(panic.as_ref()));
            None
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "no message",
    }
}
