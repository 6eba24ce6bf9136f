//! Waiting for something to become true.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Looks until `look` finds something. Panics with `what` after a minute.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(5));
    }
}
