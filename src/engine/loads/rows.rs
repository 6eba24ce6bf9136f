//! The rows of a MULTIREAD as they are found: one JSON array in the making.

use crate::cache::{Entry, Error};
use crate::engine::loads::pending_multiread::{too_many_bytes, Slot};

/// How many bytes are asked for at once, at most.
const MAX_RESERVED: usize = 1 << 20;

/// Rows in the order asked, each as JSON; what is not known yet is empty. All stand in one piece of memory, which is the reply
/// when none is missing.
#[derive(Debug)]
pub struct Rows {
    /// `[`, and each row with a comma after it.
    json: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    /// How many there will be.
    count: usize,
    /// How many bytes they may have together.
    max_bytes: usize,
}

impl Rows {
    /// None yet, but soon so many, of so many bytes at most, in memory that was used before.
    pub fn new(count: usize, max_bytes: usize, mut memory: Vec<u8>) -> Self {
        memory.clear();
        memory.push(b'[');
        Self { json: memory, ends: Vec::with_capacity(count), count, max_bytes }
    }

    /// Adds a row, or `null` for one that does not exist. `ERR`, and nothing is copied, where that is too much.
    pub fn add(&mut self, row: &[u8]) -> Result<(), Error> {
        if row.len() + 1 > self.spare_bytes() {
            return Err(too_many_bytes(self.max_bytes));
        }
        if self.ends.is_empty() {
            // The others will be as large, more or less.
            let size = (row.len() + 1).saturating_mul(self.count);
            self.json.reserve((size + size / 8).min(MAX_RESERVED));
        }
        self.json.extend_from_slice(row);
        self.ends.push(self.json.len());
        self.json.push(b',');
        Ok(())
    }

    /// Adds one that is not known yet.
    pub fn add_pending(&mut self) -> Result<(), Error> {
        self.add(&[])
    }

    /// How many more bytes the array may have.
    pub fn spare_bytes(&self) -> usize {
        self.max_bytes.saturating_sub(self.json.len())
    }

    /// The array, of rows that are all known.
    pub fn into_json(self) -> Vec<u8> {
        let mut json = self.json;
        match self.ends.last() {
            None => json.push(b']'),
            Some(end) => {
                json.truncate(*end);
                json.push(b']');
            }
        }
        json
    }

    /// Each row by itself, where others are waited for.
    pub fn slots(&self) -> Vec<Slot> {
        let starts = [1].into_iter().chain(self.ends.iter().map(|end| end + 1));
        let row = |(start, end): (usize, &usize)| self.json.get(start..*end).unwrap_or_default();
        starts.zip(&self.ends).map(row).map(slot).collect()
    }
}

fn slot(row: &[u8]) -> Slot {
    match row {
        [] => Slot::Pending,
        Entry::ABSENT => Slot::Absent,
        row => Slot::Row(row.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unwrap_used)]
    fn rows(rows: &[&[u8]]) -> Rows {
        let mut made = Rows::new(rows.len(), 100, b"used".to_vec());
        for row in rows {
            made.add(row).unwrap();
        }
        made
    }

    #[test]
    fn rows_that_are_all_known_are_an_array() {
        assert_eq!(rows(&[]).into_json(), b"[]");
        assert_eq!(rows(&[b"{\"id\":1}", Entry::ABSENT]).into_json(), b"[{\"id\":1},null]");
    }

    #[test]
    fn what_is_not_known_waits_in_its_place() {
        let slots = [Slot::Pending, Slot::Row(b"{}"[..].into()), Slot::Absent];
        assert_eq!(rows(&[b"", b"{}", Entry::ABSENT]).slots(), slots);
    }

    #[test]
    fn no_array_is_longer_than_allowed() {
        for max in 0..20 {
            let mut rows = Rows::new(9, max, Vec::new());
            while rows.add(b"{}").is_ok() {}
            assert!(rows.json.len() <= max.max(1));
            assert!(max < 2 || rows.into_json().len() <= max);
        }
    }
}
