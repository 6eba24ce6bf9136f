//! A load: the table, what is asked of it, and what PostgreSQL would answer in the extended protocol.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcache::cache::canonical::Rule;
use pgcache::cache::table::{Clock, Column, TableDefinition};
use pgcache::postgres::rows::load::{load, Fetched, KeyValues};
use pgcache::postgres::rows::statement::{LoadPlan, RowsAs};
use pgcache::postgres::Source;
use pgcache::settings::SourceSettings;
use serde_json::value::RawValue;

use super::script::{data_row, message};

/// `pg_type.oid` of the types in a row, the first of which says whom it is for: int8, int4, text, numeric, timestamptz, bytea.
const TYPES: [u32; 6] = [20, 23, 25, 1700, 1184, 17];
/// Those of a row as JSON, with the texts of its key: int8, and text.
const JSON_TYPES: [u32; 4] = [20, 25, 25, 25];
/// The columns without the first.
pub const COLUMNS: usize = TYPES.len() - 1;
/// So long a load may wait for a session.
const PATIENCE: Duration = Duration::from_millis(40);

/// Loads two keys, by each kind of statement.
pub fn run(settings: &Arc<SourceSettings>) {
    let source = Source::open(Arc::clone(settings), Box::new(|_| {})).expect("no TLS");
    let table = Arc::new(table());
    let keys: [KeyValues; 2] = ["1", "2"].map(|key| [key.into()].into());
    for plan in [LoadPlan::plain(Arc::clone(&table), vec![0]), LoadPlan::asking(table, vec![0])] {
        let loaded = source.with_session(Instant::now() + PATIENCE, |session| load(session, &plan, &keys.each_ref()));
        let Ok(outcomes) = loaded else { break };
        assert_eq!(outcomes.len(), keys.len());
        for outcome in outcomes.into_iter().flatten() {
            match outcome {
                // What PostgreSQL sends as JSON is taken as it is.
                Fetched::Row { json, .. } if plan.rows == RowsAs::Columns => {
                    assert!(is_object(&json), "{:?}", String::from_utf8_lossy(&json));
                }
                Fetched::Row { own_key, .. } | Fetched::Absent { own_key } => {
                    assert!(own_key.is_none_or(|key| is_object(&key)));
                }
                Fetched::Ambiguous => {}
                Fetched::Rows(..) => panic!("nobody asked a query"),
            }
        }
    }
}

/// Whether `json` is an object. Its numbers may have any number of digits.
fn is_object(json: &[u8]) -> bool {
    serde_json::from_slice::<HashMap<String, &RawValue>>(json).is_ok()
}

fn table() -> TableDefinition {
    TableDefinition {
        oid: 16402,
        schema: "public".into(),
        relation: "users".into(),
        display: "users".into(),
        columns: vec![Column {
            name: "id".into(),
            sql_type: "\"pg_catalog\".\"int4\"".into(),
            equality: "OPERATOR(pg_catalog.=)".into(),
            rule: Rule::INT4,
            clock: Clock::Unread,
            is_domain: false,
            has_form: true,
        }],
        unique_keys: vec![vec![0]],
        named_keys: vec![vec![0]],
        is_watched: false,
        is_plain: true,
        concerns: vec![16402],
        fingerprint: 0,
    }
}

/// What PostgreSQL would answer to a message of the extended protocol.
pub fn good(step: u8, statement: &str) -> Vec<u8> {
    let is_json = statement.contains("row_to_json");
    match step {
        b'P' => message(b'1', b""),
        b'B' => message(b'2', b""),
        b'C' => message(b'3', b""),
        b'D' => {
            let parameter = if is_json { 25u32 } else { 1016 };
            let parameters = [&1u16.to_be_bytes()[..], &parameter.to_be_bytes()].concat();
            [message(b't', &parameters), description(if is_json { &JSON_TYPES } else { &TYPES })].concat()
        }
        _ => {
            let row = |ordinal: i64| row(ordinal, if is_json { json_values() } else { values() });
            [row(1), row(2), message(b'C', b"SELECT 2\0")].concat()
        }
    }
}

fn description(types: &[u32]) -> Vec<u8> {
    let columns =
        types.iter().flat_map(|oid| [&b"c\0"[..], &[0; 6], &oid.to_be_bytes(), &[255; 2], &[255; 4], &[0, 1]].concat());
    message(b'T', &[(types.len() as u16).to_be_bytes().to_vec(), columns.collect()].concat())
}

/// A row for the key with this number.
pub fn row(ordinal: i64, values: Vec<Option<Vec<u8>>>) -> Vec<u8> {
    data_row(&[vec![Some(ordinal.to_be_bytes().to_vec())], values].concat())
}

fn values() -> Vec<Option<Vec<u8>>> {
    let numeric = [2u16, 0, 0, 2, 12, 3400].iter().flat_map(|word| word.to_be_bytes()).collect();
    vec![Some(vec![0, 0, 0, 7]), Some(b"x".to_vec()), Some(numeric), Some(vec![0; 8]), None]
}

fn json_values() -> Vec<Option<Vec<u8>>> {
    ["{\"id\":1}", "1", "1"].map(|text| Some(text.as_bytes().to_vec())).to_vec()
}
