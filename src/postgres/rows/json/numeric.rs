//! `numeric`, as its binary form has it: digits to the base 10,000.

use std::io::Write as _;

use super::Malformed;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

/// The most decimals that a value has.
const MAX_SCALE: u16 = 0x3FFF;
/// Decimal digits in one digit of the binary form.
const DIGITS: usize = 4;

/// Appends `value`: a JSON number with as many decimals as PostgreSQL keeps for it, or a word in quotes.
pub(crate) fn write(value: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut words = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut word = || words.next().ok_or(Malformed);
    let (count, weight, sign, scale) = (word()?, word()?, word()?, word()?);
    if let Some(name) = name_of(sign) {
        out.extend_from_slice(name);
        return Ok(());
    }
    match sign {
        0 => {}
        NEGATIVE => out.push(b'-'),
        _ => return Err(Malformed),
    }
    let digits: Vec<u16> = words.collect();
    if digits.len() != usize::from(count) || value.len() % 2 != 0 || digits.iter().any(|digit| *digit > 9999) {
        return Err(Malformed);
    }
    // PostgreSQL never sends leading zeros, with which the text is no JSON number, and it sends zero in one form only.
    let is_normal = match digits.first() {
        Some(first) => *first != 0,
        None => (weight, sign) == (0, 0),
    };
    if !is_normal || scale > MAX_SCALE {
        return Err(Malformed);
    }
    write_finite(&digits, i16::from_be_bytes(weight.to_be_bytes()), scale.into(), out);
    Ok(())
}

/// What has no digits, as JSON.
fn name_of(sign: u16) -> Option<&'static [u8]> {
    match sign {
        NAN => Some(b"\"NaN\""),
        INFINITY => Some(b"\"Infinity\""),
        MINUS_INFINITY => Some(b"\"-Infinity\""),
        _ => None,
    }
}

/// The digits, of which the first counts 10,000 to the power of `weight`, with `scale` decimals.
fn write_finite(digits: &[u16], weight: i16, scale: usize, out: &mut Vec<u8>) {
    let weight = i32::from(weight);
    let digit = |power: i32| {
        let index = usize::try_from(weight - power).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    // Writing into memory cannot fail.
    let _ = write!(out, "{}", digit(weight.max(0)));
    for power in (0..weight.max(0)).rev() {
        let _ = write!(out, "{:04}", digit(power));
    }
    if scale == 0 {
        return;
    }
    out.push(b'.');
    let end = out.len() + scale;
    for power in 1..=scale.div_ceil(DIGITS) {
        let _ = write!(out, "{:04}", digit(-i32::try_from(power).unwrap_or(i32::MAX)));
    }
    out.truncate(end);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(words: &[u16]) -> String {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let mut out = vec![];
        write(&bytes, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_their_decimals() {
        let minus_one = u16::MAX;
        for (words, text) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 2], "0.00"),
            (&[1, 0, 0, 0, 7], "7"),
            (&[1, 1, 0, 0, 1], "10000"),
            (&[2, 1, NEGATIVE, 0, 12, 34], "-120034"),
            (&[2, 0, 0, 1, 1, 5000], "1.5"),
            (&[2, 0, 0, 3, 1, 5000], "1.500"),
            (&[1, minus_one, 0, 4, 1], "0.0001"),
            (&[1, minus_one - 1, 0, 8, 1], "0.00000001"),
            (&[1, minus_one, NEGATIVE, 2, 500], "-0.05"),
            (&[3, 0, 0, 6, 9999, 9999, 9900], "9999.999999"),
        ] {
            assert_eq!(written(words), text, "{words:?}");
        }
    }

    #[test]
    fn what_has_no_digits_stands_in_quotes() {
        for (sign, text) in [(NAN, "\"NaN\""), (INFINITY, "\"Infinity\""), (MINUS_INFINITY, "\"-Infinity\"")] {
            assert_eq!(written(&[0, 0, sign, 0]), text);
        }
    }

    #[test]
    fn what_is_no_numeric_is_refused() {
        for value in [
            &[][..],
            &[0, 0, 0, 0, 0, 0, 0],
            &[0, 1, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 0, 1, 0, 0, 0],
            &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10],
            &[0, 0, 0, 0, 0, 0, 0, 0, 9],
            // Leading zeros, a zero with a weight, a negative zero, and too many decimals.
            &[0, 1, 0, 1, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0x65, 0, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0x40, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0x40, 0],
        ] {
            assert_eq!(write(value, &mut vec![]), Err(Malformed), "{value:?}");
        }
    }
}
