//! Histograms as Prometheus has them: durations in fixed buckets.

use prometheus::proto::{self, Bucket};

/// The buckets' upper bounds in microseconds, those included: 10 µs to 10 s.
const BOUNDS_US: [u64; 16] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// Durations.
#[derive(Debug, Default, Clone)]
pub struct Histogram {
    /// How many fell into each bucket; the last is for those beyond the last bound.
    counts: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(&mut self, us: u64) {
        // Hits fall into the first one or two, so that no search is quicker than this.
        let place = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// As the page takes it, in seconds.
    pub fn sample(&self) -> proto::Histogram {
        let mut sum = 0;
        let buckets = BOUNDS_US.into_iter().zip(self.counts).map(|(bound, count)| {
            sum += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(seconds(bound));
            bucket.set_cumulative_count(sum);
            bucket
        });
        let mut sample = proto::Histogram::default();
        sample.set_bucket(buckets.collect());
        sample.set_sample_count(self.counts.iter().sum());
        sample.set_sample_sum(seconds(self.sum_us));
        sample
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_has_room_for_it() {
        let mut histogram = Histogram::default();
        [0, 10, 11, 10_000_000, 10_000_001, u64::MAX].into_iter().for_each(|us| histogram.observe(us));
        let sample = histogram.sample();
        let told: Vec<u64> = sample.get_bucket().iter().map(Bucket::cumulative_count).collect();
        assert_eq!((&told[..2], told[14], told[15]), (&[2, 3][..], 3, 4));
        assert_eq!((sample.get_sample_count(), told.len()), (6, 16));
    }

    #[test]
    fn bounds_are_seconds_in_order() {
        let sample = Histogram::default().sample();
        let bounds: Vec<f64> = sample.get_bucket().iter().map(Bucket::upper_bound).collect();
        assert_eq!((bounds.first(), bounds.last()), (Some(&0.00001), Some(&10.0)));
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
