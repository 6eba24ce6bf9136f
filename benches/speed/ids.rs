//! Which rows are asked for.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::stage::ROWS;

/// Every row once, in an order that has nothing to do with where it lies.
#[derive(Default)]
pub struct Shuffled(AtomicU32);

impl Shuffled {
    /// The next row's number. Any number of threads may ask.
    pub fn next(&self) -> u32 {
        let index = self.0.fetch_add(1, Ordering::Relaxed) % ROWS;
        // Without a common divisor with the number of rows, so that no row comes twice.
        (u64::from(index) * 618_033 % u64::from(ROWS)) as u32
    }
}

/// Rows by Zipf's law with exponent 1: the second half as often as the first, the third a third as often.
pub struct Zipf {
    /// How much of all the weight stands at or before each rank.
    shares: Vec<f64>,
}

impl Zipf {
    /// Over all rows; a row's number is its rank.
    pub fn new() -> Self {
        let mut sum = 0.0;
        let mut shares: Vec<f64> = (1..=ROWS)
            .map(|rank| {
                sum += 1.0 / f64::from(rank);
                sum
            })
            .collect();
        shares.iter_mut().for_each(|share| *share /= sum);
        Self { shares }
    }

    /// A row's number.
    pub fn draw(&self, random: &mut fastrand::Rng) -> u32 {
        let share = random.f64();
        self.shares.partition_point(|upto| *upto < share) as u32
    }

    /// How many rows, the most wanted ones, get this share of all reads.
    pub fn rows_for(&self, share: f64) -> u32 {
        self.shares.partition_point(|upto| *upto < share) as u32
    }
}
