//! The rows of a query as they arrive: one JSON array, within limits.

use std::sync::Arc;

use ::postgres::{Error as PgError, Row};

use super::error::QueryError;
use super::plan::QueryLimits;
use crate::cache::Error;

/// An array in the making.
pub struct Rows<'q> {
    title: &'q str,
    limits: QueryLimits,
    json: Vec<u8>,
    count: usize,
    error: Option<QueryError>,
    /// How many bytes came after the query had failed.
    discarded: usize,
}

/// So many bytes after those that are too many are waited for: opening another connection would take longer.
const DISCARDED_MAX: usize = 16 << 20;

impl<'q> Rows<'q> {
    /// An empty one, of the query that errors call `title`.
    pub fn new(title: &'q str, limits: QueryLimits) -> Self {
        Self { title, limits, json: vec![b'['], count: 0, error: None, discarded: 0 }
    }

    /// Adds `row`, whose first column is its JSON. Returns whether there may be more.
    pub fn take(&mut self, row: &Row) -> bool {
        if self.error.is_none() {
            self.error = self.add(row.try_get(0)).err();
        } else {
            self.discarded += row.raw_size_bytes();
        }
        self.discarded <= DISCARDED_MAX
    }

    /// The whole array.
    ///
    /// # Errors
    /// Too many rows or bytes.
    pub fn finish(mut self) -> Result<Arc<[u8]>, QueryError> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self.close()),
        }
    }

    /// The same, once, where others still hold this; `None` when there are too many.
    pub fn whole(&mut self) -> Option<Arc<[u8]>> {
        self.error.is_none().then(|| self.close())
    }

    fn close(&mut self) -> Arc<[u8]> {
        let mut json = std::mem::take(&mut self.json);
        json.push(b']');
        json.into()
    }

    /// A row without JSON is one that has too much of it: PostgreSQL keeps it.
    fn add(&mut self, row: Result<Option<&str>, PgError>) -> Result<(), QueryError> {
        let row = row.map_err(QueryError::Run)?.ok_or_else(|| self.too_many_bytes())?;
        if self.count == self.limits.max_rows {
            return Err(self.too_many_rows().into());
        }
        if self.count > 0 {
            self.json.push(b',');
        }
        // With the bracket that is still to come.
        if self.json.len() + row.len() >= self.limits.max_bytes {
            return Err(self.too_many_bytes().into());
        }
        self.json.extend_from_slice(row.as_bytes());
        self.count += 1;
        Ok(())
    }

    fn too_many_rows(&self) -> Error {
        let (title, rows) = (self.title, self.limits.max_rows);
        Error::malformed(format!("{title} returns more than {rows} rows: add a LIMIT or raise max_query_rows"))
    }

    fn too_many_bytes(&self) -> Error {
        let (title, bytes) = (self.title, self.limits.max_bytes);
        Error::malformed(format!("{title} returns more than {bytes} bytes"))
    }
}
