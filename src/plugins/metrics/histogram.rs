//! Histograms as Prometheus has them: durations in fixed buckets.

use prometheus::proto::{Bucket, Histogram};

use crate::plugins::stats::latency::Latency;

/// The buckets' upper bounds in microseconds, those included: 10 µs to 10 s.
const BOUNDS_US: [u64; 16] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000,
];

/// A latency as the page takes it, in seconds. Bounds from 128 µs up are right to 1 %: that is how [`Latency`] tells times apart.
pub fn sample(latency: &Latency) -> Histogram {
    let mut sum = 0;
    let buckets = BOUNDS_US.into_iter().zip(latency.counts_up_to(BOUNDS_US)).map(|(bound, count)| {
        sum += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(seconds(bound));
        bucket.set_cumulative_count(sum);
        bucket
    });
    let mut sample = Histogram::default();
    sample.set_bucket(buckets.collect());
    sample.set_sample_count(latency.count());
    sample.set_sample_sum(seconds(latency.sum_us()));
    sample
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_has_room_for_it() {
        let mut latency = Latency::default();
        [0, 10, 11, 100, 128, 2_500, 10_000_000, 11_000_000, u64::MAX].into_iter().for_each(|us| latency.record(us));
        let sample = sample(&latency);
        let told: Vec<u64> = sample.get_bucket().iter().map(Bucket::cumulative_count).collect();
        assert_eq!(told, [2, 3, 3, 4, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7]);
        assert_eq!(sample.get_sample_count(), 9);
    }

    #[test]
    fn bounds_are_seconds_in_order() {
        let sample = sample(&Latency::default());
        let bounds: Vec<f64> = sample.get_bucket().iter().map(Bucket::upper_bound).collect();
        assert_eq!((bounds.len(), bounds.first(), bounds.last()), (16, Some(&0.00001), Some(&10.0)));
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
