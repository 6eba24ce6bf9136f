//! The one spelling that every value of a column type has.
//!
//! Two lookup keys name the same row when PostgreSQL calls their values equal, and the cache must then find the same
//! entry. For the common types a [`Rule`] writes the one spelling itself; for all others PostgreSQL is asked.

mod ask;
mod boolean;
mod decimal;
mod fast_path;
mod float;
mod hex;
mod integer;
mod numeric;
mod refusal;
mod rule_for;
mod text;
mod token;
mod uuid;

pub(crate) use hex::write_hex;
pub(crate) use refusal::shown;
pub use rule_for::{rule_for, TypeFacts};
pub(crate) use token::write_string;
pub(super) use token::{StringVisitor, Token};
pub(crate) use uuid::write_hyphenated;

use serde_json::value::RawValue;

use self::float::Width;
use super::error::Error;

/// How the values of one column are brought into their one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `int2`, `int4`, `int8`: decimal digits between the two bounds, both included.
    Int {
        /// The smallest value of the type.
        min: i64,
        /// The largest value of the type.
        max: i64,
    },
    /// `numeric`: every digit kept, no trailing zeros.
    Numeric,
    /// `float4`: the shortest digits that read back as the same value.
    Float4,
    /// `float8`: the shortest digits that read back as the same value.
    Float8,
    /// `bool`: `true` or `false`.
    Bool,
    /// `text` and `varchar`: the string itself.
    Text,
    /// `name`: the string itself up to 63 bytes; PostgreSQL cuts longer ones.
    Name,
    /// `char(n)`: the string without its trailing spaces, which PostgreSQL does not compare.
    Bpchar,
    /// `uuid`: lower-case hexadecimal digits with hyphens.
    Uuid,
    /// An enum: the label itself.
    Enum,
    /// Any other type: PostgreSQL reads the value and prints the spelling.
    ByPostgres {
        /// Whether values that PostgreSQL calls equal are printed alike.
        text_is_unique: bool,
    },
}

/// What [`Rule::write`] has appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanonicalForm {
    /// The value's one spelling, as JSON.
    Canonical,
    /// The value as the client spelled it, minified: only PostgreSQL can tell its one spelling.
    ByPostgres,
}

impl CanonicalForm {
    /// The spelling of a whole whose parts are spelled `self` and `other`.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Canonical, Self::Canonical) => Self::Canonical,
            _ => Self::ByPostgres,
        }
    }
}

impl Rule {
    /// `int2`.
    pub const INT2: Self = Self::Int { min: i16::MIN as i64, max: i16::MAX as i64 };
    /// `int4`.
    pub const INT4: Self = Self::Int { min: i32::MIN as i64, max: i32::MAX as i64 };
    /// `int8`.
    pub const INT8: Self = Self::Int { min: i64::MIN, max: i64::MAX };

    /// Appends `value`, which is meant for `column`, to `out` as JSON.
    ///
    /// What the column's type can never hold is `PGBADVALUE`; the text names the column. What `out` has been given by
    /// then stays there.
    pub fn write(&self, column: &str, value: &RawValue, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
        let token = Token::of(column, value)?;
        match *self {
            Self::Int { min, max } => integer::write(column, &token, min..=max, out),
            Self::Numeric => numeric::write(column, &token, out),
            Self::Float4 => float::write(column, &token, Width::Single, out),
            Self::Float8 => float::write(column, &token, Width::Double, out),
            Self::Bool => boolean::write(column, &token, out),
            Self::Text | Self::Enum => text::write(&token, out),
            Self::Name => text::write_name(&token, out),
            Self::Bpchar => text::write_padded(&token, out),
            Self::Uuid => uuid::write(column, &token, out),
            Self::ByPostgres { .. } => ask::write(column, &token, out),
        }
    }

    /// Whether its values are integers that fit 64 bits.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Int { .. })
    }

    /// Whether values that PostgreSQL calls equal always end as one text in a row's own canonical key.
    ///
    /// True for every rule that spells by itself, because it spells what PostgreSQL printed as well. An index on a
    /// column of which this is false may know one row under several texts.
    pub fn text_is_unique(&self) -> bool {
        !matches!(self, Self::ByPostgres { text_is_unique: false })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod testing {
    //! What the tests of every rule need.

    use super::*;

    /// What `rule` makes of `json`: its spelling, with `?` in front of what only PostgreSQL can tell; or the error.
    pub fn spell(rule: Rule, json: &str) -> String {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        let text = |out| String::from_utf8(out).unwrap();
        match rule.write("c", value, &mut out) {
            Ok(CanonicalForm::Canonical) => text(out),
            Ok(CanonicalForm::ByPostgres) => format!("?{}", text(out)),
            Err(error) => error.to_string(),
        }
    }

    /// Asserts that `rule` refuses every one of `values`, naming the column.
    pub fn assert_refused(rule: Rule, values: &[&str]) {
        for json in values {
            let answer = spell(rule, json);
            assert!(answer.starts_with("PGBADVALUE column \"c\": "), "{json}: {answer}");
        }
    }

    /// Asserts that `rule` leaves every one of `values` to PostgreSQL, minified as it is.
    pub fn assert_asked(rule: Rule, values: &[&str]) {
        for json in values {
            assert_eq!(spell(rule, json), format!("?{json}"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::testing::spell;
    use super::*;
    use proptest::prelude::*;

    const ALL: [Rule; 13] = [
        Rule::INT2,
        Rule::INT4,
        Rule::INT8,
        Rule::Numeric,
        Rule::Float4,
        Rule::Float8,
        Rule::Bool,
        Rule::Text,
        Rule::Name,
        Rule::Bpchar,
        Rule::Uuid,
        Rule::Enum,
        Rule::ByPostgres { text_is_unique: true },
    ];

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
            "[ +\\-0-9.eE_xinfa]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            "\"(\\\\u[0-9a-fA-F]{4}|\\\\[nrtbf/\"\\\\]|[a-z]){0,6}\"",
            "(true|false|null)",
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|v| format!("[ {} ]", v.join(" , ")))
        })
    }

    #[test]
    fn a_null_is_no_value() {
        for rule in ALL {
            assert!(spell(rule, "null").starts_with("PGBADVALUE column \"c\": null"));
        }
    }

    #[test]
    fn a_nul_character_fits_in_no_type() {
        for rule in ALL {
            assert!(spell(rule, "\"a\\u0000\"").starts_with("PGBADVALUE column \"c\": "), "{rule:?}");
        }
    }

    #[test]
    fn a_whole_is_canonical_when_all_its_parts_are() {
        assert_eq!(CanonicalForm::Canonical.and(CanonicalForm::Canonical), CanonicalForm::Canonical);
        assert_eq!(CanonicalForm::Canonical.and(CanonicalForm::ByPostgres), CanonicalForm::ByPostgres);
        assert_eq!(CanonicalForm::ByPostgres.and(CanonicalForm::Canonical), CanonicalForm::ByPostgres);
    }

    proptest! {
        #[test]
        fn a_spelling_is_its_own_spelling(json in json(), index in 0..ALL.len()) {
            let rule = ALL[index];
            let once = spell(rule, &json);
            if !once.starts_with("PGBADVALUE") && !once.starts_with("ERR") {
                prop_assert_eq!(spell(rule, once.trim_start_matches('?')), once);
            }
        }
    }
}
