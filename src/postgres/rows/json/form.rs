//! How a type's values travel, and how PostgreSQL's `row_to_json` writes them.

use std::str;

use ::postgres::types::Type;

use super::{datetime, numeric, Malformed};
use crate::cache::canonical::{write_hex, write_hyphenated, write_string};

/// The types whose JSON is made here.
///
/// Not among them: `float4` and `float8`, of whose shortest digits PostgreSQL takes others than Rust in the last place;
/// arrays, composites, ranges; types that are not built in, which may have a cast to JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `bool`.
    Bool,
    /// `int2`.
    Int2,
    /// `int4`.
    Int4,
    /// `int8`.
    Int8,
    /// `numeric`.
    Numeric,
    /// `text`, `varchar`, `char(n)` and `name`.
    Text,
    /// `json`, which stands as it is.
    Json,
    /// `jsonb`: the same after a version.
    Jsonb,
    /// `uuid`.
    Uuid,
    /// `bytea`, in hexadecimal digits.
    Bytea,
    /// `date`.
    Date,
    /// `time`.
    Time,
    /// `timestamp`.
    Timestamp,
    /// `timestamptz`, in UTC as in every session of ours.
    Timestamptz,
}

/// The version of `jsonb`'s binary form.
const JSONB_VERSION: u8 = 1;

impl Form {
    /// That of `kind`; `None`: its JSON is left to PostgreSQL.
    pub fn of(kind: &Type) -> Option<Self> {
        Some(match *kind {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::NUMERIC => Self::Numeric,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => Self::Text,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::UUID => Self::Uuid,
            Type::BYTEA => Self::Bytea,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::Timestamptz,
            _ => return None,
        })
    }

    /// Appends `value`, a binary value that is not null.
    pub fn write(self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Bool => out.extend_from_slice(if value == [0] { b"false" } else { b"true" }),
            Self::Int2 => write_integer(i16::from_be_bytes(fixed(value)?).into(), out),
            Self::Int4 => write_integer(i32::from_be_bytes(fixed(value)?).into(), out),
            Self::Int8 => write_integer(i64::from_be_bytes(fixed(value)?), out),
            Self::Numeric => numeric::write(value, out)?,
            Self::Text => write_string(utf8(value)?, out),
            Self::Json => out.extend_from_slice(utf8(value)?.as_bytes()),
            Self::Jsonb => match value {
                [JSONB_VERSION, json @ ..] => out.extend_from_slice(utf8(json)?.as_bytes()),
                _ => return Err(Malformed),
            },
            Self::Uuid => write_hyphenated(&fixed(value)?, out),
            Self::Bytea => write_bytes(value, out),
            Self::Date => datetime::write_date(i32::from_be_bytes(fixed(value)?), out),
            Self::Time => datetime::write_time(i64::from_be_bytes(fixed(value)?), out),
            Self::Timestamp => datetime::write_timestamp(i64::from_be_bytes(fixed(value)?), "", out),
            Self::Timestamptz => datetime::write_timestamp(i64::from_be_bytes(fixed(value)?), "+00:00", out),
        }
        Ok(())
    }
}

/// The bytes of a value of fixed length.
fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed)
}

fn utf8(value: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(value).map_err(|_| Malformed)
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let _ = serde_json::to_writer(out, &value);
}

/// `"\\x0aff"`: as `bytea_output = hex` has it, its backslash escaped.
fn write_bytes(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"\\\\x");
    write_hex(value, out);
    out.push(b'"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(form: Form, value: &[u8]) -> String {
        let mut out = vec![];
        form.write(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        for (form, value, json) in [
            (Form::Bool, &[1][..], "true"),
            (Form::Bool, &[0], "false"),
            (Form::Int2, &[0x80, 0], "-32768"),
            (Form::Int4, &[0, 0, 1, 0], "256"),
            (Form::Int8, &[0xff; 8], "-1"),
            (Form::Text, b"a\"\\\n\x01\x7f", "\"a\\\"\\\\\\n\\u0001\x7f\""),
            (Form::Json, b"{\"a\" : 1}", "{\"a\" : 1}"),
            (Form::Jsonb, b"\x01{\"a\": 1}", "{\"a\": 1}"),
            (Form::Uuid, &[0xab; 16], "\"abababab-abab-abab-abab-abababababab\""),
            (Form::Bytea, &[0, 0xff], "\"\\\\x00ff\""),
            (Form::Bytea, &[], "\"\\\\x\""),
        ] {
            assert_eq!(written(form, value), json, "{form:?}");
        }
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused() {
        for (form, value) in [
            (Form::Int4, &[0, 0, 1][..]),
            (Form::Int8, &[]),
            (Form::Text, &[0xff]),
            (Form::Jsonb, b"\x02{}"),
            (Form::Jsonb, &[]),
            (Form::Uuid, &[1; 15]),
            (Form::Date, &[1; 8]),
            (Form::Numeric, &[0, 1, 0]),
        ] {
            assert_eq!(form.write(value, &mut vec![]), Err(Malformed), "{form:?}");
        }
    }
}
