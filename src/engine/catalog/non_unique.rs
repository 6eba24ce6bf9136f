//! Entries of a watched table that no unique key names. Any change of the table may be about them, so
//! they have an epoch of their own, which each change ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// One table's entries that no unique key names.
#[derive(Debug)]
pub struct NonUnique {
    /// What their cache keys start with, up to the epoch: `pg_cache:users`.
    stem: Box<str>,
    epoch: Cell<u64>,
    prefix: RefCell<Rc<[u8]>>,
    is_used: Cell<bool>,
}

impl NonUnique {
    /// A new epoch, later than `last`: what earlier runs of the server stored is not found.
    pub fn new(stem: &str, last: u64, now_ms: u64) -> Self {
        let epoch = next(last, now_ms);
        Self {
            stem: stem.into(),
            epoch: Cell::new(epoch),
            prefix: RefCell::new(prefix(stem, epoch)),
            is_used: Cell::new(false),
        }
    }

    /// Appends the prefix of the cache keys of such entries.
    pub fn write_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix.borrow());
    }

    /// The cache key of an entry that is to be stored.
    pub fn key_of(&self, lookup_key: &[u8]) -> Vec<u8> {
        self.set_used();
        [&self.prefix.borrow(), lookup_key].concat()
    }

    /// An entry of this epoch may be stored.
    pub fn set_used(&self) {
        self.is_used.set(true);
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    /// Whether `key` is one of them.
    pub fn owns(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix.borrow())
    }

    /// How long the part of a cache key before the lookup key is.
    pub fn prefix_len(&self) -> usize {
        self.prefix.borrow().len()
    }

    /// Ends the epoch, if there may be an entry of it. Says whether it did.
    pub fn drop_all(&self, now_ms: u64) -> bool {
        if self.is_used.take() {
            let epoch = next(self.epoch.get(), now_ms);
            self.epoch.set(epoch);
            self.prefix.replace(prefix(&self.stem, epoch));
            return true;
        }
        false
    }
}

/// The time, but always later than `last`.
fn next(last: u64, now_ms: u64) -> u64 {
    now_ms.max(last + 1)
}

fn prefix(stem: &str, epoch: u64) -> Rc<[u8]> {
    Rc::from(format!("{stem}@{epoch}:").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_ends_the_generation_once_it_was_used() {
        let non_unique = NonUnique::new("pg_cache:users", 0, 5);
        assert!(!non_unique.drop_all(5));
        let prefix = || {
            let mut prefix = Vec::new();
            non_unique.write_prefix(&mut prefix);
            prefix
        };
        let first = prefix();
        non_unique.set_used();
        assert!(non_unique.drop_all(5) && !non_unique.drop_all(5));
        assert_ne!(first, prefix());
        assert!(non_unique.owns(&[prefix(), b"{}".to_vec()].concat()) && !non_unique.owns(&first));
    }

    #[test]
    fn a_generation_is_later_than_the_last_whatever_the_clock_says() {
        assert_eq!(NonUnique::new("t", u64::MAX - 1, 5).epoch(), u64::MAX);
    }
}
