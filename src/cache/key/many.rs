//! The array of lookup keys that MULTIREAD takes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::key_error::IN_A_SHELL;
use super::{members, LookupKey};
use crate::cache::Error;

/// The lookup keys in the array that `json` consists of, at most `max` of them.
pub fn parse(json: &str, max: usize) -> Result<Vec<LookupKey<'_>>, Error> {
    if !json.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[') {
        let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
        return Err(Error::malformed(if is_json {
            format!("lookup keys must be a JSON array of objects such as {EXAMPLE}")
        } else {
            not_json("")
        }));
    }
    let mut keys = Keys { max, parsed: Vec::new(), fault: None };
    let mut parser = serde_json::Deserializer::from_str(json);
    let outcome = keys.deserialize(&mut parser).and_then(|()| parser.end());
    match (outcome, keys.fault) {
        (_, Some(fault)) => Err(fault),
        (Err(_), None) => {
            let place = format!(", at or after index {} (the first is 0)", keys.parsed.len());
            Err(Error::malformed(not_json(&place)))
        }
        (Ok(()), None) => Ok(keys.parsed),
    }
}

const EXAMPLE: &str = r#"[{"id":1},{"id":2}]"#;

fn not_json(place: &str) -> String {
    format!("lookup keys are not valid JSON{place}: {IN_A_SHELL} '{EXAMPLE}'")
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
            return Err(Error::malformed(format!(
                "more lookup keys than max_multiread_keys ({}): ask for fewer at once, or raise it",
                self.max
            )));
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
