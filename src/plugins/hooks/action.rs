//! What a hook does.

/// What a hook does with its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Calls this function of the server's, with the cache keys and the event.
    Function(String),
    /// Publishes the event on this channel.
    Publish(String),
    /// Adds the event to this stream, as its field `event`.
    Stream {
        /// The stream's key.
        key: String,
        /// How many entries the stream keeps; `None`: all.
        max_len: Option<u64>,
    },
}

impl Action {
    /// The word that begins it in the command.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Function(_) => "FUNCTION",
            Self::Publish(_) => "PUBLISH",
            Self::Stream { .. } => "STREAM",
        }
    }

    /// The function, the channel or the key.
    pub fn target(&self) -> &str {
        match self {
            Self::Function(target) | Self::Publish(target) | Self::Stream { key: target, .. } => target,
        }
    }

    /// How many entries a stream keeps.
    pub fn max_len(&self) -> Option<u64> {
        match self {
            Self::Stream { max_len, .. } => *max_len,
            Self::Function(_) | Self::Publish(_) => None,
        }
    }
}
