//! Rates: how much happened in the last second and in the last minute.

const SECONDS: usize = 60;

/// Counts of the last minute, second by second.
#[derive(Debug)]
pub struct Rate {
    counts: [u64; SECONDS],
    /// The second that is being counted.
    now_s: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { counts: [0; SECONDS], now_s: 0 }
    }
}

impl Rate {
    /// One more in second `now_s` of a clock that only goes forward.
    pub fn add(&mut self, now_s: u64) {
        self.go_to(now_s);
        if let Some(count) = self.counts.get_mut(place(now_s)) {
            *count += 1;
        }
    }

    /// How many there were in the last whole second, and on average in the last 59 of them.
    pub fn per_second(&mut self, now_s: u64) -> (u64, f64) {
        self.go_to(now_s);
        let current = self.counts.get(place(now_s)).copied().unwrap_or_default();
        let last = now_s.checked_sub(1).and_then(|last| self.counts.get(place(last)).copied());
        let whole: u64 = self.counts.iter().sum::<u64>() - current;
        (last.unwrap_or_default(), whole as f64 / (SECONDS - 1) as f64)
    }

    /// Forgets the seconds that have passed since.
    fn go_to(&mut self, now_s: u64) {
        let passed = now_s.saturating_sub(self.now_s).min(SECONDS as u64);
        for back in 0..passed {
            if let Some(count) = self.counts.get_mut(place(now_s - back)) {
                *count = 0;
            }
        }
        self.now_s = self.now_s.max(now_s);
    }
}

fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_second_and_the_last_minute_count() {
        let mut rate = Rate::default();
        (0..118).for_each(|_| rate.add(100));
        assert_eq!(rate.per_second(100), (0, 0.0), "the second is not over");
        assert_eq!(rate.per_second(101), (118, 2.0));
        assert_eq!(rate.per_second(102), (0, 2.0));
        assert_eq!(rate.per_second(159), (0, 2.0));
        assert_eq!(rate.per_second(160), (0, 0.0));
    }

    #[test]
    fn a_long_silence_leaves_nothing() {
        let mut rate = Rate::default();
        (0..60).for_each(|second| rate.add(second));
        assert_eq!(rate.per_second(100_000), (0, 0.0));
    }
}
