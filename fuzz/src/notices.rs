//! Payloads of notices: what is read from one is read again from what it says.

use pgcache::cache::key::LookupKey;
use pgcache::cache::{Notice, Relation};
use serde_json::value::RawValue;
use serde_json::{json, Value};

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(notice) = Notice::parse(text) else { return };
    assert_eq!(Notice::parse(&written(&notice)).as_ref(), Some(&notice), "it is read again");
    if let Notice::Rows { rows, .. } = &notice {
        rows.iter().for_each(|row| is_piece(row, text));
    }
}

/// A row stands in the payload as it is, and names columns once each, or is no row.
fn is_piece(row: &str, text: &str) {
    assert!(text.contains(row) && serde_json::from_str::<&RawValue>(row).is_ok(), "{row}");
    if let Ok(key) = LookupKey::parse_row(row) {
        let names: Vec<&str> = key.columns().collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }
}

/// A payload that says `notice`.
fn written(notice: &Notice) -> String {
    let ours = |name: &str, value: Value| json!({"pgcache": 1, name: value}).to_string();
    match notice {
        Notice::Rows { relation: Relation::Oid(oid), rows } => {
            format!(r#"{{"pgcache":1,"rel":{oid},"keys":[{}]}}"#, rows.join(","))
        }
        Notice::Rows { relation: Relation::Name(name), rows } => {
            let data = ["old_data", "new_data"].iter().zip(rows).map(|(name, row)| format!(r#","{name}":{row}"#));
            format!(r#"{{"table":{}{}}}"#, json!(name), data.collect::<String>())
        }
        Notice::Table(Relation::Oid(oid)) => ours("rel", json!(oid)),
        Notice::Table(Relation::Name(name)) => json!({ "table": name }).to_string(),
        Notice::Definitions(oids) => ours("ddl", json!(oids)),
        Notice::Tags(tags) => ours("tags", json!(tags)),
        Notice::All => ours("all", json!(true)),
        Notice::Beat(text) => ours("beat", json!(text)),
    }
}
