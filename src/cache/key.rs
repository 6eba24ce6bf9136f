//! Lookup keys: the JSON object that names one row, and the one text under which the row is cached.

mod contradiction;
mod fast_path;
mod key_error;
mod many;
mod members;
mod row;
mod scan;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub use self::fast_path::{after_spaces, FastPath};
use self::key_error::KeyError;
pub use self::key_error::{element, IN_A_SHELL};
use self::members::Members;
pub use self::row::write_canonical_row;
pub(super) use self::scan::{is_deeper_than, write_compact};
use super::canonical::{shown, write_string, CanonicalForm, Rule, Token};
use super::error::Error;

/// The longest lookup key, in bytes of JSON.
pub const MAX_KEY_BYTES: usize = 65_536;

/// As many levels of arrays and objects a value may have.
pub const MAX_DEPTH: usize = 32;

/// A lookup key: at least one column with its value, sorted by name, bytewise; no name twice, no null.
///
/// It borrows the bytes that it was parsed from. A key of up to four columns whose names hold no escapes needs no memory
/// of its own.
#[derive(Debug, Clone)]
pub struct LookupKey<'a> {
    members: Members<'a>,
}

impl<'a> LookupKey<'a> {
    /// Reads one JSON object of at most [`MAX_KEY_BYTES`]. Every refusal is an `ERR` that says what is wrong.
    pub fn parse(json: &'a [u8]) -> Result<Self, Error> {
        // Before the bytes are looked at: a hostile argument may have gigabytes.
        if json.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong.of_key());
        }
        let text = std::str::from_utf8(json).map_err(|_| KeyError::NotUtf8.of_key())?;
        let members = members::parse(text).map_err(KeyError::of_key)?;
        Ok(Self { members })
    }

    /// Reads the columns of one row as a change notice carries them: like [`LookupKey::parse`], but a value may be null.
    pub fn parse_row(json: &'a str) -> Result<Self, Error> {
        let members = members::parse_row(json).map_err(KeyError::of_key)?;
        Ok(Self { members })
    }

    /// Reads what [`LookupKey::write_canonical`] has written, which may be longer than what it was written from.
    pub fn parse_written(json: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(json).map_err(|_| KeyError::NotUtf8.of_key())?;
        let members = members::parse_written(text).map_err(KeyError::of_key)?;
        Ok(Self { members })
    }

    /// Reads a JSON array of at most `max` lookup keys, in its order; an empty one is an empty `Vec`.
    ///
    /// Every refusal is an `ERR`; it names the index of the element that is no lookup key, or `max_multiread_keys`.
    pub fn parse_many(json: &'a [u8], max: usize) -> Result<Vec<Self>, Error> {
        let text = std::str::from_utf8(json).map_err(|_| Error::malformed("lookup keys are not valid UTF-8"))?;
        many::parse(text, max)
    }

    /// How many columns there are, at least one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The columns' names, sorted bytewise.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    /// The columns' names and values, sorted bytewise by name.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &'a RawValue)> + Clone {
        self.members.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Appends the canonical key, `{"a":1,"b":"x"}`; `rules` stand in the order of [`LookupKey::columns`].
    ///
    /// After `CanonicalForm::ByPostgres` it is the same JSON with at least one value as the client spelled it: no cache key, but one text
    /// for what is to be asked, and an object that `json_to_recordset` reads. A value that its column cannot hold is
    /// `PGBADVALUE`; `out` then keeps what it has been given so far.
    pub fn write_canonical(&self, rules: &[Rule], out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
        if rules.len() != self.members.len() {
            return Err(Error::malformed("lookup key has another number of columns than its table's rules"));
        }
        let mut spelling = CanonicalForm::Canonical;
        for (index, ((name, value), rule)) in self.members.iter().zip(rules).enumerate() {
            write_name(index, name, out);
            let start = out.len();
            let spelled = rule.write(name, value, out)?;
            if spelled == CanonicalForm::ByPostgres && matches!(value.get().as_bytes(), [b'[' | b'{', ..]) {
                // A type such as citext reads an array as the text that it is, spaces and all: another text, another row.
                out.truncate(start);
                out.extend_from_slice(value.get().as_bytes());
            }
            spelling = spelling.and(spelled);
        }
        out.push(b'}');
        Ok(spelling)
    }

    /// The text that the type's input function would get for column `index`: a string's content, a number's digits,
    /// `true`, `false`, or the source text of an array or object.
    ///
    /// `PGBADVALUE` for `\u0000`, `ERR` for an index beyond the last column.
    pub fn text_of(&self, index: usize) -> Result<Cow<'a, str>, Error> {
        let (name, value) =
            self.members.get(index).ok_or_else(|| Error::malformed(format!("lookup key has no column {index}")))?;
        Token::of(name, value).map(Token::into_text)
    }
}

/// Appends what stands before the value of column `index`: `{"id":` for the first one, `,"id":` for the others.
fn write_name(index: usize, name: &str, out: &mut Vec<u8>) {
    out.push(if index == 0 { b'{' } else { b',' });
    write_string(name, out);
    out.push(b':');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
