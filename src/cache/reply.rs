//! Replies: what a client is told.

use std::sync::Arc;

use super::{Error, Value};

/// What a client is told.
#[derive(Debug)]
pub enum Reply {
    /// It has been told already.
    Sent,
    /// `+OK`.
    Ok,
    /// The row does not exist.
    Nil,
    /// A row, shared with everyone who waited for it.
    Bulk(Arc<[u8]>),
    /// Bytes made for this reply.
    Buffer(Vec<u8>),
    /// Anything with a structure.
    Value(Value),
    /// An error.
    Error(Error),
}

impl Default for Reply {
    /// What a command is told when the module is not at work.
    fn default() -> Self {
        Self::Error(Error::malformed("pgcache is not at work: it is being loaded or unloaded"))
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Reply {
    /// Lines of text, such as those of a HELP.
    pub fn lines(lines: &[&str]) -> Self {
        Self::Value(Value::List(lines.iter().map(|line| Value::from(*line)).collect()))
    }

    /// The code of an error.
    pub fn error_code(&self) -> Option<String> {
        match self {
            Self::Error(error) => Some(error.code().into()),
            _ => None,
        }
    }
}
