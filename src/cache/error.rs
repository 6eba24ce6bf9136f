//! What can go wrong, in the words that a client sees.

use std::borrow::Cow;
use std::fmt;

use super::key::element;

/// Why a command was not answered. Each kind is one wire code of the product's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// Malformed arguments: JSON, TTL, an unknown option. Wire code `ERR`.
    Malformed,
    /// The ACL or the allow-list forbids it. Wire code `NOPERM`.
    Denied,
    /// No such relation. Wire code `PGNOTABLE`.
    NoTable,
    /// No such column. Wire code `PGNOCOLUMN`.
    NoColumn,
    /// The lookup key matches more than one row. Wire code `PGNOTUNIQUE`.
    NotUnique,
    /// A value that its column's type cannot hold. Wire code `PGBADVALUE`.
    BadValue,
    /// Any other refusal by PostgreSQL, with its five-character SQLSTATE. Wire code `PGERR <sqlstate>`.
    Postgres(String),
    /// No connection to the source. Wire code `PGDOWN`.
    Down,
    /// `load_timeout_ms` or `statement_timeout_ms` passed. Wire code `PGTIMEOUT`.
    Timeout,
    /// `max_waiters` or `queue_limit` reached. Wire code `PGBUSY`.
    Busy,
    /// A write on a replica. Wire code `READONLY`, the server's own.
    ReadOnly,
    /// A key of a cluster whose slot is on its way to another node. Wire code `TRYAGAIN`, the server's own.
    TryAgain,
    /// A miss where waiting is not allowed. Wire code `PGMISS`.
    Miss,
    /// A hook has refused the command, with a wire code of its own.
    Vetoed(String),
}

/// An error reply: its kind, and a text that names the table, column or limit and what to do.
///
/// The text never holds row data, key values or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

impl Error {
    /// Makes an error of `kind` whose reply reads `<code> <text>`.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Malformed arguments: `ERR <text>`.
    pub fn malformed(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, text)
    }

    /// A value that its column's type cannot hold: `PGBADVALUE <text>`.
    pub fn bad_value(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadValue, text)
    }

    /// The same about the lookup key at `index` (from 0) of an array, if it is about a key.
    pub fn of_element(self, index: usize) -> Self {
        match self.kind {
            ErrorKind::Malformed | ErrorKind::NoColumn | ErrorKind::NotUnique | ErrorKind::BadValue => {
                Self { text: format!("{}: {}", element(index), self.text), ..self }
            }
            _ => self,
        }
    }

    /// The kind, for those who decide by it.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The first word (for `PGERR` the first two) of the reply.
    pub fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match &self.kind {
            ErrorKind::Malformed => "ERR",
            ErrorKind::Denied => "NOPERM",
            ErrorKind::NoTable => "PGNOTABLE",
            ErrorKind::NoColumn => "PGNOCOLUMN",
            ErrorKind::NotUnique => "PGNOTUNIQUE",
            ErrorKind::BadValue => "PGBADVALUE",
            ErrorKind::Postgres(sqlstate) => return Cow::Owned(format!("PGERR {sqlstate}")),
            ErrorKind::Down => "PGDOWN",
            ErrorKind::Timeout => "PGTIMEOUT",
            ErrorKind::Busy => "PGBUSY",
            ErrorKind::ReadOnly => "READONLY",
            ErrorKind::TryAgain => "TRYAGAIN",
            ErrorKind::Miss => "PGMISS",
            ErrorKind::Vetoed(code) => return Cow::Owned(code.clone()),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.text)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_a_key_names_its_place() {
        let text = Error::bad_value("column \"id\": x").of_element(2).to_string();
        assert_eq!(text, "PGBADVALUE lookup key at index 2 (the first is 0): column \"id\": x");
        assert_eq!(Error::new(ErrorKind::Down, "default: gone").of_element(2).to_string(), "PGDOWN default: gone");
    }

    #[test]
    fn a_refusal_carries_its_sqlstate() {
        let error = Error::new(ErrorKind::Postgres("42501".into()), "permission denied for table users");
        assert_eq!(error.to_string(), "PGERR 42501 permission denied for table users");
    }
}
