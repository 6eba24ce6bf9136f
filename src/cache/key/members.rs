//! The members of a JSON object, as pieces of its text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::key_error::KeyError;
use super::scan::{is_deeper_than, surrogates_are_paired};
use super::{MAX_DEPTH, MAX_KEY_BYTES};
use crate::cache::canonical::StringVisitor;

/// One column of a lookup key and its value. The name is borrowed unless it holds an escape.
pub type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// All columns of a lookup key; keys of up to four columns need no memory of their own.
pub type Members<'a> = SmallVec<[Member<'a>; 4]>;

/// The members of the object that `json` consists of, sorted by name, bytewise.
pub fn parse(json: &str) -> Result<Members<'_>, KeyError> {
    let members = parse_row(json)?;
    members.iter().try_for_each(check_member)?;
    Ok(members)
}

/// The same of a row that PostgreSQL printed, in which values may be null and as deep as they like.
pub fn parse_row(json: &str) -> Result<Members<'_>, KeyError> {
    if json.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong);
    }
    if !surrogates_are_paired(json) {
        return Err(KeyError::LoneSurrogate);
    }
    parse_written(json)
}

/// The same of an object of our own.
pub fn parse_written(json: &str) -> Result<Members<'_>, KeyError> {
    let mut members = split(json)?;
    members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    check_names(&members)?;
    Ok(members)
}

fn split(json: &str) -> Result<Members<'_>, KeyError> {
    if !json.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
        return Err(if is_json { KeyError::NotObject } else { KeyError::NotJson });
    }
    let mut parser = serde_json::Deserializer::from_str(json);
    let members = parser.deserialize_map(MembersVisitor).map_err(|_| KeyError::NotJson)?;
    parser.end().map_err(|_| KeyError::NotJson)?;
    Ok(members)
}

fn check_names(members: &[Member<'_>]) -> Result<(), KeyError> {
    if members.is_empty() {
        return Err(KeyError::NoColumn);
    }
    let names = members.iter().map(|(name, _)| name);
    if let Some((name, _)) = names.clone().zip(names.skip(1)).find(|(name, next)| name == next) {
        return Err(KeyError::Duplicate(name.to_string()));
    }
    Ok(())
}

fn check_member((name, value): &Member<'_>) -> Result<(), KeyError> {
    match value.get().as_bytes().first() {
        Some(b'n') => Err(KeyError::Null(name.to_string())),
        Some(b'[' | b'{') if is_deeper_than(value.get(), MAX_DEPTH) => Err(KeyError::TooDeep(name.to_string())),
        _ => Ok(()),
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        while let Some(name) = map.next_key_seed(StringVisitor)? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}
