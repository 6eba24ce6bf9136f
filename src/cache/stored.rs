//! What a store holds under a key, and why it takes no write.

/// What stands under a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// Nothing.
    Nothing,
    /// A string.
    Bytes(&'a [u8]),
    /// Another type.
    OtherType,
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This server is a replica, or is loading its data set.
    NotMaster,
    /// Replicas are paused: a failover, or CLIENT PAUSE.
    Paused,
    /// In a cluster: the key's slot is another node's, is on its way there, or is not the one of the command under way.
    Elsewhere,
    /// The server refused the command, as a rule because memory is full.
    Refused,
}
