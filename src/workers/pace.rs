//! The pace: how many connections may load at once while a cache that lost its entries fills again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long each step of the way up takes.
const STEP: Duration = Duration::from_millis(250);
/// In how many steps, at most, every connection may load again, however many there are.
const STEPS: usize = 8;

/// One source's pace. It starts with one connection and goes up by the clock, also when loads are slow; what waits
/// meanwhile goes in larger batches.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    pool_size: usize,
    /// How many load now.
    loading: usize,
    /// When the way up began, while it lasts.
    began: Option<Instant>,
}

impl State {
    fn restart(&mut self, now: Instant) {
        self.allowed(now);
        // Who is on the way up already has seen PostgreSQL cope with that.
        self.began = self.began.or(Some(now));
    }

    /// How many may load at `now`.
    fn allowed(&mut self, now: Instant) -> usize {
        let Some(began) = self.began else { return self.pool_size };
        let steps = now.saturating_duration_since(began).as_millis() / STEP.as_millis();
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        let allowed = steps.saturating_mul(self.pool_size.div_ceil(STEPS)).saturating_add(1);
        if allowed >= self.pool_size {
            self.began = None;
        }
        allowed.min(self.pool_size)
    }

    fn admit(&mut self, now: Instant) -> bool {
        let admits = self.loading < self.allowed(now);
        self.loading += usize::from(admits);
        admits
    }
}

impl Pace {
    /// The pace of a source with so many connections, all of which may load.
    pub fn new(pool_size: usize) -> Arc<Self> {
        let state = Mutex::new(State { pool_size, loading: 0, began: None });
        Arc::new(Self { state, changed: Condvar::new() })
    }

    /// Goes back to one connection, unless it is on its way up already.
    pub fn restart(&self) {
        self.state.lock().restart(Instant::now());
    }

    /// Whether it is on its way up.
    pub fn is_restrained(&self) -> bool {
        let mut state = self.state.lock();
        state.allowed(Instant::now());
        state.began.is_some()
    }

    /// Lets everyone load, so that nobody is waited for when the workers are to end.
    pub fn end(&self) {
        self.state.lock().began = None;
        self.changed.notify_all();
    }

    /// Waits until one more may load. It counts until the result is dropped.
    pub(super) fn enter(&self) -> Loading<'_> {
        let mut state = self.state.lock();
        while !state.admit(Instant::now()) {
            self.changed.wait_for(&mut state, STEP);
        }
        Loading { pace: self }
    }
}

/// A connection that loads.
#[derive(Debug)]
pub(super) struct Loading<'p> {
    pace: &'p Pace,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state.lock();
        state.loading -= 1;
        if state.began.is_some() {
            self.pace.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(pool_size: usize) -> State {
        State { pool_size, loading: 0, began: None }
    }

    #[test]
    fn all_may_load_as_long_as_nothing_was_lost() {
        assert_eq!(state(8).allowed(Instant::now()), 8);
    }

    #[test]
    fn after_a_loss_one_may_and_with_each_step_one_more() {
        let (mut state, began) = (state(8), Instant::now());
        state.restart(began);
        let allowed: Vec<usize> = (0..9).map(|step| state.allowed(began + step * STEP)).collect();
        assert_eq!(allowed, [1, 2, 3, 4, 5, 6, 7, 8, 8]);
        assert_eq!(state.began, None);
    }

    #[test]
    fn another_loss_on_the_way_up_changes_nothing_and_one_after_it_does() {
        let (mut state, began) = (state(8), Instant::now());
        state.restart(began);
        state.restart(began + 3 * STEP);
        assert_eq!(state.allowed(began + 3 * STEP), 4);
        state.restart(began + 20 * STEP);
        assert_eq!(state.allowed(began + 20 * STEP), 1);
    }

    #[test]
    fn loads_from_before_the_loss_count() {
        let (mut state, began) = (state(4), Instant::now());
        assert!(state.admit(began) && state.admit(began));
        state.restart(began);
        assert!(!state.admit(began) && !state.admit(began + STEP) && state.admit(began + 2 * STEP));
    }

    #[test]
    fn who_waits_goes_on_when_another_is_done() {
        let pace = Pace::new(4);
        pace.restart();
        let first = pace.enter();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| drop(pace.enter()));
            drop(first);
            assert!(second.join().is_ok());
        });
        assert_eq!(pace.state.lock().loading, 0);
    }

    #[test]
    fn the_end_lets_everyone_go_on() {
        let pace = Pace::new(1_000);
        pace.restart();
        let _loading = pace.enter();
        pace.end();
        let _others: Vec<_> = (1..1_000).map(|_| pace.enter()).collect();
        assert!(!pace.is_restrained());
    }

    proptest! {
        #[test]
        fn it_only_goes_up_and_reaches_every_connection(pool_size in 1..=1_024usize, times in prop::collection::vec(0..3_000u64, 1..50)) {
            let (mut state, began) = (state(pool_size), Instant::now());
            let mut times = times;
            times.sort_unstable();
            state.restart(began);
            let mut last = 1;
            for ms in times {
                let allowed = state.allowed(began + Duration::from_millis(ms));
                prop_assert!(allowed >= last && allowed <= pool_size);
                last = allowed;
            }
            let steps = u32::try_from(STEPS).unwrap_or(u32::MAX);
            prop_assert_eq!(state.allowed(began + steps * STEP), pool_size);
        }
    }
}
