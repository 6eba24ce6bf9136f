//! The grammar that PostgreSQL's numeric and float inputs share: sign, digits, point, exponent; NaN and infinities.

/// A number as it is spelled; nothing is computed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal<'a> {
    /// Digits, at least one of them.
    Finite(Digits<'a>),
    /// Not a number, which PostgreSQL calls equal to itself.
    NaN,
    /// Infinity; true: the negative one.
    Infinity(bool),
}

/// `[-]<whole>.<fraction>e<exponent>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits<'a> {
    /// Whether there is a minus sign.
    pub negative: bool,
    /// The digits before the point.
    pub whole: &'a str,
    /// The digits after the point.
    pub fraction: &'a str,
    /// The power of ten, saturated at the bounds of an `i64`.
    pub exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Reads `text`; `None` when it is not spelled in this grammar.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case("nan") {
            return Some(Self::NaN);
        }
        if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
            return Some(Self::Infinity(negative));
        }
        Digits::parse(negative, unsigned).map(Self::Finite)
    }

    /// The JSON in which PostgreSQL prints what has no digits.
    pub fn special(&self) -> Option<&'static [u8]> {
        match self {
            Self::Finite(_) => None,
            Self::NaN => Some(b"\"NaN\""),
            Self::Infinity(false) => Some(b"\"Infinity\""),
            Self::Infinity(true) => Some(b"\"-Infinity\""),
        }
    }
}

impl<'a> Digits<'a> {
    fn parse(negative: bool, text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let well_formed = whole.len() + fraction.len() > 0 && are_digits(whole) && are_digits(fraction);
        well_formed.then_some(Self { negative, whole, fraction, exponent })
    }

    /// Whether every digit is 0.
    pub fn is_zero(&self) -> bool {
        self.whole.bytes().chain(self.fraction.bytes()).all(|digit| digit == b'0')
    }
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !are_digits(digits) {
        return None;
    }
    // Only an overflow is left to go wrong, and any bound is as far out of range as the number itself.
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(beyond))
}

/// `text` without what C's `isspace` calls whitespace around it, as PostgreSQL's number and bool inputs read it.
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r'])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits<'_> {
        match Decimal::parse(text) {
            Some(Decimal::Finite(digits)) => digits,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers_are_taken_apart() {
        let expected = Digits { negative: true, whole: "12", fraction: "50", exponent: -3 };
        assert_eq!(digits("-12.50E-3"), expected);
        assert_eq!(digits("+.5").fraction, "5");
        assert_eq!(digits("5.").whole, "5");
        assert_eq!(digits("1e99999999999999999999").exponent, i64::MAX);
        assert_eq!(digits("1e-99999999999999999999").exponent, i64::MIN);
        assert!(digits("000.00").is_zero());
    }

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(Decimal::parse("nAn"), Some(Decimal::NaN));
        assert_eq!(Decimal::parse("+INF"), Some(Decimal::Infinity(false)));
        assert_eq!(Decimal::parse("-Infinity"), Some(Decimal::Infinity(true)));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "+", "-", ".", "e5", "1e", "1e+", "1 2", "1.2.3", "--1", "0x10", "+nan", "1e 5", "1_0", "é"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
