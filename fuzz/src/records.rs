//! What is saved among the entries, and positions as PostgreSQL writes them: a letter that says what it is, and its bytes.

use std::str::FromStr;

use pgcache::cache::named_query::{NamedQueries, NamedQuery};
use pgcache::cache::query_changes::QueryChanges;
use pgcache::cache::seal::{Digest, SealKey, Sealed};
use pgcache::cache::slot_ranges::SlotRanges;
use pgcache::cache::{result_set, Entry, Lsn, PgSnapshot};
use pgcache::plugins::hooks::hook::{Figures, Hook};
use pgcache::plugins::hooks::record as hooks;

const KEY: &[u8] = b"no key of anybody";
const NAME: &[u8] = b"pg_cache:@queries";

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Some((kind, record)) = bytes.split_first() else { return };
    match kind {
        b'q' => a_record_of_queries(record),
        b'c' => a_record_of_changes(record),
        b'h' => a_record_of_hooks(record),
        b's' => a_record_that_is_sealed(record),
        b'r' => a_result_set(record),
        b'p' => positions(record),
        _ => a_record_of_a_stranger(bytes),
    }
}

fn all(queries: &NamedQueries) -> Vec<NamedQuery> {
    queries.iter().cloned().collect()
}

fn a_record_of_queries(record: &[u8]) {
    let Some(queries) = NamedQueries::read(record) else { return };
    let written = queries.write();
    let again = NamedQueries::read(written.as_bytes()).expect("what was written is read");
    assert_eq!(all(&again), all(&queries));
    assert_eq!(again.write(), written);
}

fn a_record_of_changes(record: &[u8]) {
    let Some(changes) = QueryChanges::read(record) else { return };
    let again = QueryChanges::read(changes.write().as_bytes()).expect("what was written is read");
    assert_eq!(again, changes);
    let (mut ours, mut theirs) = (NamedQueries::default(), NamedQueries::default());
    changes.apply(&mut ours);
    again.apply(&mut theirs);
    assert_eq!(all(&ours), all(&theirs));
}

fn a_record_of_hooks(record: &[u8]) {
    let Some(definitions) = hooks::read(record) else { return };
    let hook = |(id, definition): (u64, _)| Hook {
        id,
        definition: std::sync::Arc::new(definition),
        figures: Figures::default(),
    };
    let all: Vec<Hook> = (0..).zip(definitions.clone()).map(hook).collect();
    let written = hooks::write(&all.iter().collect::<Vec<_>>());
    assert_eq!(hooks::read(written.as_bytes()), Some(definitions));
}

/// Two bytes say which byte of the record is changed, and the third is what it becomes. The rest is the content.
fn a_record_that_is_sealed(input: &[u8]) {
    let Some(([high, low, byte], content)) = input.split_first_chunk() else { return };
    let Ok(content) = std::str::from_utf8(content) else { return };
    let key = SealKey::new(KEY);
    let record = key.seal(NAME, content, Digest::of(content.as_bytes()));
    let sealed = Sealed::parse(&record).expect("it carries a seal");
    assert_eq!(sealed.content, content.as_bytes());
    assert!(key.has_sealed(NAME, &sealed) && !key.has_sealed(b"another name", &sealed));
    assert!(!SealKey::new(b"another key").has_sealed(NAME, &sealed));
    assert_eq!(Digest::from_hex(sealed.digest.to_hex().as_bytes()), Some(sealed.digest));
    let (mut changed, at) = (record.clone(), usize::from(u16::from_be_bytes([*high, *low])) % record.len());
    changed[at] = *byte;
    // The digits of a seal have two cases, which are the same number.
    if !changed.eq_ignore_ascii_case(&record) || at >= record.len() - content.len() - 1 && changed != record {
        a_record_of_a_stranger(&changed);
    }
}

/// Nobody makes a seal without the key.
fn a_record_of_a_stranger(record: &[u8]) {
    let key = SealKey::new(KEY);
    assert!(!Sealed::parse(record).is_some_and(|sealed| key.has_sealed(NAME, &sealed)), "a forged record is believed");
    if let Entry::Row(row) = Entry::classify(record) {
        assert_eq!(row, record);
    }
}

fn a_result_set(entry: &[u8]) {
    let Some((stamp, rows)) = result_set::read(entry) else { return };
    let written = result_set::write(stamp, rows);
    assert_eq!(result_set::read(&written), Some((stamp, rows)));
    assert!(written.eq_ignore_ascii_case(entry));
}

fn positions(record: &[u8]) {
    let Ok(text) = std::str::from_utf8(record) else { return };
    is_read_again::<Lsn>(text);
    is_read_again::<SlotRanges>(text);
    let snapshot = is_read_again::<PgSnapshot>(text);
    // PostgreSQL writes no other: each that runs has not ended.
    if let Some(snapshot) = snapshot.filter(|snapshot| !snapshot.running.iter().any(|xid| snapshot.has_ended(*xid))) {
        assert!(snapshot.covers(&snapshot));
    }
}

fn is_read_again<T: FromStr + ToString + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    assert_eq!(value.to_string().parse().ok().as_ref(), Some(&value));
    Some(value)
}
