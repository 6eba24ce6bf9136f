//! Waiting for something to become true.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// For how long a test waits for what is to happen: longer than a busy machine takes for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Looks until `look` finds something. Panics with `what` after [`PATIENCE`].
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(5));
    }
}
