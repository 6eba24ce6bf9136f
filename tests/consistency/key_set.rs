//! A key set: a few lookup keys that one writer at a time may change, so that their states have one order.

use std::sync::MutexGuard;

use super::clock::Nanos;
use super::history::Change;
use super::key::Key;
use super::row::Row;

/// How many ids a key set has.
pub const IDS: u32 = 2;
/// How many addresses: one is always free.
pub const EMAILS: u32 = 3;

/// A key set that nobody else can touch.
pub type Place<'w> = MutexGuard<'w, KeySet>;

/// What is stored under each id of a key set.
pub type Rows = [Option<Row>; IDS as usize];

/// Some ids and addresses; rows never leave their key set.
#[derive(Debug)]
pub struct KeySet {
    number: u32,
    /// What PostgreSQL has.
    pub rows: Rows,
}

impl KeySet {
    /// Without rows.
    pub fn new(number: u32) -> Self {
        Self { number, rows: Rows::default() }
    }

    /// Its ids.
    pub fn ids(&self) -> [u32; IDS as usize] {
        std::array::from_fn(|slot| self.id(slot))
    }

    /// The id of this place.
    pub fn id(&self, slot: usize) -> u32 {
        self.number * IDS + slot as u32
    }

    /// Its addresses.
    pub fn emails(&self) -> Vec<u32> {
        (self.number * EMAILS..(self.number + 1) * EMAILS).collect()
    }

    /// Addresses that no row has.
    pub fn free_emails(&self) -> Vec<u32> {
        let free = |email: &u32| self.rows.iter().flatten().all(|row| row.email != *email);
        self.emails().into_iter().filter(free).collect()
    }

    /// The keys of key set `number`.
    pub fn keys(number: u32) -> impl Iterator<Item = Key> {
        let ids = number * IDS..(number + 1) * IDS;
        let emails = number * EMAILS..(number + 1) * EMAILS;
        ids.clone().map(Key::Id).chain(ids.map(Key::Asked)).chain(emails.map(Key::Email))
    }

    /// What `key` leads to when these are the rows.
    pub fn state(rows: &Rows, key: Key) -> Option<Row> {
        rows.iter().flatten().find(|row| row.answers(key)).copied()
    }

    /// How every key of the key set began.
    pub fn beginning(&self) -> Vec<Change> {
        let state = |key| Self::state(&self.rows, key);
        Self::keys(self.number).map(|key| Change { key, state: state(key), began: 0, returned: 0, slack: 0 }).collect()
    }
}

/// A key set with what is to become of it.
pub struct Draft<'w> {
    /// The key set.
    pub set: Place<'w>,
    /// Its rows after the commit.
    pub rows: Rows,
}

impl Draft<'_> {
    /// It was committed: the key set is what was drafted. Returns what has changed, key by key.
    pub fn committed(&mut self, began: Nanos, returned: Nanos) -> Vec<Change> {
        let old = std::mem::replace(&mut self.set.rows, self.rows);
        let states = |key| (KeySet::state(&old, key), KeySet::state(&self.rows, key));
        let changed = KeySet::keys(self.set.number).filter(|key| states(*key).0 != states(*key).1);
        changed.map(|key| Change { key, state: states(key).1, began, returned, slack: 0 }).collect()
    }
}
