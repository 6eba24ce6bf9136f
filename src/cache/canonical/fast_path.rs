//! Values that stand in their one spelling already: recognised and copied in one scan, without the JSON parser.

use std::ops::RangeInclusive;
use std::str;

use super::text::MAX_NAME_BYTES;
use super::Rule;

/// So many digits fit 64 bits, whatever they are.
const MAX_DIGITS: usize = 18;
/// The largest number that they make.
const MAX_NUMBER: i64 = 999_999_999_999_999_999;

/// Where a uuid has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_BYTES: usize = 36;

impl Rule {
    /// Appends the value that `json` begins with, if it needs no change but the quotes that many clients put around whole
    /// numbers, and returns what follows it.
    ///
    /// `None`: it may be right or wrong, [`Rule::write`] tells. What follows has to be a space, a comma or a brace: a number
    /// that goes on is no such value.
    pub fn copy<'j>(&self, json: &'j [u8], out: &mut Vec<u8>) -> Option<&'j [u8]> {
        if let (Self::Int { .. }, [b'"', inside @ ..]) = (self, json) {
            let (value, rest) = self.split(inside)?;
            let rest = rest.strip_prefix(b"\"")?;
            out.extend_from_slice(value);
            return Some(rest);
        }
        let (value, rest) = self.split(json)?;
        out.extend_from_slice(value);
        Some(rest)
    }

    /// The value that `json` begins with, which holds no escape, and what follows it; `None` as for [`Rule::copy`].
    #[inline]
    pub fn split<'j>(&self, json: &'j [u8]) -> Option<(&'j [u8], &'j [u8])> {
        let len = match *self {
            Self::Int { min, max } => integer(json, min..=max)?,
            Self::Text | Self::Enum => string(json, |_| true)?,
            Self::Name => string(json, |text| text.len() <= MAX_NAME_BYTES)?,
            Self::Bpchar => string(json, |text| text.last() != Some(&b' '))?,
            Self::Uuid => string(json, is_uuid)?,
            Self::Numeric | Self::Float4 | Self::Float8 | Self::Bool | Self::ByPostgres { .. } => return None,
        };
        json.split_at_checked(len)
    }
}

/// The length of the integer in `range` that `json` begins with.
fn integer(json: &[u8], range: RangeInclusive<i64>) -> Option<usize> {
    let unsigned = json.strip_prefix(b"-").unwrap_or(json);
    let sign_len = json.len() - unsigned.len();
    // One more than fits, to see that it is too many.
    let digits = unsigned.get(..=MAX_DIGITS).unwrap_or(unsigned);
    let count = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    // One zero is a number, and has no sign.
    let is_spelled_so = match digits.first() {
        Some(b'0') => count == 1 && sign_len == 0,
        _ => (1..=MAX_DIGITS).contains(&count),
    };
    if !is_spelled_so {
        return None;
    }
    let is_any_in_range = *range.start() <= -MAX_NUMBER && *range.end() >= MAX_NUMBER;
    let is_in_range = || range.contains(&number(digits.get(..count).unwrap_or_default(), sign_len > 0));
    (is_any_in_range || is_in_range()).then_some(sign_len + count)
}

/// The number that at most [`MAX_DIGITS`] digits make.
fn number(digits: &[u8], is_negative: bool) -> i64 {
    let number = digits.iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    if is_negative {
        -number
    } else {
        number
    }
}

/// The length of the JSON string that `json` begins with, quotes included, if it holds no escape and `fits`.
fn string(json: &[u8], fits: impl FnOnce(&[u8]) -> bool) -> Option<usize> {
    let inside = json.strip_prefix(b"\"")?;
    // Control characters are no JSON, and a backslash begins an escape.
    let len = inside.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    let (text, rest) = inside.split_at_checked(len)?;
    (rest.first() == Some(&b'"') && fits(text) && str::from_utf8(text).is_ok()).then_some(len + 2)
}

fn is_uuid(text: &[u8]) -> bool {
    let is_right = |(index, byte): (usize, &u8)| match byte {
        b'-' => HYPHENS.contains(&index),
        b'0'..=b'9' | b'a'..=b'f' => !HYPHENS.contains(&index),
        _ => false,
    };
    text.len() == UUID_BYTES && text.iter().enumerate().all(is_right)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::spell;
    use super::*;

    fn copied(rule: Rule, json: &str) -> Option<(String, &[u8])> {
        let mut out = Vec::new();
        let rest = rule.copy(json.as_bytes(), &mut out)?;
        Some((String::from_utf8(out).unwrap(), rest))
    }

    #[test]
    fn what_has_its_spelling_is_copied() {
        let uuid = "\"0a1b2c3d-0000-4000-8000-00000000000f\"";
        for (rule, json) in [
            (Rule::INT2, "-32768"),
            (Rule::INT4, "0"),
            (Rule::INT8, "999999999999999999"),
            (Rule::INT8, "-999999999999999999"),
            (Rule::Text, "\"\""),
            (Rule::Text, "\"é 'x' \u{7f}/\""),
            (Rule::Enum, "\"on\""),
            (Rule::Bpchar, "\" a\""),
            (Rule::Uuid, uuid),
        ] {
            assert_eq!(copied(rule, &format!("{json} ,")), Some((json.to_owned(), &b" ,"[..])), "{json}");
            assert_eq!(spell(rule, json), json);
        }
    }

    #[test]
    fn whole_numbers_lose_their_quotes() {
        for (rule, json, number) in [
            (Rule::INT4, "\"0\"", "0"),
            (Rule::INT2, "\"-32768\"", "-32768"),
            (Rule::INT8, "\"123456789012\"", "123456789012"),
        ] {
            assert_eq!(copied(rule, &format!("{json} ,")), Some((number.to_owned(), &b" ,"[..])), "{json}");
            assert_eq!(spell(rule, json), number);
        }
    }

    #[test]
    fn anything_else_is_left_to_the_rule() {
        for (rule, json) in [
            (Rule::INT2, "32768"),
            (Rule::INT4, "-0"),
            (Rule::INT4, "-"),
            (Rule::INT4, "007"),
            (Rule::INT4, "\"7"),
            (Rule::INT4, "\" 7\""),
            (Rule::INT4, "\"+7\""),
            (Rule::INT4, "\"007\""),
            (Rule::INT4, "\"\""),
            (Rule::INT2, "\"32768\""),
            (Rule::INT8, "1000000000000000000"),
            (Rule::Text, "5"),
            (Rule::Text, "\"\\u0041\""),
            (Rule::Text, "\"a\nb\""),
            (Rule::Text, "\"a"),
            (Rule::Bpchar, "\"a \""),
            (Rule::Uuid, "\"0A1B2C3D-0000-4000-8000-00000000000F\""),
            (Rule::Uuid, "\"0a1b2c3d00004000800000000000000f\""),
            (Rule::Bool, "true"),
            (Rule::Numeric, "1"),
            (Rule::ByPostgres { text_is_unique: true }, "1"),
        ] {
            assert_eq!(copied(rule, json), None, "{json}");
        }
        assert_eq!(copied(Rule::Name, &format!("\"{}\"", "a".repeat(64))), None);
        assert_eq!(Rule::Text.copy(b"\"\xff\"", &mut Vec::new()), None);
    }
}
