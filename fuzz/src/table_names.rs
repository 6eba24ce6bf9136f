//! Table names: what is taken for one is a name to PostgreSQL too, and is taken apart in one way only.

use pgcache::cache::name::{TableName, MAX_NAME_BYTES};

use crate::oracle;

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Ok(name) = TableName::parse(bytes) else { return };
    assert!(bytes.len() <= MAX_NAME_BYTES);
    let (source, relation) = (name.source(), name.relation());
    assert!(bytes.ends_with(relation.as_bytes()) && !relation.is_empty());
    assert!(source.starts_with(|c: char| c.is_ascii_lowercase()));
    assert!(source.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
    // The relation alone belongs to the default source, whatever stands in it.
    let alone = TableName::parse(relation.as_bytes()).map(|name| (name.source(), name.relation()));
    assert_eq!(alone.ok(), Some(("default", relation)));
    let whole = format!("{source}:{relation}");
    if whole.len() <= MAX_NAME_BYTES {
        assert_eq!(TableName::parse(whole.as_bytes()).ok(), Some(name));
    }
    postgresql_agrees(relation);
}

fn postgresql_agrees(relation: &str) {
    let Some(row) = oracle::ask("SELECT * FROM pg_temp.relation($1)", &[&relation]) else { return };
    let (refused, parts): (String, Option<i32>) = (row.get(0), row.get(1));
    assert_eq!(refused, "", "PostgreSQL refuses {relation:?}");
    assert!(matches!(parts, Some(1 | 2)), "{parts:?}");
}
