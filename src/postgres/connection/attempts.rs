//! Attempts to connect: which ones are under way, and while a source is down, when the next one is due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The pauses before the first attempts of an outage, where the ones before fail at once.
const FIRST_PAUSES: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(200)];
/// Later attempts begin so far apart, whether the ones before have ended or not.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause while PostgreSQL is about to come, and for how long of an outage that is believed.
const NEAR_PAUSE: Duration = Duration::from_millis(100);
const NEAR_FOR: Duration = Duration::from_secs(60);

/// The attempts to connect to one source.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// When those began that have not ended, by number.
    under_way: BTreeMap<u64, Instant>,
    next: u64,
    /// When the last one began.
    last: Option<Instant>,
    outage: Option<Outage>,
}

/// What is known of attempts while the source is down.
#[derive(Debug)]
struct Outage {
    began: Instant,
    /// How many have begun since.
    attempts: usize,
    /// Whether nobody listens, or PostgreSQL says that it is starting: what costs it next to nothing may be tried often.
    is_near: bool,
}

impl Attempts {
    /// One begins. Returns its number.
    pub(crate) fn begin(&mut self, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.under_way.insert(number, now);
        self.last = Some(now);
        self.outage.iter_mut().for_each(|outage| outage.attempts += 1);
        number
    }

    /// The one with this number ended.
    pub(crate) fn end(&mut self, number: u64) {
        self.under_way.remove(&number);
    }

    /// When the oldest that is under way began.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.under_way.values().next().copied()
    }

    /// One failed, or nothing answers any more: the source is down. `is_near` says whether it may be back in a moment.
    pub(crate) fn failed(&mut self, now: Instant, is_near: bool) {
        match &mut self.outage {
            Some(outage) => outage.is_near = is_near,
            None => self.outage = Some(Outage { began: now, attempts: 0, is_near }),
        }
    }

    /// The source answers.
    pub(crate) fn succeeded(&mut self) {
        self.outage = None;
    }

    /// When the next one may begin; `None`: at any time.
    pub(crate) fn due(&self) -> Option<Instant> {
        let outage = self.outage.as_ref()?;
        let last = self.last.map_or(outage.began, |last| last.max(outage.began));
        Some(last + self.pause(outage, last))
    }

    fn pause(&self, outage: &Outage, last: Instant) -> Duration {
        if !self.under_way.is_empty() {
            return PAUSE;
        }
        let is_near = outage.is_near && last.saturating_duration_since(outage.began) < NEAR_FOR;
        let pause = if is_near { NEAR_PAUSE } else { PAUSE };
        FIRST_PAUSES.get(outage.attempts).map_or(pause, |first| pause.min(*first))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The pauses between attempts that each fail at once.
    fn pauses(is_near: bool, count: usize) -> Vec<u128> {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        attempts.failed(now, is_near);
        let mut pauses = Vec::new();
        for _ in 0..count {
            let due = attempts.due().unwrap();
            pauses.push((due - now).as_millis());
            now = due;
            let number = attempts.begin(now);
            attempts.end(number);
            attempts.failed(now, is_near);
        }
        pauses
    }

    #[test]
    fn the_first_attempts_of_an_outage_come_soon() {
        assert_eq!(pauses(false, 5), [10, 50, 200, 1000, 1000]);
    }

    #[test]
    fn what_is_about_to_come_is_tried_often_for_a_while() {
        assert_eq!(pauses(true, 5), [10, 50, 100, 100, 100]);
        assert_eq!(pauses(true, 700).last(), Some(&1000));
    }

    #[test]
    fn an_attempt_without_an_end_does_not_hold_up_the_next() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        assert_eq!(attempts.due(), None);
        let stuck = attempts.begin(now);
        attempts.failed(now, false);
        assert_eq!((attempts.oldest(), attempts.due()), (Some(now), Some(now + PAUSE)));
        attempts.end(stuck);
        assert_eq!(attempts.due(), Some(now + 10 * MS));
        attempts.succeeded();
        assert_eq!(attempts.due(), None);
    }
}
