//! The array of lookup keys that MULTIREAD takes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{members, LookupKey};
use crate::cache::Error;

/// The lookup keys in the array that `json` consists of, at most `max` of them.
pub fn parse(json: &str, max: usize) -> Result<Vec<LookupKey<'_>>, Error> {
    if !json.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[') {
        let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
        return Err(Error::malformed(if is_json {
            "lookup keys must be a JSON array of objects"
        } else {
            "lookup keys are not valid JSON"
        }));
    }
    let mut keys = Keys { max, parsed: Vec::new(), fault: None };
    let mut parser = serde_json::Deserializer::from_str(json);
    let outcome = keys.deserialize(&mut parser).and_then(|()| parser.end());
    match (outcome, keys.fault) {
        (_, Some(fault)) => Err(fault),
        (Err(_), None) => Err(Error::malformed(not_json(keys.parsed.len()))),
        (Ok(()), None) => Ok(keys.parsed),
    }
}

fn not_json(parsed: usize) -> String {
    format!("lookup keys are not valid JSON, at or after index {parsed} of the array")
}

/// What has been parsed so far, and the first element that is no lookup key: the parser's own errors cannot carry it.
struct Keys<'de> {
    max: usize,
    parsed: Vec<LookupKey<'de>>,
    fault: Option<Error>,
}

impl<'de> Keys<'de> {
    fn add(&mut self, element: &'de RawValue) -> Result<(), Error> {
        let index = self.parsed.len();
        if index >= self.max {
            return Err(Error::malformed(format!("more lookup keys than max_multiread_keys ({})", self.max)));
        }
        let members = members::parse(element.get()).map_err(|fault| fault.of_element(index))?;
        self.parsed.push(LookupKey { members });
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Keys<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Keys<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if let Err(fault) = self.add(element) {
                self.fault = Some(fault);
                return Err(A::Error::custom("no lookup key"));
            }
        }
        Ok(())
    }
}
