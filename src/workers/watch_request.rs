//! What a WATCH command asks of a worker, and what comes of it.

use crate::postgres::watch::Watched;

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
}

/// What came of it.
#[derive(Debug)]
pub enum WatchAnswer {
    /// It is done.
    Done,
    /// The script.
    Script(String),
    /// The source's watched tables.
    Tables(Vec<Watched>),
}
