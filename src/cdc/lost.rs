//! Why a session that listens has ended.

use crate::postgres::reason;

/// The session has ended or could not be opened: why, in one line for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

impl From<::postgres::Error> for Lost {
    fn from(error: ::postgres::Error) -> Self {
        Self(reason(&error))
    }
}
