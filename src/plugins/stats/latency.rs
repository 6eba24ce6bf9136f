//! Latencies: how long something took, as percentiles.

use hdrhistogram::Histogram;

/// The longest time that is told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;
/// How many digits of a time are kept.
const DIGITS: u8 = 2;

/// Times below this many microseconds, which hits take, are counted one by one first: that costs an addition.
const SHORT_US: usize = 128;

/// Times in microseconds. Takes up to 26 kB once something was recorded.
#[derive(Debug, Default, Clone)]
pub struct Latency {
    /// How many took so many microseconds; empty before the first.
    short: Vec<u64>,
    /// The others.
    long: Option<Histogram<u64>>,
    sum_us: u64,
}

/// What is told of times, in microseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    /// How many there were.
    pub count: u64,
    /// Their average.
    pub average_us: u64,
    /// Half of them were no longer.
    pub p50_us: u64,
    /// 95 in 100 were no longer.
    pub p95_us: u64,
    /// 99 in 100 were no longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Latency {
    /// Adds a time.
    pub fn record(&mut self, us: u64) {
        self.sum_us = self.sum_us.saturating_add(us);
        match self.short.get_mut(us as usize) {
            Some(count) => *count += 1,
            None => self.record_further(us),
        }
    }

    fn record_further(&mut self, us: u64) {
        if self.short.is_empty() {
            self.short = vec![0; SHORT_US];
        }
        match self.short.get_mut(us as usize) {
            Some(count) => *count += 1,
            None => {
                if let Some(long) = self.long() {
                    long.saturating_record(us);
                }
            }
        }
    }

    fn long(&mut self) -> Option<&mut Histogram<u64>> {
        if self.long.is_none() {
            // The bounds are right, so it is made.
            self.long = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok();
        }
        self.long.as_mut()
    }

    /// The times of several together.
    pub fn of_all<'l>(parts: impl IntoIterator<Item = &'l Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.short.resize(all.short.len().max(part.short.len()), 0);
            all.short.iter_mut().zip(&part.short).for_each(|(sum, count)| *sum += count);
            match (&mut all.long, &part.long) {
                (Some(long), Some(further)) => drop(long.add(further)), // of the same bounds
                (long @ None, further) => long.clone_from(further),
                (_, None) => {}
            }
            all.sum_us = all.sum_us.saturating_add(part.sum_us);
        }
        all
    }

    /// Those that were added since it stood at `earlier`; all of them when it has begun anew since.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        let has_all = |(now, before): (&u64, &u64)| now >= before;
        let mut goes_on = self.short.len() >= earlier.short.len() && self.short.iter().zip(&earlier.short).all(has_all);
        match (&mut since.long, &earlier.long) {
            (Some(long), Some(before)) => goes_on &= long.subtract(before).is_ok(),
            (None, Some(_)) => goes_on = false,
            (_, None) => {}
        }
        if !goes_on {
            return self.clone();
        }
        since.short.iter_mut().zip(&earlier.short).for_each(|(now, before)| *now -= before);
        since.sum_us = self.sum_us.saturating_sub(earlier.sum_us);
        since
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.short.iter().sum::<u64>() + self.long.as_ref().map_or(0, Histogram::len)
    }

    /// How long all of them took together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// How many took no longer than each of `bounds_us`, which ascend, and longer than the bound before.
    pub fn counts_up_to<const N: usize>(&self, bounds_us: [u64; N]) -> [u64; N] {
        let mut counts = [0; N];
        let mut add = |us: u64, count: u64| {
            let place = bounds_us.partition_point(|bound| *bound < us);
            if let Some(sum) = counts.get_mut(place) {
                *sum += count;
            }
        };
        self.short.iter().enumerate().for_each(|(us, count)| add(us as u64, *count));
        if let Some(long) = &self.long {
            let times = long.iter_recorded();
            times.for_each(|time| add(long.lowest_equivalent(time.value_iterated_to()), time.count_at_value()));
        }
        counts
    }

    /// What there is to tell.
    pub fn percentiles(&self) -> Percentiles {
        if self.short.is_empty() {
            return Percentiles::default();
        }
        let mut whole = self.clone();
        let short = std::mem::take(&mut whole.short);
        let Some(times) = whole.long() else { return Percentiles::default() };
        for (us, count) in short.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            times.saturating_record_n(us as u64, count);
        }
        let at = |percentile| times.value_at_percentile(percentile);
        Percentiles {
            count: times.len(),
            average_us: self.sum_us.checked_div(times.len()).unwrap_or_default(),
            p50_us: at(50.0),
            p95_us: at(95.0),
            p99_us: at(99.0),
            max_us: times.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_two_digits() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentiles(), Percentiles::default());
        (1..=1000).for_each(|us| latency.record(us));
        let told = latency.percentiles();
        assert_eq!((told.count, told.average_us), (1000, 500));
        for (value, wanted) in [(told.p50_us, 500), (told.p95_us, 950), (told.p99_us, 990), (told.max_us, 1000)] {
            assert!(value.abs_diff(wanted) <= wanted / 100 + 1, "{value} for {wanted}");
        }
    }

    #[test]
    fn times_of_several_are_told_together() {
        let of = |times: &[u64]| {
            let mut latency = Latency::default();
            times.iter().for_each(|us| latency.record(*us));
            latency
        };
        let parts = [of(&[]), of(&[1, 2]), of(&[]), of(&[3, 100])];
        assert_eq!(Latency::of_all(parts.iter()).percentiles(), of(&[1, 2, 3, 100]).percentiles());
        assert_eq!(Latency::of_all([].iter()).percentiles(), Percentiles::default());
    }

    #[test]
    fn what_came_since_is_told_by_itself() {
        let mut latency = Latency::default();
        [3, 500, 70_000].iter().for_each(|us| latency.record(*us));
        let earlier = latency.clone();
        assert_eq!(latency.since(&earlier).percentiles().count, 0);
        [5, 5, 900].iter().for_each(|us| latency.record(*us));
        let told = latency.since(&earlier).percentiles();
        assert_eq!((told.count, told.p50_us, told.average_us), (3, 5, 303));
        assert!(told.max_us.abs_diff(900) <= 9, "{told:?}");
        // One that has begun anew says what it has.
        let mut anew = Latency::default();
        anew.record(9);
        assert_eq!(anew.since(&latency).percentiles(), anew.percentiles());
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        let mut latency = Latency::default();
        latency.record(0);
        latency.record(u64::MAX);
        assert_eq!(latency.percentiles().count, 2);
    }
}
