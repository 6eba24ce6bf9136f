//! Why a replication connection could not be opened, or is of no more use.

use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

/// The error. Its text holds no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplicationError {
    /// The network said no, nothing answered in time, or what was answered is no message.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// PostgreSQL said no.
    #[error("{message}")]
    Server {
        /// The SQLSTATE.
        code: String,
        /// The primary message.
        message: String,
    },
    /// The module ends.
    #[error("the module ends")]
    Closing,
}

impl ReplicationError {
    /// What is answered is not what PostgreSQL answers.
    pub(crate) fn protocol(text: &str) -> Self {
        Self::Io(io::Error::new(io::ErrorKind::InvalidData, text))
    }

    /// Nothing was answered in time.
    pub(crate) fn silence() -> Self {
        Self::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
    }

    /// What PostgreSQL says in `body`.
    pub(super) fn told(body: &ErrorResponseBody) -> Self {
        let (mut code, mut message) = (String::new(), String::new());
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => code = value,
                b'M' => message = value,
                _ => {}
            }
        }
        Self::Server { code, message }
    }

    /// The SQLSTATE, where PostgreSQL said no.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } => Some(code),
            Self::Io(_) | Self::Closing => None,
        }
    }
}
