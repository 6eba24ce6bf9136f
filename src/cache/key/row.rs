//! The canonical key of a row that PostgreSQL has returned.

use serde_json::value::RawValue;

use super::{shown, write_name};
use crate::cache::{Error, Rule};

/// Appends the canonical key of a row, `{"a":1,"b":"x"}`.
///
/// `columns` are the names of the key's columns, sorted bytewise; `rules` and `texts` stand in the same order. A text is
/// what PostgreSQL's `to_json` printed for that column of the row. A column with a rule is spelled by it; any other
/// stands as PostgreSQL printed it, minified, since that is its one spelling.
///
/// A text that is no JSON, or is null, is an error that names its column: no lookup key ever names such a row.
pub fn write_canonical_row<N: AsRef<str>, T: AsRef<str>>(
    columns: &[N],
    rules: &[Rule],
    texts: &[T],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    if columns.is_empty() || columns.len() != rules.len() || columns.len() != texts.len() {
        return Err(Error::malformed("a row has another number of key columns than its table's rules"));
    }
    for (index, ((name, rule), text)) in columns.iter().zip(rules).zip(texts).enumerate() {
        let name = name.as_ref();
        write_name(index, name, out);
        rule.write(name, printed(name, text.as_ref())?, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn printed<'a>(column: &str, text: &'a str) -> Result<&'a RawValue, Error> {
    serde_json::from_str(text)
        .map_err(|_| Error::malformed(format!("PostgreSQL's text for column {} is not valid JSON", shown(column))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(columns: &[&str], rules: &[Rule], texts: &[&str]) -> String {
        let mut out = Vec::new();
        write_canonical_row(columns, rules, texts, &mut out)
            .map_or_else(|error| error.to_string(), |()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn rules_spell_what_postgresql_printed() {
        let rules = [Rule::INT4, Rule::Numeric, Rule::Bpchar, Rule::ByPostgres { text_is_unique: true }];
        let texts = ["7", "1.00", "\"ab \"", "{\"lower\": [1, 2.50]}"];
        assert_eq!(written(&["a", "b", "c", "d"], &rules, &texts), r#"{"a":7,"b":1,"c":"ab","d":{"lower":[1,2.50]}}"#);
        assert_eq!(written(&["x\"y"], &[Rule::Float8], &["1e+16"]), r#"{"x\"y":1e16}"#);
    }

    #[test]
    fn what_is_no_row_of_the_table_is_an_error() {
        assert!(written(&["a"], &[Rule::INT4], &["oops"]).contains("column \"a\""));
        assert!(written(&["a"], &[Rule::INT4], &["null"]).starts_with("PGBADVALUE column \"a\""));
        assert!(written(&["a"], &[Rule::INT4], &[]).starts_with("ERR "));
        assert!(written(&[], &[], &[]).starts_with("ERR "));
    }
}
