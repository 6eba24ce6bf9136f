//! What happened in a run: every change that was committed, every answer that was given.

use super::clock::Nanos;
use super::key::Key;
use super::row::Row;

/// What a key led to from some time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// The row that it leads to since; nothing: there is none.
    pub state: Option<Row>,
    /// When the commit was sent: nobody can have seen it before.
    pub began: Nanos,
    /// When the commit returned: PostgreSQL shows it to everybody since.
    pub returned: Nanos,
    /// How much later than others it may be told: its commit did not wait until it was written to the log.
    pub slack: Nanos,
}

/// What a read answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is no such row.
    Nil,
    /// A whole row.
    Row(Row),
    /// Anything else, as it came.
    Torn(Box<str>),
}

/// One key that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The key.
    pub key: Key,
    /// The answer.
    pub answer: Answer,
    /// The definition of the table that the row showed: the number of its youngest column.
    pub shape: Option<u32>,
    /// Which node of a cluster answered; 0 where there is one server.
    pub node: u16,
    /// When the command was sent.
    pub invoked: Nanos,
    /// When its reply was there.
    pub returned: Nanos,
    /// Who read it: one reader reads one thing after the other.
    pub reader: u16,
}

/// INVALIDATE has answered: what was committed before it was sent is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The key.
    pub key: Key,
    /// When the command was sent.
    pub sent: Nanos,
    /// When its reply was there.
    pub returned: Nanos,
}

/// The table got another definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reshape {
    /// How many there were before, and this one.
    pub number: u32,
    /// The number of its youngest column.
    pub shape: Option<u32>,
    /// When the statement was sent.
    pub began: Nanos,
    /// When it returned.
    pub returned: Nanos,
}

/// All of it, in no order; the changes of one key do not overlap.
#[derive(Debug, Default)]
pub struct History {
    /// What writers committed.
    pub changes: Vec<Change>,
    /// What readers were answered.
    pub reads: Vec<Read>,
    /// What the cache acknowledged.
    pub acknowledgements: Vec<Acknowledgement>,
    /// How the table was redefined.
    pub reshapes: Vec<Reshape>,
}

impl History {
    /// Adds what another thread saw.
    pub fn add(&mut self, mut other: Self) {
        self.changes.append(&mut other.changes);
        self.reads.append(&mut other.reads);
        self.acknowledgements.append(&mut other.acknowledgements);
        self.reshapes.append(&mut other.reshapes);
    }
}
