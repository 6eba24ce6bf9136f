//! Tests of the decoder: messages as PostgreSQL writes them, cut off, and changed.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn write_tuple(tuple: &[Option<&str>]) -> Vec<u8> {
    let mut bytes = u16::try_from(tuple.len()).unwrap().to_be_bytes().to_vec();
    for cell in tuple {
        match cell {
            None => bytes.push(b'n'),
            Some("<unchanged>") => bytes.push(b'u'),
            Some(value) => {
                bytes.push(b't');
                bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(value.as_bytes());
            }
        }
    }
    bytes
}

fn read(tuple: &[Option<&'static str>]) -> Tuple<'static> {
    let cell = |cell: &Option<&'static str>| match cell {
        None => Cell::Null,
        Some("<unchanged>") => Cell::Unchanged,
        Some(text) => Cell::Text(text),
    };
    tuple.iter().map(cell).collect()
}

#[test]
fn a_transaction_has_a_number_and_an_end() {
    let begin = [&b"B"[..], &[0; 16], &7u32.to_be_bytes()].concat();
    assert_eq!(Message::parse(&begin), Ok(Message::Begin { xid: 7 }));
    let commit = [&b"C"[..], &[0; 9], &9u64.to_be_bytes(), &[0; 8]].concat();
    assert_eq!(Message::parse(&commit), Ok(Message::Commit { end: Lsn(9) }));
}

#[test]
fn a_relation_names_its_columns() {
    let column = |flags: u8, name: &str, oid: u32| [&[flags], &text(name)[..], &oid.to_be_bytes(), &[255; 4]].concat();
    let bytes = [
        &b"R"[..],
        &16402u32.to_be_bytes(),
        &text("public"),
        &text("users"),
        b"d",
        &2u16.to_be_bytes(),
        &column(1, "id", 23),
        &column(0, "naïve", 25),
    ]
    .concat();
    let columns = vec![
        Column { is_identity: true, name: "id", type_oid: 23 },
        Column { is_identity: false, name: "naïve", type_oid: 25 },
    ];
    assert_eq!(Message::parse(&bytes), Ok(Message::Relation(Relation { oid: 16402, columns })));
}

#[test]
fn rows_come_with_what_they_were_as_far_as_it_is_told() {
    let (new, key) = ([Some("1"), None, Some("<unchanged>")], [Some("2"), None, None]);
    let head = |kind: &[u8]| [kind, &5u32.to_be_bytes()].concat();
    let insert = [head(b"I"), b"N".to_vec(), write_tuple(&new)].concat();
    assert_eq!(Message::parse(&insert), Ok(Message::Insert { relation: 5, new: read(&new) }));
    let update = [head(b"U"), b"N".to_vec(), write_tuple(&new)].concat();
    assert_eq!(Message::parse(&update), Ok(Message::Update { relation: 5, old: None, new: read(&new) }));
    for (kind, old) in [(b"K", Old::Key(read(&key))), (b"O", Old::Row(read(&key)))] {
        let update = [head(b"U"), kind.to_vec(), write_tuple(&key), b"N".to_vec(), write_tuple(&new)].concat();
        let message = Message::Update { relation: 5, old: Some(old.clone()), new: read(&new) };
        assert_eq!(Message::parse(&update), Ok(message));
        let delete = [head(b"D"), kind.to_vec(), write_tuple(&key)].concat();
        assert_eq!(Message::parse(&delete), Ok(Message::Delete { relation: 5, old }));
    }
}

#[test]
fn truncate_names_every_table() {
    let bytes = [&b"T"[..], &2u32.to_be_bytes(), &[1], &3u32.to_be_bytes(), &4u32.to_be_bytes()].concat();
    assert_eq!(Message::parse(&bytes), Ok(Message::Truncate { relations: vec![3, 4] }));
    let many = [&b"T"[..], &u32::MAX.to_be_bytes(), &[0]].concat();
    assert_eq!(Message::parse(&many), Err(Malformed));
}

#[test]
fn messages_of_others_are_read() {
    let bytes = [&b"M"[..], &[1], &[0; 8], &text("pgcache"), &2u32.to_be_bytes(), b"hi"].concat();
    let message = Message::Emitted { is_transactional: true, prefix: b"pgcache", content: b"hi" };
    assert_eq!(Message::parse(&bytes), Ok(message));
}

#[test]
fn what_is_cut_off_or_too_long_is_refused() {
    let whole = [&b"D"[..], &5u32.to_be_bytes(), b"K", &write_tuple(&[Some("12"), None])].concat();
    assert!(Message::parse(&whole).is_ok());
    for end in 0..whole.len() {
        assert_eq!(Message::parse(&whole[..end]), Err(Malformed), "{end}");
    }
    assert_eq!(Message::parse(&[&whole[..], b"x"].concat()), Err(Malformed));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(kind in prop::sample::select(b"BCRIUDTMOYSXE".to_vec()), rest: Vec<u8>) {
        let _ = Message::parse(&[&[kind], &rest[..]].concat());
    }

    #[test]
    fn a_changed_byte_makes_no_panic(
        values in prop::collection::vec(prop::option::of(".{0,8}"), 0..5), place: prop::sample::Index, byte: u8,
    ) {
        let tuple: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
        let mut bytes = [&b"U"[..], &5u32.to_be_bytes(), b"O", &write_tuple(&tuple), b"N", &write_tuple(&tuple)].concat();
        let before = Message::parse(&bytes).map(|message| format!("{message:?}"));
        prop_assert!(before.is_ok());
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = Message::parse(&bytes);
    }
}
