//! `numeric`: every digit kept, without trailing zeros.

use std::io::Write as _;

use super::ask;
use super::decimal::{trim, Decimal, Digits};
use super::refusal::{out_of_range, refused};
use super::token::Token;
use super::CanonicalForm;
use crate::cache::Error;

/// PostgreSQL keeps as many digits before the point.
const MAX_WHOLE_DIGITS: i64 = 131_072;

/// PostgreSQL keeps as many digits after the point, trailing zeros included.
const MAX_FRACTION_DIGITS: i64 = 16_383;

/// PostgreSQL refuses exponents from here on, even of zero.
const EXPONENT_LIMIT: i64 = (i32::MAX / 2) as i64;

/// As many zeros are written out. More become an exponent: otherwise eight bytes of a request (`1e131071`) would become
/// 128 kB of key, ten thousand times in one MULTIREAD.
const MAX_PADDING: i64 = 1_000;

/// Appends the number that `token` spells; a string of another grammar is left to PostgreSQL.
pub fn write(column: &str, token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    let decimal = match token {
        Token::Number(json) => Decimal::parse(json),
        Token::Text(text) => Decimal::parse(trim(text)),
        _ => None,
    };
    match (decimal, token) {
        (Some(Decimal::Finite(digits)), _) => write_digits(column, digits, out)?,
        (Some(other), _) => out.extend_from_slice(other.special().unwrap_or_default()),
        (None, Token::Text(text)) => return Ok(ask::write_text(text, out)),
        (None, _) => return Err(refused(column, "a number is expected")),
    }
    Ok(CanonicalForm::Canonical)
}

fn write_digits(column: &str, digits: Digits<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let scale = (digits.fraction.len() as i64).saturating_sub(digits.exponent);
    if digits.exponent.saturating_abs() >= EXPONENT_LIMIT || scale > MAX_FRACTION_DIGITS {
        return Err(out_of_range(column));
    }
    if digits.is_zero() {
        out.push(b'0');
        return Ok(());
    }
    let number = Significant::of(digits);
    if number.point > MAX_WHOLE_DIGITS {
        return Err(out_of_range(column));
    }
    number.write(out);
    Ok(())
}

/// The digits between the leading and the trailing zeros, at least one, in two pieces because a point may stand between them in the
/// input; the value is `0.<head><tail>` times ten to the power of `point`.
struct Significant<'a> {
    negative: bool,
    head: &'a str,
    tail: &'a str,
    point: i64,
}

impl<'a> Significant<'a> {
    /// Its arithmetic cannot overflow: the exponent is below `EXPONENT_LIMIT`, and the digits are in memory.
    fn of(digits: Digits<'a>) -> Self {
        let Digits { negative, whole, fraction, exponent } = digits;
        let mut head = whole.trim_start_matches('0');
        let mut tail = fraction.trim_end_matches('0');
        let mut point = head.len() as i64 + exponent;
        if head.is_empty() {
            let stripped = tail.trim_start_matches('0');
            point -= (tail.len() - stripped.len()) as i64;
            tail = stripped;
        }
        if tail.is_empty() {
            head = head.trim_end_matches('0');
        }
        Self { negative, head, tail, point }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let count = (self.head.len() + self.tail.len()) as i64;
        if self.negative {
            out.push(b'-');
        }
        match self.point {
            point if point < -MAX_PADDING || point - count > MAX_PADDING => {
                self.write_with_exponent(point - count, out)
            }
            point if point <= 0 => self.write_below_one(point.unsigned_abs() as usize, out),
            point => self.write_around_point(point as usize, out),
        }
    }

    fn write_with_exponent(&self, exponent: i64, out: &mut Vec<u8>) {
        out.extend(self.digits());
        // Writing into memory cannot fail.
        let _ = write!(out, "e{exponent}");
    }

    fn write_below_one(&self, zeros: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + zeros, b'0');
        out.extend(self.digits());
    }

    fn write_around_point(&self, whole: usize, out: &mut Vec<u8>) {
        out.extend(self.digits().chain(std::iter::repeat(b'0')).take(whole));
        if whole < self.head.len() + self.tail.len() {
            out.push(b'.');
            out.extend(self.digits().skip(whole));
        }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + 'a {
        self.head.bytes().chain(self.tail.bytes())
    }
}

#[cfg(test)]
mod tests {
    use crate::cache::canonical::testing::{assert_asked, assert_refused, spell};
    use crate::cache::canonical::Rule;
    use proptest::prelude::*;

    #[track_caller]
    fn assert_all(expected: &str, spellings: &[&str]) {
        for json in spellings {
            assert_eq!(spell(Rule::Numeric, json), expected, "{json}");
        }
    }

    #[test]
    fn every_spelling_of_a_number_is_one() {
        assert_all(
            "1",
            &["1", "1.0", "1e0", "\"1.00\"", "\"+1\"", "\" 1 \"", "\"001.\"", "10e-1", "0.1e1", "\"100E-2\""],
        );
        assert_all("0", &["0", "-0", "-0.0", "0e5", "\"+.0\"", "\"0e-16383\"", "\"0e1073741822\""]);
        assert_all("1000", &["1e3", "1000.000", "0.001e6", "\"1.e+3\""]);
        assert_all("-1000", &["-1e3", "-1000"]);
        assert_all("0.0015", &["1.50e-3", "0.00150", "15e-4", "\".0015\""]);
        assert_all("120.5", &["120.50", "1.205e2", "1205e-1", "0.01205e4"]);
        assert_all("10.01", &["10.01", "1001e-2", "\"0010.0100\""]);
    }

    #[test]
    fn what_has_no_digits_is_a_string() {
        assert_all("\"NaN\"", &["\"NaN\"", "\"nan\"", "\" NAN \""]);
        assert_all("\"Infinity\"", &["\"inf\"", "\"+Infinity\"", "\"INFINITY\""]);
        assert_all("\"-Infinity\"", &["\"-inf\"", "\" -INFINITY\""]);
    }

    #[test]
    fn long_numbers_keep_every_digit() {
        let digits = "123456789012345678901234567890.123456789012345678901234567891";
        assert_eq!(spell(Rule::Numeric, digits), digits);
    }

    #[test]
    fn many_zeros_become_an_exponent() {
        assert_all("1e131071", &["1e131071", "\"10e131070\"", &format!("1{}", "0".repeat(131_071))]);
        assert_all("-15e-16383", &["-15e-16383", "-1.5e-16382", &format!("-0.{}15", "0".repeat(16_381))]);
        assert_eq!(spell(Rule::Numeric, "1e1000"), format!("1{}", "0".repeat(1_000)));
        assert_eq!(spell(Rule::Numeric, "1e1001"), "1e1001");
    }

    #[test]
    fn what_postgresql_cannot_hold_is_refused() {
        assert_refused(Rule::Numeric, &["1e131072", "10e131071", "1e999999999", "1e99999999999999999999"]);
        assert_refused(Rule::Numeric, &["1e-16384", "10e-16384", "0e-16384", "\"1.0e-16383\"", "0e1073741823"]);
        assert_refused(Rule::Numeric, &["1e-99999999999999999999", "-1e-9223372036854775808"]);
        assert_refused(Rule::Numeric, &["true", "[1]", "{}"]);
    }

    #[test]
    fn unknown_strings_are_left_to_postgresql() {
        assert_asked(Rule::Numeric, &["\"\"", "\"0x10\"", "\"1_000\"", "\"1e 5\"", "\"abc\"", "\"+NaN\"", "\"1 2\""]);
    }

    proptest! {
        #[test]
        fn shifted_spellings_agree(digits in "[0-9]{1,40}", shift in 0usize..50, zeros in 0usize..5, minus: bool) {
            let sign = if minus { "-" } else { "" };
            let plain = format!("\"{sign}{digits}.{}\"", "0".repeat(zeros));
            let up = format!("\"{sign}{digits}{}e-{shift}\"", "0".repeat(shift));
            let down = format!("\"{sign}0.{}{digits}e{}\"", "0".repeat(shift), shift + digits.len());
            prop_assert_eq!(spell(Rule::Numeric, &plain), spell(Rule::Numeric, &up));
            prop_assert_eq!(spell(Rule::Numeric, &plain), spell(Rule::Numeric, &down));
        }

        #[test]
        fn different_numbers_stay_different(a: i64, b: i64, scale in 0u32..30) {
            let spelled = |n: i64| spell(Rule::Numeric, &format!("{n}e-{scale}"));
            prop_assert_eq!(a == b, spelled(a) == spelled(b));
        }
    }
}
