//! The messages of `pgoutput`, PostgreSQL's own output plugin, version 1 of its protocol.
//!
//! <https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>

use super::cursor::Cursor;
use crate::cache::Lsn;

/// A message that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of the write-ahead log's stream that cannot be read")]
pub struct Malformed;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A transaction that was committed begins.
    Begin {
        /// Its number, without the epoch.
        xid: u32,
    },
    /// It ends.
    Commit {
        /// Where the record of its commit ends.
        end: Lsn,
    },
    /// What a relation is: before its first change, and anew after its definition has changed.
    Relation(Relation<'a>),
    /// A row was inserted.
    Insert {
        /// `pg_class.oid` of its table.
        relation: u32,
        /// The row.
        new: Tuple<'a>,
    },
    /// A row was updated.
    Update {
        /// `pg_class.oid` of its table.
        relation: u32,
        /// What it was before, where that is told.
        old: Option<Old<'a>>,
        /// What it is now.
        new: Tuple<'a>,
    },
    /// A row was deleted.
    Delete {
        /// `pg_class.oid` of its table.
        relation: u32,
        /// What it was.
        old: Old<'a>,
    },
    /// Tables were emptied.
    Truncate {
        /// `pg_class.oid` of each.
        relations: Vec<u32>,
    },
    /// Somebody wrote a message into the log.
    Emitted {
        /// Whether it belongs to the transaction under way.
        is_transactional: bool,
        /// What it is about.
        prefix: &'a [u8],
        /// What it says.
        content: &'a [u8],
    },
    /// Of no interest here: an origin, or the name of a type.
    Other,
}

/// What a relation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation<'a> {
    /// `pg_class.oid`.
    pub oid: u32,
    /// The columns that are told, in the order of tuples.
    pub columns: Vec<Column<'a>>,
}

/// A column of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// Whether it belongs to the replica identity.
    pub is_identity: bool,
    /// Its name.
    pub name: &'a str,
    /// `pg_type.oid` of its type.
    pub type_oid: u32,
}

/// What a row was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Old<'a> {
    /// The columns of the replica identity; the others are null here, whatever they were.
    Key(Tuple<'a>),
    /// All columns that are told.
    Row(Tuple<'a>),
}

/// The values of a row.
pub type Tuple<'a> = Vec<Cell<'a>>;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// One that is kept apart from the row, and has not changed.
    Unchanged,
    /// What its type's output function writes.
    Text(&'a str),
}

impl<'a> Message<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// It is none, or of a later version of the protocol.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let message = match cursor.u8()? {
            b'B' => {
                cursor.skip(16)?;
                Self::Begin { xid: cursor.u32()? }
            }
            b'C' => {
                cursor.skip(9)?;
                let end = Lsn(cursor.u64()?);
                cursor.skip(8)?;
                Self::Commit { end }
            }
            b'R' => Self::Relation(relation(&mut cursor)?),
            b'I' => insert(&mut cursor)?,
            b'U' => update(&mut cursor)?,
            b'D' => delete(&mut cursor)?,
            b'T' => truncate(&mut cursor)?,
            b'M' => emitted(&mut cursor)?,
            b'O' | b'Y' => return Ok(Self::Other),
            _ => return Err(Malformed),
        };
        cursor.end().map(|()| message)
    }
}

fn relation<'a>(cursor: &mut Cursor<'a>) -> Result<Relation<'a>, Malformed> {
    let oid = cursor.u32()?;
    let (_schema, _name, _identity) = (cursor.text()?, cursor.text()?, cursor.u8()?);
    let count = cursor.u16()?;
    let columns = (0..count).map(|_| {
        let is_identity = cursor.u8()? & 1 == 1;
        let (name, type_oid, _modifier) = (cursor.text()?, cursor.u32()?, cursor.u32()?);
        Ok(Column { is_identity, name, type_oid })
    });
    Ok(Relation { oid, columns: columns.collect::<Result<_, _>>()? })
}

fn insert<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
    let relation = cursor.u32()?;
    match cursor.u8()? {
        b'N' => Ok(Message::Insert { relation, new: tuple(cursor)? }),
        _ => Err(Malformed),
    }
}

fn update<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
    let relation = cursor.u32()?;
    let kind = cursor.u8()?;
    if kind == b'N' {
        return Ok(Message::Update { relation, old: None, new: tuple(cursor)? });
    }
    let old = Some(old(cursor, kind)?);
    match cursor.u8()? {
        b'N' => Ok(Message::Update { relation, old, new: tuple(cursor)? }),
        _ => Err(Malformed),
    }
}

fn delete<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
    let (relation, kind) = (cursor.u32()?, cursor.u8()?);
    Ok(Message::Delete { relation, old: old(cursor, kind)? })
}

fn old<'a>(cursor: &mut Cursor<'a>, kind: u8) -> Result<Old<'a>, Malformed> {
    match kind {
        b'K' => Ok(Old::Key(tuple(cursor)?)),
        b'O' => Ok(Old::Row(tuple(cursor)?)),
        _ => Err(Malformed),
    }
}

fn truncate<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
    let count = cursor.u32()?;
    cursor.skip(1)?;
    let relations = (0..count).map(|_| cursor.u32());
    Ok(Message::Truncate { relations: relations.collect::<Result<_, _>>()? })
}

fn emitted<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
    let is_transactional = cursor.u8()? & 1 == 1;
    cursor.skip(8)?;
    let prefix = cursor.bytes_to_nul()?;
    let length = cursor.u32()?;
    Ok(Message::Emitted { is_transactional, prefix, content: cursor.bytes(length)? })
}

fn tuple<'a>(cursor: &mut Cursor<'a>) -> Result<Tuple<'a>, Malformed> {
    let count = cursor.u16()?;
    (0..count).map(|_| cell(cursor)).collect()
}

fn cell<'a>(cursor: &mut Cursor<'a>) -> Result<Cell<'a>, Malformed> {
    match cursor.u8()? {
        b'n' => Ok(Cell::Null),
        b'u' => Ok(Cell::Unchanged),
        b't' => {
            let length = cursor.u32()?;
            std::str::from_utf8(cursor.bytes(length)?).map(Cell::Text).map_err(|_| Malformed)
        }
        _ => Err(Malformed),
    }
}

#[cfg(test)]
#[path = "pgoutput_tests.rs"]
mod tests;
