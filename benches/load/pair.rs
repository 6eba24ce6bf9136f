//! Pairs: two sides measured in turn, so that a machine whose speed varies from second to second does both the same.

use super::median;

/// What both sides came to.
#[derive(Clone, Copy)]
pub struct Pair {
    /// The median of our side.
    pub ours: f64,
    /// The median of the other side.
    pub theirs: f64,
    /// The median of each round's ours / theirs: what a change of speed between rounds does not touch.
    pub ratio: f64,
}

impl Pair {
    /// Measures both sides in each of `rounds`, every other time the other way round.
    pub fn of(rounds: usize, mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) -> Self {
        let pairs: Vec<(f64, f64)> = (0..rounds)
            .map(|round| {
                if round % 2 == 0 {
                    let theirs = theirs();
                    (ours(), theirs)
                } else {
                    let ours = ours();
                    (ours, theirs())
                }
            })
            .collect();
        Self::median(&pairs)
    }

    /// The medians of what was measured in pairs: ours, theirs.
    pub fn median(pairs: &[(f64, f64)]) -> Self {
        Self {
            ours: median(pairs.iter().map(|pair| pair.0)),
            theirs: median(pairs.iter().map(|pair| pair.1)),
            ratio: median(pairs.iter().map(|(ours, theirs)| ours / theirs)),
        }
    }

    /// Both in another unit: so many of it for each.
    pub fn times(self, factor: f64) -> Self {
        Self { ours: self.ours * factor, theirs: self.theirs * factor, ..self }
    }
}
