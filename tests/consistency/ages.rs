//! Ages, and how they are spread.

use super::clock::{milliseconds, Nanos};

/// Ages, sorted.
#[derive(Debug, Default, Clone)]
pub struct Ages(Vec<Nanos>);

impl Ages {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds: the age that so many of a hundred do not exceed; 0 when there is none.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.count() as f64 * percent / 100.0).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).map_or(0.0, |age| milliseconds(*age))
    }

    /// In milliseconds.
    pub fn max(&self) -> f64 {
        self.percentile(100.0)
    }

    /// Those of several rounds together.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_unstable();
    }
}

impl FromIterator<Nanos> for Ages {
    fn from_iter<I: IntoIterator<Item = Nanos>>(ages: I) -> Self {
        let mut ages: Vec<Nanos> = ages.into_iter().collect();
        ages.sort_unstable();
        Self(ages)
    }
}
