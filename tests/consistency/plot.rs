//! A plot: a few lookup keys that one writer at a time may change, so that their states have one order.

use std::sync::MutexGuard;

use super::clock::Nanos;
use super::history::Change;
use super::key::Key;
use super::row::Row;

/// How many ids a plot has.
pub const IDS: u32 = 2;
/// How many addresses: one is always free.
pub const EMAILS: u32 = 3;

/// A plot that nobody else can touch.
pub type Place<'w> = MutexGuard<'w, Plot>;

/// What is stored under each id of a plot.
pub type Rows = [Option<Row>; IDS as usize];

/// Some ids and addresses; rows never leave their plot.
#[derive(Debug)]
pub struct Plot {
    number: u32,
    /// What PostgreSQL has.
    pub rows: Rows,
}

impl Plot {
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

    /// The keys of plot `number`.
    pub fn keys(number: u32) -> impl Iterator<Item = Key> {
        let ids = number * IDS..(number + 1) * IDS;
        let emails = number * EMAILS..(number + 1) * EMAILS;
        ids.clone().map(Key::Id).chain(ids.map(Key::Asked)).chain(emails.map(Key::Email))
    }

    /// What `key` leads to when these are the rows.
    pub fn state(rows: &Rows, key: Key) -> Option<Row> {
        rows.iter().flatten().find(|row| row.answers(key)).copied()
    }

    /// How every key of the plot began.
    pub fn beginning(&self) -> Vec<Change> {
        let state = |key| Self::state(&self.rows, key);
        Self::keys(self.number).map(|key| Change { key, state: state(key), began: 0, returned: 0 }).collect()
    }
}

/// A plot with what is to become of it.
pub struct Draft<'w> {
    /// The plot.
    pub plot: Place<'w>,
    /// Its rows after the commit.
    pub rows: Rows,
}

impl Draft<'_> {
    /// It was committed: the plot is what was drafted. Returns what has changed, key by key.
    pub fn committed(&mut self, began: Nanos, returned: Nanos) -> Vec<Change> {
        let old = std::mem::replace(&mut self.plot.rows, self.rows);
        let states = |key| (Plot::state(&old, key), Plot::state(&self.rows, key));
        let changed = Plot::keys(self.plot.number).filter(|key| states(*key).0 != states(*key).1);
        changed.map(|key| Change { key, state: states(key).1, began, returned }).collect()
    }
}
