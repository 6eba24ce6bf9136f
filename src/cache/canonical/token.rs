//! One JSON value, told apart without building a tree; and JSON strings read and written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};
use serde_json::value::RawValue;

use super::hex::write_hex;
use super::refusal::refused;
use crate::cache::Error;

/// One JSON value that is not null. What is borrowed is a piece of the client's own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// A string, unescaped. It holds no NUL.
    Text(Cow<'a, str>),
    /// A number, as it is written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// An array or an object, as it is written.
    Nested(&'a str),
}

impl<'a> Token<'a> {
    /// Looks at `value`, which is meant for `column`.
    ///
    /// `PGBADVALUE`: null, which no column's value equals; a string with a NUL, which PostgreSQL's JSON refuses, or with
    /// half a surrogate pair.
    pub fn of(column: &str, value: &'a RawValue) -> Result<Self, Error> {
        let json = value.get();
        match json.as_bytes().first() {
            Some(b'"') => text(column, json).map(Self::Text),
            Some(b't') => Ok(Self::Bool(true)),
            Some(b'f') => Ok(Self::Bool(false)),
            Some(b'[' | b'{') => Ok(Self::Nested(json)),
            Some(b'n') | None => Err(refused(column, "null matches no row")),
            Some(_) => Ok(Self::Number(json)),
        }
    }

    /// The text that PostgreSQL's JSON functions hand to a type's input function: a string's content, anything else as
    /// it is written.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(json) | Self::Nested(json) => Cow::Borrowed(json),
            Self::Bool(value) => Cow::Borrowed(word(value)),
        }
    }

    /// As [`Token::into_text`], without giving the token away.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(json) | Self::Nested(json) => json,
            Self::Bool(value) => word(*value),
        }
    }
}

/// `true` or `false`, as JSON and PostgreSQL's JSON functions spell it.
pub fn word(value: bool) -> &'static str {
    if value {
        "true"
    } else {
        "false"
    }
}

/// What the JSON string `json` (with its quotes) means for `column`.
pub fn text<'a>(column: &str, json: &'a str) -> Result<Cow<'a, str>, Error> {
    let text = unescape(json).ok_or_else(|| refused(column, "not a valid JSON string"))?;
    if text.contains('\0') {
        return Err(refused(column, "text cannot hold \\u0000"));
    }
    Ok(text)
}

/// What the JSON string `json` (with its quotes) means; allocates only when it holds an escape.
fn unescape(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inside.contains('\\') {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::Deserializer::from_str(json).deserialize_str(StringVisitor).ok()
}

/// Appends `text` as a JSON string: `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, lower-case `\u00xx` for the other control
/// characters, and everything else as it is. PostgreSQL's `to_json` writes the same bytes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    // A look at many bytes at once, since hardly any needs more than to be copied.
    for piece in text.as_bytes().chunks(PIECE) {
        if piece.iter().fold(true, |are_plain, byte| are_plain & is_plain(*byte)) {
            out.extend_from_slice(piece);
        } else {
            piece.iter().for_each(|byte| write_byte(*byte, out));
        }
    }
    out.push(b'"');
}

/// How many bytes of a string are looked at together.
const PIECE: usize = 64;

/// Whether a JSON string has a byte of its text as it is.
fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & (byte != b'"') & (byte != b'\\')
}

fn write_byte(byte: u8, out: &mut Vec<u8>) {
    let escaped = match byte {
        b'"' | b'\\' => byte,
        b'\x08' => b'b',
        b'\x0c' => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0..b' ' => {
            out.extend_from_slice(b"\\u00");
            return write_hex(&[byte], out);
        }
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', escaped]);
}

/// Takes a string as a piece of the input where it stands there unescaped.
pub struct StringVisitor;

impl<'de> DeserializeSeed<'de> for StringVisitor {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for StringVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_written_as_postgresql_writes_them() {
        assert_eq!(written("a\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}é😀"), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\u{7f}é😀\"");
    }

    #[test]
    fn a_plain_string_is_not_copied() {
        assert!(matches!(unescape("\"plain é\""), Some(Cow::Borrowed("plain é"))));
    }

    #[test]
    fn half_a_surrogate_pair_is_no_string() {
        assert_eq!(unescape("\"\\ud83d\\ude00\"").as_deref(), Some("😀"));
        assert_eq!(unescape("\"\\ud83d\""), None);
        assert_eq!(unescape("\"\\ude00\""), None);
    }

    proptest! {
        #[test]
        fn written_strings_read_back(text in "([ -~é😀]{0,70}|[\\x00-\\x7f]{0,9}|\\PC*){0,9}") {
            let json = written(&text);
            prop_assert_eq!(&json, &serde_json::to_string(&text).unwrap());
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.as_str());
            let read = unescape(&json).unwrap();
            prop_assert_eq!(read, text.as_str());
        }
    }
}
