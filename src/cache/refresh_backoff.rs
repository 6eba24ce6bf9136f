//! Backoff: a key whose refresh failed is not refreshed again for a while.

use std::collections::hash_map::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// How long a key rests.
const REST_MS: u64 = 1_000;
/// Most keys that rest; while there are so many, every key does.
const MAX_RESTING: usize = 65_536;

/// Keys whose refresh has failed: without a rest each hit would try again, as fast as PostgreSQL refuses.
///
/// Kept as hashes; that two share one means a second's rest for nothing.
#[derive(Debug, Default)]
pub struct RefreshBackoff {
    until_ms: HashMap<u64, u64>,
    hasher: RandomState,
}

impl RefreshBackoff {
    /// Lets `key` rest from `now_ms` on, on a clock that only goes forward.
    pub fn add(&mut self, key: &[u8], now_ms: u64) {
        if self.until_ms.len() >= MAX_RESTING {
            self.until_ms.retain(|_, until_ms| *until_ms > now_ms);
        }
        if self.until_ms.len() < MAX_RESTING {
            self.until_ms.insert(self.hasher.hash_one(key), now_ms + REST_MS);
        }
    }

    /// Whether `key` rests at `now_ms`.
    pub fn holds(&mut self, key: &[u8], now_ms: u64) -> bool {
        if self.until_ms.len() >= MAX_RESTING {
            self.until_ms.retain(|_, until_ms| *until_ms > now_ms);
            return self.until_ms.len() >= MAX_RESTING || self.holds(key, now_ms);
        }
        if self.until_ms.is_empty() {
            return false;
        }
        let hash = self.hasher.hash_one(key);
        match self.until_ms.get(&hash) {
            Some(until_ms) if *until_ms > now_ms => true,
            Some(_) => {
                self.until_ms.remove(&hash);
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_rests_for_a_second_and_others_do_not() {
        let mut resting = RefreshBackoff::default();
        resting.add(b"a", 10);
        assert!(resting.holds(b"a", 10 + REST_MS - 1) && !resting.holds(b"b", 10));
        assert!(!resting.holds(b"a", 10 + REST_MS));
        assert!(resting.until_ms.is_empty());
    }

    #[test]
    fn too_many_make_all_rest_until_they_are_done() {
        let mut resting = RefreshBackoff::default();
        for n in 0..=MAX_RESTING {
            resting.add(&n.to_le_bytes(), 0);
        }
        assert!(resting.until_ms.len() <= MAX_RESTING && resting.holds(b"another", 1));
        assert!(!resting.holds(b"another", REST_MS));
    }
}
