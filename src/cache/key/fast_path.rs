//! Lookup keys as nearly all clients write them: their columns in order, their values in the one spelling, spaces at most.
//! They are recognised in one scan; whatever else there is, right or wrong, is the JSON parser's to tell.

use std::str;

use super::{write_name, MAX_KEY_BYTES};
use crate::cache::Rule;

/// How the lookup keys of one set of columns look.
#[derive(Debug)]
pub struct FastPath {
    columns: Box<[Column]>,
}

#[derive(Debug)]
struct Column {
    /// What stands before the value: `{"id":`, `,"b":`.
    stem: Box<[u8]>,
    rule: Rule,
}

impl FastPath {
    /// Of keys with these columns, sorted bytewise by name.
    pub fn new<'c>(columns: impl Iterator<Item = (&'c str, Rule)>) -> Self {
        let column = |(index, (name, rule)): (usize, (&str, Rule))| {
            let mut stem = Vec::new();
            write_name(index, name, &mut stem);
            Column { stem: stem.into(), rule }
        };
        Self { columns: columns.enumerate().map(column).collect() }
    }

    /// Appends the canonical key of the object that `json` begins with, and returns what follows it.
    ///
    /// `None`: a case for the parser; `out` then keeps what it has been given so far.
    pub fn copy<'j>(&self, json: &'j [u8], out: &mut Vec<u8>) -> Option<&'j [u8]> {
        if let Some(rest) = self.after_canonical(json).filter(|rest| json.len() - rest.len() <= MAX_KEY_BYTES) {
            out.extend_from_slice(json.get(..json.len() - rest.len())?);
            return Some(rest);
        }
        let mut rest = json;
        for column in &self.columns {
            rest = column.after_stem(rest)?;
            out.extend_from_slice(&column.stem);
            rest = column.rule.copy(rest, out)?;
        }
        rest = after_spaces(rest).strip_prefix(b"}")?;
        out.push(b'}');
        (json.len() - rest.len() <= MAX_KEY_BYTES).then_some(rest)
    }

    /// What follows the canonical key that `json` begins with, if it begins with one: with not even a space to leave out.
    fn after_canonical<'j>(&self, json: &'j [u8]) -> Option<&'j [u8]> {
        let mut rest = json;
        for column in &self.columns {
            (_, rest) = column.rule.split(rest.strip_prefix(&*column.stem)?)?;
        }
        rest.strip_prefix(b"}")
    }

    /// The texts of the values of `key`, a canonical key with these columns, as [`LookupKey::text_of`] tells them.
    ///
    /// `None`: a case for the parser.
    ///
    /// [`LookupKey::text_of`]: super::LookupKey::text_of
    pub fn texts(&self, key: &[u8]) -> Option<Box<[Box<str>]>> {
        let (mut texts, mut rest) = (Vec::with_capacity(self.columns.len()), key);
        for column in &self.columns {
            let (value, after) = column.rule.split(rest.strip_prefix(&*column.stem)?)?;
            rest = after;
            let text = match value {
                [b'"', text @ .., b'"'] => text,
                number => number,
            };
            texts.push(str::from_utf8(text).ok()?.into());
        }
        Some(texts.into())
    }
}

impl Column {
    /// What follows the stem in `json`, which begins with it.
    fn after_stem<'j>(&self, json: &'j [u8]) -> Option<&'j [u8]> {
        if let Some(rest) = json.strip_prefix(&*self.stem) {
            return Some(after_spaces(rest));
        }
        let ([opening, name @ ..], colon) = self.stem.split_last().map(|(colon, stem)| (stem, colon))? else {
            return None;
        };
        let rest = after_spaces(json).strip_prefix(&[*opening])?;
        let rest = after_spaces(rest).strip_prefix(name)?;
        after_spaces(rest).strip_prefix(&[*colon]).map(after_spaces)
    }
}

/// What follows the spaces that `json` begins with.
pub fn after_spaces(mut json: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = json {
        json = rest;
    }
    json
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cache::canonical::CanonicalForm;
    use crate::cache::key::LookupKey;
    use proptest::prelude::*;

    const COLUMNS: [(&str, Rule); 2] = [("a", Rule::INT4), ("b\"", Rule::Text)];

    fn copied(columns: &[(&str, Rule)], json: &str) -> Option<String> {
        let mut out = Vec::new();
        let shape = FastPath::new(columns.iter().copied());
        let rest = shape.copy(json.as_bytes(), &mut out)?;
        after_spaces(rest).is_empty().then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn spaces_are_left_out() {
        let one = Some(r#"{"a":-5}"#.to_owned());
        assert_eq!(copied(&COLUMNS[..1], r#"{"a":-5}"#), one);
        assert_eq!(copied(&COLUMNS[..1], r#" { "a" : -5 } "#), one);
        let two = Some(r#"{"a":1,"b\"":"x y"}"#.to_owned());
        assert_eq!(copied(&COLUMNS, r#"{"a":1,"b\"":"x y"}"#), two);
        assert_eq!(copied(&COLUMNS, r#"{"a": 1, "b\"": "x y"}"#), two);
    }

    #[test]
    fn anything_else_is_left_to_the_parser() {
        for json in [
            "",
            "{}",
            "[]",
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            r#"{"a":1.5}"#,
            r#"{"a":1e3}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{"a":1,}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b\"":"x"}"#,
            r#"{"\u0061":1}"#,
            "{\"a\":\t1}",
        ] {
            assert_eq!(copied(&COLUMNS[..1], json), None, "{json}");
        }
        assert_eq!(copied(&COLUMNS, r#"{"b\"":"x","a":1}"#), None);
        // Spaces at its end are the parser's to count.
        let long = format!("{{\"a\":1{}}}", " ".repeat(MAX_KEY_BYTES));
        assert_eq!(copied(&COLUMNS[..1], &long), None);
    }

    #[test]
    fn what_follows_a_key_is_returned() {
        let shape = FastPath::new(COLUMNS.into_iter().take(1));
        assert_eq!(shape.copy(br#"{"a":1}, {"a":2}]"#, &mut Vec::new()), Some(&br#", {"a":2}]"#[..]));
    }

    proptest! {
        #[test]
        fn the_parser_agrees(
            json in r#" ?\{ ?"a" ?: ?("?-?[0-9]{0,11}"?|[0-9.eE+]{1,4}),? ?("b\\"" ?: ?("[a-zé "\\]{0,3}"|[0-9]))?\}? ?"#,
            count in 1usize..3,
        ) {
            let columns = &COLUMNS[..count];
            if let Some(copied) = copied(columns, &json) {
                let key = LookupKey::parse(json.as_bytes()).unwrap();
                let rules: Vec<Rule> = columns.iter().map(|(_, rule)| *rule).collect();
                let mut written = Vec::new();
                prop_assert_eq!(key.write_canonical(&rules, &mut written).unwrap(), CanonicalForm::Canonical);
                prop_assert_eq!(copied.as_bytes(), &*written);
                let texts = FastPath::new(columns.iter().copied()).texts(&written).unwrap();
                let parsed = (0..count).map(|index| key.text_of(index).unwrap().into());
                prop_assert_eq!(texts, parsed.collect::<Box<[Box<str>]>>());
            }
        }

        #[test]
        fn strings_of_any_text_are_copied_or_left(text: String, index in 0usize..5) {
            let rule = [Rule::Text, Rule::Name, Rule::Bpchar, Rule::Enum, Rule::Uuid][index];
            let json = format!("{{\"a\":\"{text}\"}}");
            if let Some(copied) = copied(&[("a", rule)], &json) {
                let key = LookupKey::parse(json.as_bytes()).unwrap();
                let mut written = Vec::new();
                prop_assert_eq!(key.write_canonical(&[rule], &mut written).unwrap(), CanonicalForm::Canonical);
                prop_assert_eq!(copied.into_bytes(), written);
            }
        }
    }
}
