//! `float4` and `float8`: the shortest digits that read back as the same value.

use std::fmt::Debug;
use std::io::Write as _;
use std::str::FromStr;

use super::ask;
use super::decimal::{trim, Decimal, Digits};
use super::refusal::{out_of_range, refused};
use super::token::Token;
use super::CanonicalForm;
use crate::cache::Error;

/// The two binary floats of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// `float4`, 32 bits.
    Single,
    /// `float8`, 64 bits.
    Double,
}

/// Appends the value that `token` spells; a string of another grammar is left to PostgreSQL, which takes `0x1p3`.
pub fn write(column: &str, token: &Token<'_>, width: Width, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    let text = match token {
        Token::Number(json) => *json,
        Token::Text(text) => trim(text),
        _ => return Err(refused(column, "a number is expected")),
    };
    match (Decimal::parse(text), token) {
        (Some(Decimal::Finite(digits)), _) => write_finite(column, text, digits, width, out)?,
        (Some(other), _) => out.extend_from_slice(other.special().unwrap_or_default()),
        (None, Token::Text(text)) => return Ok(ask::write_text(text, out)),
        (None, _) => return Err(refused(column, "a number is expected")),
    }
    Ok(CanonicalForm::Canonical)
}

fn write_finite(column: &str, text: &str, digits: Digits<'_>, width: Width, out: &mut Vec<u8>) -> Result<(), Error> {
    if digits.is_zero() {
        // PostgreSQL calls 0 and -0 equal.
        out.push(b'0');
        return Ok(());
    }
    match width {
        Width::Single => rounded::<f32>(text, |value| value.is_finite() && value != 0.0).map(|v| write_short(v, out)),
        Width::Double => rounded::<f64>(text, |value| value.is_finite() && value != 0.0).map(|v| write_short(v, out)),
    }
    .ok_or_else(|| out_of_range(column))
}

/// The nearest float, if the type can hold it: PostgreSQL rounds neither to infinity nor to zero.
fn rounded<F: FromStr + Copy>(text: &str, holds: fn(F) -> bool) -> Option<F> {
    text.parse().ok().filter(|value| holds(*value))
}

/// Appends Rust's shortest spelling, which is JSON, without the `.0` of whole numbers.
fn write_short(value: impl Debug, out: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let _ = write!(out, "{value:?}");
    if out.ends_with(b".0") {
        out.truncate(out.len() - 2);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::cache::canonical::testing::{assert_asked, assert_refused, spell};
    use crate::cache::canonical::Rule;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_float_is_one() {
        for json in ["1", "1.0", "1e0", "\"1.00\"", "\" +1 \"", "10e-1", "1.00000000000000000001"] {
            assert_eq!(spell(Rule::Float8, json), "1", "{json}");
        }
        for json in ["0", "-0", "-0.0", "0e-400", "\"-0e999\""] {
            assert_eq!(spell(Rule::Float8, json), "0", "{json}");
        }
    }

    #[test]
    fn postgresqls_own_text_is_the_same_spelling() {
        for (printed, typed) in
            [("1e+16", "10000000000000000"), ("1e-05", "0.00001"), ("1.2345678901234568e+17", "123456789012345678")]
        {
            assert_eq!(spell(Rule::Float8, printed), spell(Rule::Float8, typed));
        }
        assert_eq!(spell(Rule::Float4, "1.6777216e+07"), spell(Rule::Float4, "16777217"));
        assert_eq!(spell(Rule::Float4, "0.1"), "0.1");
    }

    #[test]
    fn what_has_no_digits_is_a_string() {
        assert_eq!(spell(Rule::Float8, "\"nan\""), "\"NaN\"");
        assert_eq!(spell(Rule::Float8, "\"+INF\""), "\"Infinity\"");
        assert_eq!(spell(Rule::Float4, "\" -infinity\""), "\"-Infinity\"");
    }

    #[test]
    fn what_would_round_to_infinity_or_zero_is_refused() {
        assert_refused(Rule::Float8, &["1e400", "-1e400", "1e-400", "2e-324", "1.7976931348623159e308"]);
        assert_refused(Rule::Float4, &["3.4028236e38", "1e-46", "7e-46", "\"1e39\""]);
        assert_eq!(spell(Rule::Float8, "1.7976931348623157e308"), "1.7976931348623157e308");
        assert_eq!(spell(Rule::Float4, "8e-46"), "1e-45");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_refused(Rule::Float8, &["true", "[1]", "{}"]);
    }

    #[test]
    fn unknown_strings_are_left_to_postgresql() {
        assert_asked(Rule::Float8, &["\"\"", "\"0x1p3\"", "\"+nan\"", "\"1d5\"", "\"abc\""]);
    }

    proptest! {
        #[test]
        fn doubles_round_trip(value: f64) {
            prop_assume!(value.is_finite());
            let spelled = spell(Rule::Float8, &format!("{value:e}"));
            prop_assert_eq!(spelled.parse::<f64>().unwrap(), value);
            prop_assert_eq!(spell(Rule::Float8, &format!("\"{value:+.30e}\"")), spelled);
        }

        #[test]
        fn singles_round_trip(value: f32) {
            prop_assume!(value.is_finite());
            let spelled = spell(Rule::Float4, &format!("{value:e}"));
            prop_assert_eq!(spelled.parse::<f32>().unwrap(), value);
        }
    }
}
