//! All sets of keys, some of them far more popular than the others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use super::key::Key;
use super::key_set::{KeySet, Place};
use super::row::Row;

/// How many key sets there are.
pub const KEY_SETS: u32 = 400;
/// How many of them get half of all reads and writes.
const POPULAR: u32 = 20;

/// Every key set, and the numbers of versions.
pub struct KeySets {
    sets: Vec<Mutex<KeySet>>,
    versions: AtomicU32,
}

impl KeySets {
    /// With a row or two in each key set.
    pub fn new() -> Self {
        let key_sets = Self {
            sets: (0..KEY_SETS).map(|number| Mutex::new(KeySet::new(number))).collect(),
            versions: AtomicU32::new(1),
        };
        for (number, mut set) in key_sets.all().into_iter().enumerate() {
            for slot in 0..=number % 2 {
                set.rows[slot] = Some(key_sets.row(set.id(slot), set.free_emails()[0]));
            }
        }
        key_sets
    }

    /// A version that never was.
    pub fn row(&self, id: u32, email: u32) -> Row {
        Row { id, email, version: self.versions.fetch_add(1, Ordering::Relaxed) }
    }

    /// Some key set that nobody is changing, if one was found soon.
    pub fn take(&self, rng: &mut fastrand::Rng) -> Option<Place<'_>> {
        (0..20).find_map(|_| self.sets[number(rng) as usize].try_lock().ok())
    }

    /// All key sets, once each is free.
    pub fn all(&self) -> Vec<Place<'_>> {
        self.sets.iter().map(|set| set.lock().unwrap()).collect()
    }
}

/// Some key set.
fn number(rng: &mut fastrand::Rng) -> u32 {
    let sets = if rng.bool() { POPULAR } else { KEY_SETS };
    rng.u32(..sets)
}

/// Some key, of the key sets that writers prefer too.
pub fn some_key(rng: &mut fastrand::Rng) -> Key {
    let keys: Vec<Key> = KeySet::keys(number(rng)).collect();
    keys[rng.usize(..keys.len())]
}

/// Every key.
pub fn all_keys() -> impl Iterator<Item = Key> {
    (0..KEY_SETS).flat_map(KeySet::keys)
}
