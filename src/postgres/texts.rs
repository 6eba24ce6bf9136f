//! The texts of a row that PostgreSQL has sent by the simple protocol.

use ::postgres::SimpleQueryRow;

/// What a row says. A server that claims to be PostgreSQL may send fewer columns than it was asked for, and `SimpleQueryRow::get` panics then.
pub(crate) trait Texts {
    /// The text of column `index`; nothing for NULL, and for a column that was not sent.
    fn text(&self, index: usize) -> Option<&str>;
}

impl Texts for SimpleQueryRow {
    fn text(&self, index: usize) -> Option<&str> {
        self.try_get(index).ok().flatten()
    }
}
