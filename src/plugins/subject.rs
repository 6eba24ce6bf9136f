//! Subjects: the table and the keys that a command is about.

use std::rc::Rc;

/// What a command on a table is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The source's name.
    pub source: Box<str>,
    /// The table's number.
    pub table: u64,
    /// Its name as it stands in cache keys.
    pub table_name: Rc<str>,
    /// The keys of the rows; none where a whole table is meant.
    pub keys: Vec<SubjectKey>,
}

/// One row's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectKey {
    /// The cache key.
    pub cache_key: Box<[u8]>,
    /// Where in it the lookup key starts.
    pub prefix_len: usize,
}

impl SubjectKey {
    /// The lookup key, as it stands in the cache key.
    pub fn lookup_key(&self) -> &[u8] {
        self.cache_key.get(self.prefix_len..).unwrap_or_default()
    }
}
