//! Messages of `pgoutput`: what is read is read again from what PostgreSQL would write for it, and is no larger than its bytes.

use pgcache::cdc::feed::pgoutput::{Cell, Message, Old, Tuple};

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    assert!(size(&message) <= bytes.len());
    if message == Message::Other {
        return;
    }
    let written = written(&message);
    assert_eq!(Message::parse(&written).as_ref(), Ok(&message), "it is read again");
    // One byte less or more is no message.
    assert!(written.split_last().is_some_and(|(_, rest)| Message::parse(rest).is_err()));
    assert!(Message::parse(&[&written[..], b"n"].concat()).is_err());
}

/// How many things were made of a message.
fn size(message: &Message<'_>) -> usize {
    match message {
        Message::Relation(relation) => relation.columns.len(),
        Message::Insert { new, .. } => new.len(),
        Message::Update { old, new, .. } => old.as_ref().map_or(0, |old| cells(old).len()) + new.len(),
        Message::Delete { old, .. } => cells(old).len(),
        Message::Truncate { relations } => relations.len(),
        Message::Emitted { prefix, content, .. } => prefix.len() + content.len(),
        Message::Begin { .. } | Message::Commit { .. } | Message::Other => 0,
    }
}

fn cells<'o, 'a>(old: &'o Old<'a>) -> &'o Tuple<'a> {
    match old {
        Old::Key(tuple) | Old::Row(tuple) => tuple,
    }
}

/// The message as PostgreSQL would write it, with nothing in what is not read.
fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        Message::Begin { xid } => out.extend([b"B", &[0; 16][..], &xid.to_be_bytes()].concat()),
        Message::Commit { end } => out.extend([b"C", &[0; 9][..], &end.0.to_be_bytes(), &[0; 8]].concat()),
        Message::Relation(relation) => {
            out.extend([b"R", &relation.oid.to_be_bytes()[..], b"\0\0d"].concat());
            out.extend(count(relation.columns.len()));
            for column in &relation.columns {
                out.push(column.is_identity.into());
                out.extend([column.name.as_bytes(), b"\0", &column.type_oid.to_be_bytes(), &[255; 4]].concat());
            }
        }
        Message::Insert { relation, new } => {
            out.extend([b"I", &relation.to_be_bytes()[..], b"N"].concat());
            write_tuple(new, &mut out);
        }
        Message::Update { relation, old, new } => {
            out.extend([b"U", &relation.to_be_bytes()[..]].concat());
            old.iter().for_each(|old| write_old(old, &mut out));
            out.push(b'N');
            write_tuple(new, &mut out);
        }
        Message::Delete { relation, old } => {
            out.extend([b"D", &relation.to_be_bytes()[..]].concat());
            write_old(old, &mut out);
        }
        Message::Truncate { relations } => {
            out.extend([b"T", &(relations.len() as u32).to_be_bytes()[..], &[0]].concat());
            out.extend(relations.iter().flat_map(|oid| oid.to_be_bytes()));
        }
        Message::Emitted { is_transactional, prefix, content } => {
            out.extend([b"M", &[u8::from(*is_transactional)][..], &[0; 8], prefix, b"\0"].concat());
            out.extend((content.len() as u32).to_be_bytes());
            out.extend_from_slice(content);
        }
        Message::Other => out.push(b'O'),
    }
    out
}

fn write_old(old: &Old<'_>, out: &mut Vec<u8>) {
    out.push(if matches!(old, Old::Key(_)) { b'K' } else { b'O' });
    write_tuple(cells(old), out);
}

fn write_tuple(tuple: &Tuple<'_>, out: &mut Vec<u8>) {
    out.extend(count(tuple.len()));
    for cell in tuple {
        match cell {
            Cell::Null => out.push(b'n'),
            Cell::Unchanged => out.push(b'u'),
            Cell::Text(text) => {
                out.push(b't');
                out.extend((text.len() as u32).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn count(number: usize) -> [u8; 2] {
    (number as u16).to_be_bytes()
}
