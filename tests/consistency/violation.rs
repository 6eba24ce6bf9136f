//! What must never happen.

use std::collections::BTreeMap;

/// How many of a kind are told in full.
const TOLD: usize = 5;

/// A kind of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A read is older than what the same server had answered before it was asked (M1).
    OlderThanSeen,
    /// A read is older than what INVALIDATE had acknowledged before it was asked (M1).
    OlderThanAcknowledged,
    /// For one reader a key went backwards (M4).
    Backwards,
    /// A row that is not one version's (M5).
    Torn,
    /// A state that was never committed (M5).
    Invented,
    /// Out of date for longer than the contract allows (M2).
    TooStale,
    /// Nil for longer than that after a row was committed (M6).
    NilTooStale,
    /// The table's old definition for longer than that.
    DefinitionTooStale,
    /// Still out of date once writers had stopped and faults were healed (M3).
    PermanentlyStale,
}

/// All that were found.
#[derive(Debug, Default, Clone)]
pub struct Violations {
    found: BTreeMap<Violation, (usize, Vec<String>)>,
}

impl Violations {
    /// One more; `tell` says what happened.
    pub fn add(&mut self, violation: Violation, tell: impl FnOnce() -> String) {
        let (count, told) = self.found.entry(violation).or_default();
        *count += 1;
        if told.len() < TOLD {
            told.push(tell());
        }
    }

    /// How many of this kind.
    pub fn count(&self, violation: Violation) -> usize {
        self.found.get(&violation).map_or(0, |(count, _)| *count)
    }

    /// The kinds that were found.
    pub fn kinds(&self) -> impl Iterator<Item = Violation> + '_ {
        self.found.keys().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Those of another judgement as well.
    pub fn merge(&mut self, other: Self) {
        for (violation, (count, told)) in other.found {
            let mine = self.found.entry(violation).or_default();
            mine.0 += count;
            let room = TOLD.saturating_sub(mine.1.len());
            mine.1.extend(told.into_iter().take(room));
        }
    }

    /// A line for each kind and for each of those that are told in full.
    pub fn lines(&self) -> Vec<String> {
        let tell = |(violation, (count, told)): (&Violation, &(usize, Vec<String>))| {
            let head = format!("{violation:?}: {count}");
            std::iter::once(head).chain(told.iter().map(|line| format!("    {line}"))).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(tell).collect()
    }
}
