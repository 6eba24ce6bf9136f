//! The one clock of a run: nanoseconds of CLOCK_MONOTONIC, the same for every thread.

use std::time::{Duration, Instant};

/// Nanoseconds since the clock was started.
pub type Nanos = u64;

/// One millisecond.
pub const MILLISECOND: Nanos = 1_000_000;

/// A clock that was started once and is copied to every thread.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Starts one.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    pub fn now(self) -> Nanos {
        nanos(self.0.elapsed())
    }
}

/// A duration as the clock counts.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap()
}

/// For reports.
pub fn milliseconds(nanos: Nanos) -> f64 {
    nanos as f64 / MILLISECOND as f64
}
