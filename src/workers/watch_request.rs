//! What a WATCH command, or a FLUSH of all nodes, asks of a worker, and what comes of it.

use std::time::Duration;

use crate::cdc::flush::Flush;
use crate::cdc::install::Watched;

pub use crate::cdc::flush::Flush as Told;

/// How long an installation may take once it has its locks, for which it waits half a second at most: it visits every partition.
const INSTALLATION: Duration = Duration::from_secs(60);

/// What is to be done. Names are spelled by SQL's rules, without the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watching {
    /// Install what tells of a relation's changes.
    Add(String),
    /// Remove it.
    Del(String),
    /// Write what would install it.
    Sql(String),
    /// List what is watched.
    List,
    /// Tell every server that listens to drop that.
    Flush(Flush),
}

impl Watching {
    /// How long it may take: a question as long as a load.
    pub fn patience(&self, load_timeout: Duration) -> Duration {
        match self {
            Self::Add(_) | Self::Del(_) => INSTALLATION,
            Self::Sql(_) | Self::List | Self::Flush(_) => load_timeout,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub enum WatchAnswer {
    /// It is done.
    Done,
    /// The script.
    Script(String),
    /// Every server that listens will be told.
    Told,
    /// The source's watched tables.
    Tables(Vec<Watched>),
}
