//! The concurrency limit: how many connections may load at once, and when one more joins those that do.

use std::time::{Duration, Instant};

/// How long each step of the way up takes.
const STEP: Duration = Duration::from_millis(250);
/// In how many steps, at most, every connection may load again, however many there are.
const STEPS: usize = 8;
/// What waits is left to a busy connection for so many times as long as its statements usually take,
const PATIENCE_FACTOR: u32 = 2;
/// but for so long at least
const PATIENCE_MIN: Duration = Duration::from_micros(500);
/// and for so long at most.
const PATIENCE_MAX: Duration = Duration::from_millis(2);
/// How much the last statement counts for what they usually take: one part in so many.
const USUAL_WEIGHT: u32 = 8;

/// Whether one more connection may load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// At once.
    Now,
    /// Not before this moment, unless another one is done.
    At(Instant),
    /// Once another one is done.
    Freed,
}

/// The concurrency limit of one source: plain state, which is told the time.
///
/// As few connections load as keep PostgreSQL busy: what waits meanwhile goes together in the next statement. One more joins
/// when what waits is worth a statement of its own, or when all that are at work have been so for long: those are slow, or
/// hang, and nobody waits for them.
///
/// After a loss of entries it starts with one connection and goes up by the clock, also when loads are slow.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    pool_size: usize,
    /// When each load under way began, the youngest last.
    under_way: Vec<Instant>,
    /// What a statement usually takes.
    usual: Duration,
    /// When the way up began, while it lasts.
    began: Option<Instant>,
}

impl ConcurrencyLimit {
    /// The limit of a source with so many connections, all of which may load.
    pub fn new(pool_size: usize) -> Self {
        Self { pool_size, under_way: Vec::new(), usual: Duration::ZERO, began: None }
    }

    /// Goes back to one connection, unless it is on its way up already.
    pub fn restart(&mut self, now: Instant) {
        self.allowed(now);
        // Who is on the way up already has seen PostgreSQL cope with that.
        self.began = self.began.or(Some(now));
    }

    /// Whether it is on its way up at `now`.
    pub fn is_restrained(&mut self, now: Instant) -> bool {
        self.allowed(now);
        self.began.is_some()
    }

    /// Lets everyone load.
    pub fn end(&mut self) {
        self.began = None;
    }

    /// Whether one more may load at `now`; `is_enough`: as much waits as is worth a statement of its own.
    pub fn permit(&mut self, now: Instant, is_enough: bool) -> Permit {
        if self.under_way.len() >= self.allowed(now) {
            return self.next_step(now).map_or(Permit::Freed, Permit::At);
        }
        let Some(youngest) = self.under_way.last().filter(|_| !is_enough) else { return Permit::Now };
        let at = *youngest + self.patience();
        if at <= now {
            Permit::Now
        } else {
            Permit::At(at)
        }
    }

    /// One more loads from `now` on. No call tells of an earlier moment than the one before.
    pub fn begin(&mut self, now: Instant) {
        self.under_way.push(now);
    }

    /// The load that began at `began` is done; it took that long, if there was something to load.
    pub fn done(&mut self, began: Instant, took: Option<Duration>) {
        let Some(position) = self.under_way.iter().position(|other| *other == began) else { return };
        self.under_way.remove(position);
        let Some(took) = took else { return };
        // A slow one says enough when it counts as the longest patience.
        let took = took.min(PATIENCE_MAX);
        self.usual = (self.usual * (USUAL_WEIGHT - 1) + took) / USUAL_WEIGHT;
    }

    /// For how long what waits is left to the connection that has begun last.
    fn patience(&self) -> Duration {
        (self.usual * PATIENCE_FACTOR).clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    /// How many may load at `now`.
    fn allowed(&mut self, now: Instant) -> usize {
        let Some(began) = self.began else { return self.pool_size };
        let allowed = steps(began, now).saturating_mul(self.pool_size.div_ceil(STEPS)).saturating_add(1);
        if allowed >= self.pool_size {
            self.began = None;
        }
        allowed.min(self.pool_size)
    }

    /// When more may load than at `now`.
    fn next_step(&self, now: Instant) -> Option<Instant> {
        let began = self.began?;
        Some(began + STEP.saturating_mul(u32::try_from(steps(began, now)).unwrap_or(u32::MAX).saturating_add(1)))
    }
}

/// How many steps have been taken at `now` since `began`.
fn steps(began: Instant, now: Instant) -> usize {
    let steps = now.saturating_duration_since(began).as_millis() / STEP.as_millis();
    usize::try_from(steps).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    /// A limit at which nothing is left to a busy connection, to look at the way up alone.
    fn admit(concurrency: &mut ConcurrencyLimit, now: Instant) -> bool {
        let admits = concurrency.permit(now, true) == Permit::Now;
        if admits {
            concurrency.begin(now);
        }
        admits
    }

    #[test]
    fn all_may_load_as_long_as_nothing_was_lost() {
        assert_eq!(ConcurrencyLimit::new(8).allowed(Instant::now()), 8);
    }

    #[test]
    fn after_a_loss_one_may_and_with_each_step_one_more() {
        let (mut concurrency, began) = (ConcurrencyLimit::new(8), Instant::now());
        concurrency.restart(began);
        let allowed: Vec<usize> = (0..9).map(|step| concurrency.allowed(began + step * STEP)).collect();
        assert_eq!(allowed, [1, 2, 3, 4, 5, 6, 7, 8, 8]);
        assert_eq!(concurrency.began, None);
    }

    #[test]
    fn another_loss_on_the_way_up_changes_nothing_and_one_after_it_does() {
        let (mut concurrency, began) = (ConcurrencyLimit::new(8), Instant::now());
        concurrency.restart(began);
        concurrency.restart(began + 3 * STEP);
        assert_eq!(concurrency.allowed(began + 3 * STEP), 4);
        concurrency.restart(began + 20 * STEP);
        assert_eq!(concurrency.allowed(began + 20 * STEP), 1);
    }

    #[test]
    fn loads_from_before_the_loss_count() {
        let (mut concurrency, began) = (ConcurrencyLimit::new(4), Instant::now());
        assert!(admit(&mut concurrency, began) && admit(&mut concurrency, began));
        concurrency.restart(began);
        assert!(!admit(&mut concurrency, began) && !admit(&mut concurrency, began + STEP));
        assert!(admit(&mut concurrency, began + 2 * STEP));
    }

    #[test]
    fn who_waits_for_a_step_is_told_when_it_comes() {
        let (mut concurrency, began) = (ConcurrencyLimit::new(4), Instant::now());
        concurrency.restart(began);
        concurrency.begin(began);
        let at = began + STEP;
        assert_eq!(concurrency.permit(began + 10 * MS, true), Permit::At(at));
        assert_eq!(concurrency.permit(at, true), Permit::Now);
        concurrency.end();
        assert_eq!(concurrency.permit(began, true), Permit::Now);
    }

    #[test]
    fn where_the_way_up_ends_while_all_load_one_more_waits_for_one_of_them() {
        let (mut concurrency, began) = (ConcurrencyLimit::new(2), Instant::now());
        assert!(admit(&mut concurrency, began) && admit(&mut concurrency, began));
        concurrency.restart(began);
        assert_eq!(concurrency.permit(began, false), Permit::At(began + STEP));
        assert_eq!(concurrency.permit(began + STEP, false), Permit::Freed);
    }

    #[test]
    fn nobody_waits_where_nobody_loads() {
        let (mut concurrency, now) = (ConcurrencyLimit::new(4), Instant::now());
        assert_eq!(concurrency.permit(now, false), Permit::Now);
        concurrency.begin(now);
        concurrency.done(now, Some(MS));
        assert_eq!(concurrency.permit(now + MS, false), Permit::Now);
    }

    #[test]
    fn what_waits_is_left_to_the_one_that_loads_until_that_takes_long() {
        let (mut concurrency, began) = (ConcurrencyLimit::new(4), Instant::now());
        concurrency.begin(began);
        let at = began + PATIENCE_MIN;
        assert_eq!(concurrency.permit(began, false), Permit::At(at));
        assert_eq!(concurrency.permit(at, false), Permit::Now);
        concurrency.begin(at);
        assert_eq!(concurrency.permit(at, false), Permit::At(at + PATIENCE_MIN), "the youngest counts");
    }

    #[test]
    fn what_is_worth_a_statement_waits_for_nobody_but_a_connection() {
        let (mut concurrency, now) = (ConcurrencyLimit::new(2), Instant::now());
        concurrency.begin(now);
        assert_eq!(concurrency.permit(now, true), Permit::Now);
        concurrency.begin(now);
        assert_eq!(concurrency.permit(now, true), Permit::Freed);
    }

    #[test]
    fn patience_follows_what_statements_take_within_its_limits() {
        let (mut concurrency, mut now) = (ConcurrencyLimit::new(2), Instant::now());
        for (took, patience) in [
            (Duration::from_micros(700), Duration::from_micros(1400)),
            (Duration::from_secs(3), PATIENCE_MAX),
            (Duration::ZERO, PATIENCE_MIN),
        ] {
            for _ in 0..100 {
                concurrency.begin(now);
                concurrency.done(now, Some(took));
                now += took;
            }
            let off = concurrency.patience().abs_diff(patience);
            assert!(off < Duration::from_micros(10), "{:?} for {took:?}", concurrency.patience());
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u64),
        ByPostgres(bool),
        Finish(usize),
        Lose,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u64..3000).prop_map(Step::Wait),
            4 => any::<bool>().prop_map(Step::ByPostgres),
            3 => any::<usize>().prop_map(Step::Finish),
            1 => Just(Step::Lose),
        ]
    }

    proptest! {
        #[test]
        fn the_way_up_never_goes_down_and_ends_in_time(
            pool_size in 1usize..2000,
            mut times in prop::collection::vec(0u64..3000, 1..50),
        ) {
            times.sort_unstable();
            let (mut concurrency, began) = (ConcurrencyLimit::new(pool_size), Instant::now());
            concurrency.restart(began);
            let mut last = 1;
            for ms in times {
                let allowed = concurrency.allowed(began + Duration::from_millis(ms));
                prop_assert!(allowed >= last && allowed <= pool_size);
                last = allowed;
            }
            let steps = u32::try_from(STEPS).unwrap_or(u32::MAX);
            prop_assert_eq!(concurrency.allowed(began + steps * STEP), pool_size);
        }

        /// Whatever happens: no more load than there are connections; whoever is told to come later may load by then, unless
        /// all connections do, and that is soon; without a loss nobody is put off for longer than the longest patience.
        #[test]
        fn nobody_is_put_off_for_ever(
            pool_size in 1usize..20,
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let (mut concurrency, mut now, mut loads) = (ConcurrencyLimit::new(pool_size), Instant::now(), vec![]);
            for step in steps {
                match step {
                    Step::Wait(us) => now += Duration::from_micros(us),
                    Step::Lose => concurrency.restart(now),
                    Step::Finish(pick) if !loads.is_empty() => {
                        let began = loads.remove(pick % loads.len());
                        concurrency.done(began, Some(now - began));
                    }
                    Step::Finish(_) => {}
                    Step::ByPostgres(is_enough) => match concurrency.permit(now, is_enough) {
                        Permit::Now => {
                            concurrency.begin(now);
                            loads.push(now);
                        }
                        Permit::At(at) => {
                            let longest = if concurrency.is_restrained(now) { STEP } else { PATIENCE_MAX };
                            prop_assert!(!loads.is_empty(), "a connection is idle");
                            prop_assert!(at > now && at <= now + longest);
                            let mut later = ConcurrencyLimit { under_way: concurrency.under_way.clone(), ..concurrency };
                            let is_kept = match later.permit(at, is_enough) {
                                Permit::Now => true,
                                Permit::At(_) => later.is_restrained(at),
                                Permit::Freed => loads.len() == pool_size,
                            };
                            prop_assert!(is_kept);
                        }
                        Permit::Freed => prop_assert_eq!(loads.len(), pool_size),
                    },
                }
                prop_assert!(loads.len() <= pool_size);
                prop_assert_eq!(concurrency.under_way.len(), loads.len());
            }
        }
    }
}
