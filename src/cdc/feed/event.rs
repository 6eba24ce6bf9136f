//! Feed events: what a session that listens has to tell.

use std::time::Instant;

use crate::cache::{Gap, Lsn, Notice, PgSnapshot, Progress};

/// What the threads that listen to a source tell. Each tells it in the order in which it happened.
#[derive(Debug)]
pub enum FeedEvent {
    /// A session listens from now on. With a gap when something may have been missed before.
    Opened {
        /// Why something may have been missed.
        gap: Option<Gap>,
    },
    /// These changes.
    Notices {
        /// The transaction that made them, where it may not be visible yet; `None`: it is.
        xid: Option<u64>,
        /// What changed.
        notices: Vec<Notice>,
    },
    /// Everything that was committed before this moment has been told.
    Beat {
        /// The moment.
        sent: Instant,
        /// The position in the write-ahead log up to which every commit has been told, where the feed knows it.
        lsn: Option<Lsn>,
        /// How far the server was at a moment between then and now, all of which has been told; `None`: nobody knows.
        progress: Option<Progress>,
    },
    /// Every commit up to this position in the write-ahead log has been told.
    Applied(Lsn),
    /// Which transactions had ended at a moment before now.
    Snapshot(PgSnapshot),
    /// So many more notices came that are not proven to be ours, and that were left out.
    Foreign(u64),
    /// Something may have been missed.
    Gap(Gap),
    /// The session has ended, or could not be opened, and why; another one follows.
    Closed(String),
    /// The relations that are known here cannot be compared with the catalog for now, and why.
    Uncompared(String),
    /// What the catalog says of the relations that are known here: the fingerprint of each, `None` for one that is gone or
    /// whose name now means another relation.
    Fingerprints(Vec<(u32, Option<i64>)>),
    /// The number of the functions, operators, casts and types that there are.
    Vocabulary(i64),
}
