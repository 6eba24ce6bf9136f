//! What one thing was, one state after the other.

use super::clock::Nanos;

/// A state that began between two moments, and lasts until the next one.
#[derive(Debug, Clone, Copy)]
pub struct Span<S> {
    /// The state.
    pub state: S,
    /// Not in force before.
    pub began: Nanos,
    /// In force since, at the latest.
    pub returned: Nanos,
    /// How much later it may be told.
    pub slack: Nanos,
}

/// The states of one thing, in order.
#[derive(Debug, Clone)]
pub struct Timeline<S> {
    spans: Vec<Span<S>>,
}

impl<S: Copy + PartialEq> Timeline<S> {
    /// Of states in any order. Panics when two of them overlap: then nobody knows which one came first.
    pub fn new(mut spans: Vec<Span<S>>) -> Self {
        spans.sort_by_key(|span| span.began);
        for pair in spans.windows(2) {
            assert!(pair[0].returned <= pair[1].began, "the history is none: changes of one thing overlap");
        }
        Self { spans }
    }

    /// The state of this number.
    pub fn span(&self, index: usize) -> &Span<S> {
        &self.spans[index]
    }

    /// The last state that equals `state` and can have been seen by `until`.
    pub fn latest(&self, state: S, until: Nanos) -> Option<usize> {
        self.spans[..self.begun(until)].iter().rposition(|span| span.state == state)
    }

    /// The first such state from number `floor` on.
    pub fn earliest(&self, state: S, floor: usize, until: Nanos) -> Option<usize> {
        let spans = self.spans.get(floor..self.begun(until))?;
        spans.iter().position(|span| span.state == state).map(|index| index + floor)
    }

    /// The last state that was certainly in force at `moment`.
    pub fn in_force(&self, moment: Nanos) -> Option<usize> {
        self.spans.partition_point(|span| span.returned <= moment).checked_sub(1)
    }

    /// For how long state number `index` had been out of date at `moment`, and since when. A change that may be told later
    /// counts from then on, or with the next one that may not.
    pub fn age(&self, index: usize, moment: Nanos) -> Option<(Nanos, Nanos)> {
        let newer = self.spans.get(index + 1..)?;
        let prompt = newer.iter().position(|span| span.slack == 0).map_or(newer.len(), |at| at + 1);
        let ended = newer[..prompt].iter().map(|span| span.returned + span.slack).min()?;
        (moment > ended).then(|| (moment - ended, ended))
    }

    fn begun(&self, until: Nanos) -> usize {
        self.spans.partition_point(|span| span.began <= until)
    }
}
