//! What `to_json` makes of a value, from the text that its type's output function writes in a session of ours.

use ::postgres::types::Type;

use crate::cache::canonical::write_string;

/// How values of a type stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As they are, unless they are no number of JSON's.
    Number,
    /// `true` and `false`.
    Boolean,
    /// As they are.
    Json,
    /// As a string.
    String,
    /// As a string, with a `T` before the time of day.
    Timestamp,
    /// The same, with the minutes of the time zone.
    TimestampWithZone,
}

impl Spelling {
    /// That of the built-in type with this `pg_type.oid`; `None`: it cannot be told.
    pub fn of(type_oid: u32) -> Option<Self> {
        match Type::from_oid(type_oid)? {
            Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC | Type::FLOAT4 | Type::FLOAT8 => Some(Self::Number),
            Type::BOOL => Some(Self::Boolean),
            Type::JSON | Type::JSONB => Some(Self::Json),
            Type::TIMESTAMP => Some(Self::Timestamp),
            Type::TIMESTAMPTZ => Some(Self::TimestampWithZone),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::UUID => Some(Self::String),
            Type::DATE | Type::TIME | Type::TIMETZ | Type::INTERVAL => Some(Self::String),
            Type::BYTEA | Type::OID | Type::INET | Type::CIDR | Type::MACADDR | Type::MACADDR8 => Some(Self::String),
            Type::BIT | Type::VARBIT | Type::PG_LSN => Some(Self::String),
            Type::INT4_RANGE | Type::INT8_RANGE | Type::NUM_RANGE | Type::DATE_RANGE => Some(Self::String),
            Type::TS_RANGE | Type::TSTZ_RANGE => Some(Self::String),
            _ => None,
        }
    }

    /// Appends what `to_json` makes of `text`.
    pub fn write(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Number if serde_json::from_str::<serde_json::Number>(text).is_ok() => {
                out.extend_from_slice(text.as_bytes());
            }
            Self::Boolean => out.extend_from_slice(if text == "t" { b"true" } else { b"false" }),
            Self::Json => out.extend_from_slice(text.as_bytes()),
            Self::Timestamp => write_string(&text.replacen(' ', "T", 1), out),
            Self::TimestampWithZone => write_string(&with_minutes(text).replacen(' ', "T", 1), out),
            Self::Number | Self::String => write_string(text, out),
        }
    }
}

/// Sessions of ours are in UTC, which is written as `+00`.
fn with_minutes(text: &str) -> String {
    let (moment, era) = text.strip_suffix(" BC").map_or((text, ""), |moment| (moment, " BC"));
    match moment.strip_suffix("+00") {
        Some(moment) => format!("{moment}+00:00{era}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(type_: &Type, text: &str) -> String {
        let mut out = Vec::new();
        if let Some(spelling) = Spelling::of(type_.oid()) {
            spelling.write(text, &mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn values_are_spelled_as_to_json_spells_them() {
        for (type_, text, json) in [
            (Type::INT8, "-7", "-7"),
            (Type::NUMERIC, "1.50", "1.50"),
            (Type::NUMERIC, "NaN", "\"NaN\""),
            (Type::FLOAT8, "1e+16", "1e+16"),
            (Type::FLOAT4, "-Infinity", "\"-Infinity\""),
            (Type::BOOL, "t", "true"),
            (Type::BOOL, "f", "false"),
            (Type::JSONB, "{\"a\": 1}", "{\"a\": 1}"),
            (Type::TEXT, "a\"b\n", "\"a\\\"b\\n\""),
            (Type::DATE, "0044-03-15 BC", "\"0044-03-15 BC\""),
            (Type::TIMESTAMP, "2024-01-02 03:04:05.5", "\"2024-01-02T03:04:05.5\""),
            (Type::TIMESTAMP, "0044-03-15 10:00:00 BC", "\"0044-03-15T10:00:00 BC\""),
            (Type::TIMESTAMPTZ, "2024-01-02 03:04:05+00", "\"2024-01-02T03:04:05+00:00\""),
            (Type::TIMESTAMPTZ, "0044-03-15 10:00:00+00 BC", "\"0044-03-15T10:00:00+00:00 BC\""),
            (Type::TIMESTAMPTZ, "infinity", "\"infinity\""),
            (Type::OID, "16402", "\"16402\""),
        ] {
            assert_eq!(written(&type_, text), json, "{type_} {text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        for type_ in [Type::INT4_ARRAY, Type::MONEY, Type::REGCLASS, Type::RECORD] {
            assert_eq!(Spelling::of(type_.oid()), None, "{type_}");
        }
        assert_eq!(Spelling::of(16_384), None);
    }
}
