//! The two clocks: one for deadlines, one for expiry.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;

static START: Lazy<Instant> = Lazy::new(Instant::now);

/// Milliseconds on a clock that only goes forward.
pub fn monotonic_ms() -> u64 {
    START.elapsed().as_millis() as u64
}

/// The moment at which that clock shows 0.
pub fn beginning() -> Instant {
    *START
}

/// The same clock at `moment`; 0 for a moment before its beginning.
pub fn monotonic_ms_of(moment: Instant) -> u64 {
    moment.saturating_duration_since(*START).as_millis() as u64
}

/// Whole seconds of the same clock at `moment`.
pub fn monotonic_s_of(moment: Instant) -> u64 {
    moment.saturating_duration_since(*START).as_secs()
}

/// Milliseconds since 1970, as the server's `PXAT` takes them.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
