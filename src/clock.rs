//! The clocks: one for deadlines, one for expiry, and one for what commands take.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;
use quanta::Clock;

static START: Lazy<Instant> = Lazy::new(Instant::now);

/// Compares the processor's counter with the system's clock for less than a millisecond when it is first asked for.
static COUNTER: Lazy<Clock> = Lazy::new(Clock::new);

/// A moment on the processor's own counter, or on the system's clock where that counter cannot be relied on. Looking at it
/// takes less than half the time of [`Instant::now`], which is 2 % of a hit in a pipeline; but the two drift apart, so that
/// it is for short times only.
#[derive(Debug, Clone, Copy)]
pub struct Tick(u64);

impl Tick {
    /// This moment.
    pub fn now() -> Self {
        Self(COUNTER.raw())
    }

    /// How many whole microseconds have passed since.
    pub fn elapsed_us(self) -> u64 {
        COUNTER.delta_as_nanos(self.0, COUNTER.raw()) / 1000
    }
}

/// Gets the clocks going, so that no command has to.
pub fn start() {
    Lazy::force(&START);
    Lazy::force(&COUNTER);
}

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

/// Milliseconds since 1970, as the server's `PXAT` takes them.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_tick_takes_as_long_as_the_systems_clock_says() {
        let (before, tick, after) = (Instant::now(), Tick::now(), Instant::now());
        sleep(Duration::from_millis(50));
        let (least, elapsed_us, most) = (after.elapsed(), tick.elapsed_us(), before.elapsed());
        let us = |time: Duration, share: f64| (time.as_micros() as f64 * share) as u64;
        assert!((us(least, 0.99)..=us(most, 1.01)).contains(&elapsed_us), "{least:?} {elapsed_us} {most:?}");
    }
}
