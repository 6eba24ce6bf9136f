//! Binary values of rows: a letter that chooses the type, and bytes. Where PostgreSQL takes them for a value, our JSON of it is its own.

use std::error::Error;

use bytes::BytesMut;
use pgcache::postgres::rows::Form;

use postgres::types::{to_sql_checked, FromSql, IsNull, ToSql, Type};
use serde_json::value::RawValue;

use crate::oracle;

/// The types whose JSON is made by us.
const TYPES: [Type; 17] = [
    Type::BOOL,
    Type::INT2,
    Type::INT4,
    Type::INT8,
    Type::NUMERIC,
    Type::TEXT,
    Type::VARCHAR,
    Type::BPCHAR,
    Type::NAME,
    Type::JSON,
    Type::JSONB,
    Type::UUID,
    Type::BYTEA,
    Type::DATE,
    Type::TIME,
    Type::TIMESTAMP,
    Type::TIMESTAMPTZ,
];

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let Some((letter, value)) = bytes.split_first() else { return };
    let kind = &TYPES[usize::from(letter.wrapping_sub(b'a')) % TYPES.len()];
    let form = Form::of(kind).expect("one of ours");
    let mut json = Vec::new();
    let is_written = form.write(value, &mut json).is_ok();
    // JSON stands as PostgreSQL has checked it.
    if is_written && !matches!(*kind, Type::JSON | Type::JSONB) {
        assert!(serde_json::from_slice::<&RawValue>(&json).is_ok(), "{:?}", String::from_utf8_lossy(&json));
    }
    postgresql_writes_the_same(kind, form, value);
}

fn postgresql_writes_the_same(kind: &Type, form: Form, value: &[u8]) {
    let name = kind.name();
    let sql = format!("SELECT $1::{name}, pg_catalog.to_json($1::{name})::text");
    let Some(Ok(row)) = oracle::ask_or_refuse(&sql, &[&Binary(value)]) else { return };
    // As PostgreSQL sends it: it takes some values in more ways than one.
    let (sent, theirs): (Sent, String) = (row.get(0), row.get(1));
    let mut ours = Vec::new();
    form.write(&sent.0, &mut ours).expect("PostgreSQL has sent it");
    assert_eq!(String::from_utf8_lossy(&ours), theirs);
}

/// A value as it is sent.
#[derive(Debug)]
struct Binary<'a>(&'a [u8]);

impl ToSql for Binary<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value as it comes.
struct Sent(Vec<u8>);

impl<'a> FromSql<'a> for Sent {
    fn from_sql(_: &Type, value: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(value.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
