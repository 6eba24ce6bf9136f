//! Aliases: spellings that only PostgreSQL could read, and the row's own key that each turned out to mean.
//!
//! An alias can be forgotten at any time at the price of one load. It is never wrong: which values are equal
//! does not change, and a row is stored under its own key only.

use std::collections::HashMap;

/// How many are kept before the memo starts anew.
const MAX_ALIASES: usize = 65_536;

/// A memo from cache keys as a client spelled them to the cache keys of the rows.
#[derive(Debug, Default)]
pub struct Aliases {
    own: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl Aliases {
    /// The row's own cache key for `as_written`.
    pub fn find(&self, as_written: &[u8]) -> Option<&[u8]> {
        self.own.get(as_written).map(AsRef::as_ref)
    }

    /// Remembers that `as_written` means `own`.
    pub fn remember(&mut self, as_written: &[u8], own: &[u8]) {
        if self.own.len() >= MAX_ALIASES {
            self.own.clear();
        }
        self.own.insert(as_written.into(), own.into());
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.own.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_memo_starts_anew() {
        let mut aliases = Aliases::default();
        for n in 0..=MAX_ALIASES {
            aliases.remember(&n.to_le_bytes(), b"own");
        }
        assert_eq!(aliases.find(&0usize.to_le_bytes()), None);
        assert_eq!(aliases.find(&MAX_ALIASES.to_le_bytes()), Some(&b"own"[..]));
    }
}
