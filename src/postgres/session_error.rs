//! Why work on a session failed.

use ::postgres::error::SqlState;

use super::error::{error_from, means_bad_data, means_catalog_changed};
use crate::cache::Error;

/// Why work on a session failed.
#[derive(Debug)]
pub enum SessionError {
    /// No session was to be had, or each was lost: down or too late.
    Source(Error),
    /// PostgreSQL refused the work.
    Query(::postgres::Error),
}

impl SessionError {
    /// The reply to whoever asked for `what`, a table's name.
    pub fn into_error(self, what: &str) -> Error {
        match self {
            Self::Source(error) => error,
            Self::Query(error) => error_from(&error, what),
        }
    }

    /// See [`means_catalog_changed`].
    pub fn means_catalog_changed(&self) -> bool {
        matches!(self, Self::Query(error) if means_catalog_changed(error))
    }

    /// Whether a statement was prepared for what its table is no more (0A000).
    pub fn means_outdated(&self) -> bool {
        matches!(self, Self::Query(error) if error.code().is_some_and(|code| code.code() == "0A000"))
    }

    /// Whether the role may not do it (42501).
    pub fn means_forbidden(&self) -> bool {
        matches!(self, Self::Query(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE))
    }

    /// See [`means_bad_data`].
    pub fn means_bad_data(&self) -> bool {
        matches!(self, Self::Query(error) if means_bad_data(error))
    }
}
