//! Ranges of slots: those of one migration, or of several.

use std::fmt;
use std::num::ParseIntError;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::slot::Slot;

/// Ranges of slots, in the order in which they came. Written as `0-99,200-200`; none of them is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotRanges(Vec<RangeInclusive<u16>>);

impl SlotRanges {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `slot` is in one of them.
    pub fn contains(&self, slot: Slot) -> bool {
        self.0.iter().any(|range| range.contains(&slot.0))
    }

    /// Adds those that are not there.
    pub fn add(&mut self, others: &Self) {
        let new: Vec<_> = others.0.iter().filter(|range| !self.0.contains(range)).cloned().collect();
        self.0.extend(new);
    }

    /// Takes these out, each as it was added.
    pub fn remove(&mut self, others: &Self) {
        self.0.retain(|range| !others.0.contains(range));
    }
}

impl FromIterator<RangeInclusive<u16>> for SlotRanges {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        Self(ranges.into_iter().collect())
    }
}

impl fmt::Display for SlotRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect();
        f.write_str(&ranges.join(","))
    }
}

impl FromStr for SlotRanges {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let range = |word: &str| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            Ok(first.parse()?..=last.parse()?)
        };
        text.split(',').filter(|word| !word.is_empty()).map(range).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> SlotRanges {
        text.parse().expect("these are ranges")
    }

    #[test]
    fn they_are_read_as_they_are_written() {
        for text in ["", "0-16383", "0-99,200-200"] {
            assert_eq!(of(text).to_string(), text);
        }
        assert!("1-x".parse::<SlotRanges>().is_err());
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        let ranges = of("5-7,9-9");
        let inside: Vec<u16> = (0..20).filter(|slot| ranges.contains(Slot(*slot))).collect();
        assert_eq!(inside, [5, 6, 7, 9]);
    }

    #[test]
    fn what_was_added_is_taken_out_again() {
        let mut ranges = of("1-2");
        ranges.add(&of("3-4,1-2"));
        assert_eq!(ranges.to_string(), "1-2,3-4");
        ranges.remove(&of("1-2,9-9"));
        assert_eq!(ranges.to_string(), "3-4");
    }
}
