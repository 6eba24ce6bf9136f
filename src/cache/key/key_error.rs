//! What is wrong with the JSON of a lookup key, apart from its values.

use std::fmt;

use super::{MAX_DEPTH, MAX_KEY_BYTES};
use crate::cache::canonical::shown;
use crate::cache::Error;

/// What has become of most texts that are no JSON: a shell has taken their quotes away, or has cut them at spaces and commas.
pub const IN_A_SHELL: &str = "in a shell, put it between single quotes, such as";

/// How an element of an array of keys is called.
pub fn element(index: usize) -> String {
    format!("lookup key at index {index} (the first is 0)")
}

/// Why the text is no lookup key. The texts name columns, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// More than `MAX_KEY_BYTES`.
    TooLong,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// Text that is no JSON, or more than one JSON value.
    NotJson,
    /// JSON, but no object.
    NotObject,
    /// An object without members.
    NoColumn,
    /// A string with half a surrogate pair.
    LoneSurrogate,
    /// A column that is named twice.
    Duplicate(String),
    /// A column whose value is null.
    Null(String),
    /// A column whose value nests deeper than `MAX_DEPTH`.
    TooDeep(String),
}

impl KeyError {
    /// The reply, when the key is an argument of its own.
    pub fn of_key(self) -> Error {
        Error::malformed(format!("lookup key {self}"))
    }

    /// The reply, when the key is the element at `index` (from 0) of an array of keys.
    pub fn of_element(self, index: usize) -> Error {
        Error::malformed(format!("{} {self}", element(index)))
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "is longer than {MAX_KEY_BYTES} bytes"),
            Self::NotUtf8 => f.write_str("is not valid UTF-8"),
            Self::NotJson => write!(f, "is not valid JSON: {IN_A_SHELL} '{{\"id\":1}}'"),
            Self::NotObject => f.write_str("must be a JSON object such as {\"id\":1}"),
            Self::NoColumn => f.write_str("must name at least one column"),
            Self::LoneSurrogate => f.write_str("holds half a UTF-16 surrogate pair"),
            Self::Duplicate(column) => write!(f, "names column {} twice", shown(column)),
            Self::Null(column) => write!(f, "has null for column {}: null matches no row", shown(column)),
            Self::TooDeep(column) => {
                write!(f, "nests deeper than {MAX_DEPTH} levels in column {}", shown(column))
            }
        }
    }
}
