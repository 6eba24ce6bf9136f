//! Comparing the known relations with the catalog: which are due, a few at a time.

use std::time::{Duration, Instant};

use crate::cdc::known::Known;

/// How often every relation is compared.
pub const PAUSE: Duration = Duration::from_secs(1);
/// How many are compared at a time: a few milliseconds' work for PostgreSQL, which other sessions may want to use.
const SLICE: usize = 100;

/// What is to be compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// What SQL may use beside relations, the first of each round, which is about so many of these.
    Vocabulary(usize),
    /// These relations, with their names.
    Relations(Vec<(u32, String)>),
}

/// A round of comparisons.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    began: Option<Instant>,
    left: Vec<(u32, String)>,
}

impl Comparison {
    /// What is due now, if anything. A round begins once a second, and at once when somebody is in a hurry: then what was compared
    /// already may have changed since.
    pub(crate) fn next(&mut self, known: &Known) -> Option<Due> {
        let is_due = self.left.is_empty() && self.began.is_none_or(|began| began.elapsed() >= PAUSE);
        if known.take_hurry() || is_due {
            self.began = Some(Instant::now());
            self.left = known.get();
            return Some(Due::Vocabulary(self.left.len()));
        }
        self.slice().map(Due::Relations)
    }

    fn slice(&mut self) -> Option<Vec<(u32, String)>> {
        let slice = self.left.split_off(self.left.len().saturating_sub(SLICE));
        (!slice.is_empty()).then_some(slice)
    }

    /// When the round began of which nothing is left, if there is one.
    pub(crate) fn done(&self) -> Option<Instant> {
        self.began.filter(|_| self.left.is_empty())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn known(count: u32) -> Known {
        let known = Known::default();
        known.set((0..count).map(|oid| (oid, format!("t{oid}"))).collect());
        known
    }

    /// The relations of the next slice; none when nothing is due.
    fn relations(comparison: &mut Comparison, known: &Known) -> usize {
        match comparison.next(known) {
            Some(Due::Relations(slice)) => slice.len(),
            Some(Due::Vocabulary(_)) => panic!("a round has begun"),
            None => 0,
        }
    }

    #[test]
    fn a_round_takes_every_relation_once() {
        let (known, mut comparison) = (known(SLICE as u32 * 2 + 7), Comparison::default());
        let mut seen = Vec::new();
        assert_eq!(comparison.next(&known), Some(Due::Vocabulary(SLICE * 2 + 7)));
        while let Some(Due::Relations(slice)) = comparison.next(&known) {
            assert!(slice.len() <= SLICE);
            assert_eq!(comparison.done().is_some(), seen.len() + slice.len() == SLICE * 2 + 7);
            seen.extend(slice.into_iter().map(|(oid, _)| oid));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..SLICE as u32 * 2 + 7).collect::<Vec<_>>());
    }

    #[test]
    fn whoever_is_in_a_hurry_starts_a_round() {
        let (known, mut comparison) = (known(3), Comparison::default());
        for _ in 0..2 {
            assert_eq!(comparison.next(&known), Some(Due::Vocabulary(3)));
            assert_eq!(relations(&mut comparison, &known), 3);
            assert_eq!(comparison.next(&known), None);
            known.hurry();
        }
    }

    #[test]
    fn without_relations_the_vocabulary_is_compared() {
        let mut comparison = Comparison::default();
        assert_eq!(comparison.done(), None);
        assert_eq!(comparison.next(&Known::default()), Some(Due::Vocabulary(0)));
        assert_eq!(comparison.next(&Known::default()), None);
        assert!(comparison.done().is_some());
    }
}
