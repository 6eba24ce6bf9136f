//! Whether the JSON of a row can be that of the row which a lookup key names.

use serde_json::value::RawValue;

use super::LookupKey;
use crate::cache::canonical::{CanonicalForm, Rule};

impl LookupKey<'_> {
    /// The first column for which `row`, a JSON object, has another value than the key. `rules` stand in the order of
    /// [`LookupKey::columns`].
    ///
    /// Only what is proven counts: a column that the row does not have, and a value that only PostgreSQL can compare, may be
    /// the key's.
    pub fn contradicted_by(&self, rules: &[Rule], row: &str) -> Option<&str> {
        let row = LookupKey::parse_written(row.as_bytes()).ok()?;
        let of_row = |name: &str| row.members().find(|(column, _)| *column == name).map(|(_, value)| value);
        let mut columns = self.members().map(|(name, _)| name).zip(self.members.iter().zip(rules));
        let contradicted = columns
            .position(|(name, ((_, value), rule))| of_row(name).is_some_and(|other| differ(*rule, name, value, other)));
        contradicted.and_then(|index| self.members.get(index)).map(|(name, _)| name.as_ref())
    }
}

/// Whether a column's value in a key and one in a row are certainly not equal.
fn differ(rule: Rule, column: &str, key: &RawValue, row: &RawValue) -> bool {
    // A whole number may be written as 1.0, though not in a key.
    let spelled = |value| spelling(rule, column, value).or_else(|()| spelling(Rule::Numeric, column, value));
    match (spelled(key), spelled(row)) {
        (Ok(Some(key)), Ok(Some(row))) => key != row,
        (_, result) => result.is_err(),
    }
}

/// The one spelling of a value; `None`: only PostgreSQL knows it. `Err`: the column's type cannot hold the value.
fn spelling(rule: Rule, column: &str, value: &RawValue) -> Result<Option<Vec<u8>>, ()> {
    let mut out = Vec::new();
    let form = rule.write(column, value, &mut out).map_err(drop)?;
    Ok((form == CanonicalForm::Canonical).then_some(out))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ASK: Rule = Rule::ByPostgres { text_is_unique: true };

    fn contradicted(rules: &[Rule], key: &str, row: &str) -> Option<String> {
        LookupKey::parse(key.as_bytes()).unwrap().contradicted_by(rules, row).map(str::to_owned)
    }

    #[test]
    fn another_value_contradicts() {
        for (rule, key, row) in [
            (Rule::INT4, "1", "2"),
            (Rule::INT4, "\"1\"", "1.5"),
            (Rule::INT4, "1", "null"),
            (Rule::INT4, "1", "true"),
            (Rule::Numeric, "1.0", "1.01"),
            (Rule::Text, "\"a\"", "\"A\""),
            (Rule::Bool, "true", "false"),
            (Rule::Uuid, "\"f0000000-0000-0000-0000-000000000000\"", "\"f0000000-0000-0000-0000-000000000001\""),
        ] {
            let (key, row) = (format!("{{\"c\":{key}}}"), format!("{{\"a\":0,\"c\":{row}}}"));
            assert_eq!(contradicted(&[rule], &key, &row).as_deref(), Some("c"), "{key} {row}");
        }
    }

    #[test]
    fn another_spelling_does_not() {
        for (rule, key, row) in [
            (Rule::INT4, "1", "\"1\""),
            (Rule::INT4, "1", "1.0"),
            (Rule::Numeric, "1.0", "1.00"),
            (Rule::Text, "\"a\"", "\"\\u0061\""),
            (Rule::Bpchar, "\"a\"", "\"a  \""),
            (Rule::Uuid, "\"F0000000-0000-0000-0000-000000000000\"", "\"f0000000000000000000000000000000\""),
        ] {
            let (key, row) = (format!("{{\"c\":{key}}}"), format!("{{\"c\":{row}}}"));
            assert_eq!(contradicted(&[rule], &key, &row), None, "{key} {row}");
        }
    }

    #[test]
    fn what_is_not_proven_does_not() {
        assert_eq!(contradicted(&[ASK], r#"{"c":"1 day"}"#, r#"{"c":"24:00"}"#), None);
        assert_eq!(contradicted(&[Rule::INT4], r#"{"c":"0x1"}"#, r#"{"c":2}"#), None);
        for row in ["{}", r#"{"d":2}"#, r#"{"c":2,"c":1}"#] {
            assert_eq!(contradicted(&[Rule::INT4], r#"{"c":1}"#, row), None, "{row}");
        }
    }

    #[test]
    fn every_column_of_the_key_is_compared() {
        let (rules, key) = ([Rule::INT4, ASK, Rule::Text], r#"{"z":"x","a":1,"b":[1]}"#);
        assert_eq!(contradicted(&rules, key, r#"{"a":1,"b":[2],"z":"x"}"#), None);
        assert_eq!(contradicted(&rules, key, r#"{"a":1,"b":[2],"z":"y"}"#).as_deref(), Some("z"));
    }
}
