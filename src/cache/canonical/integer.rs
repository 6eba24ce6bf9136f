//! `int2`, `int4`, `int8`: plain decimal digits.

use std::io::Write as _;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;

use super::ask;
use super::decimal::trim;
use super::refusal::refused;
use super::token::Token;
use super::CanonicalForm;
use crate::cache::Error;

/// Appends the integer that `token` spells, if it lies in `range`.
///
/// A string that is no plain decimal number is left to PostgreSQL, whose later versions take `0x1F` and `1_000`.
pub fn write(
    column: &str,
    token: &Token<'_>,
    range: RangeInclusive<i64>,
    out: &mut Vec<u8>,
) -> Result<CanonicalForm, Error> {
    let digits = match token {
        Token::Number(json) if is_integer(json) => *json,
        Token::Text(text) if is_integer(trim(text)) => trim(text),
        Token::Text(text) => return Ok(ask::write_text(text, out)),
        _ => return Err(refused(column, "an integer is expected")),
    };
    let number = parse(digits)
        .filter(|number| range.contains(number))
        .ok_or_else(|| refused(column, &format!("an integer from {} to {} is expected", range.start(), range.end())))?;
    // Writing into memory cannot fail.
    let _ = write!(out, "{number}");
    Ok(CanonicalForm::Canonical)
}

/// Whether `text` is an optional sign and decimal digits.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number, unless it is beyond 64 bits.
fn parse(digits: &str) -> Option<i64> {
    match digits.parse() {
        Ok(number) => Some(number),
        Err(error) => {
            debug_assert!(matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cache::canonical::testing::{assert_asked, assert_refused, spell};
    use crate::cache::canonical::Rule;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_an_integer_is_one() {
        for json in ["5", "\"5\"", "\"+5\"", "\" 5 \"", "\"\\t005\\n\"", "\"\\u000b5\\f\""] {
            assert_eq!(spell(Rule::INT4, json), "5", "{json}");
        }
        for json in ["0", "-0", "\"-0\"", "\"+000\""] {
            assert_eq!(spell(Rule::INT4, json), "0", "{json}");
        }
    }

    #[test]
    fn large_integers_keep_every_digit() {
        assert_eq!(spell(Rule::INT8, "9007199254740993"), "9007199254740993");
        assert_eq!(spell(Rule::INT8, "-9223372036854775808"), "-9223372036854775808");
    }

    #[test]
    fn what_lies_outside_of_the_type_is_refused() {
        assert_refused(Rule::INT2, &["32768", "-32769"]);
        assert_refused(Rule::INT4, &["2147483648", "\"-2147483649\"", "99999999999999999999999"]);
        assert_refused(Rule::INT8, &["9223372036854775808"]);
        assert_eq!(
            spell(Rule::INT4, "2147483648"),
            "PGBADVALUE column \"c\": an integer from -2147483648 to 2147483647 is expected"
        );
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        assert_refused(Rule::INT4, &["1.0", "1e3", "true", "[1]", "{}"]);
    }

    #[test]
    fn unknown_strings_are_left_to_postgresql() {
        assert_asked(
            Rule::INT4,
            &["\"0x1F\"", "\"1_000\"", "\"\"", "\"+\"", "\"+ 5\"", "\"5\u{a0}\"", "\"abc\"", "\"٣\""],
        );
    }

    proptest! {
        #[test]
        fn integers_round_trip(number: i64) {
            prop_assert_eq!(spell(Rule::INT8, &number.to_string()), number.to_string());
            prop_assert_eq!(spell(Rule::INT8, &format!("\" {number:+025} \"")), number.to_string());
        }
    }
}
