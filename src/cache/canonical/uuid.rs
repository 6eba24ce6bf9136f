//! `uuid`: 32 lower-case hexadecimal digits with hyphens.

use super::ask;
use super::hex::write_hex;
use super::refusal::refused;
use super::token::Token;
use super::CanonicalForm;
use crate::cache::Error;

/// Appends the uuid that `token` spells; a string that is none is left to PostgreSQL.
pub fn write(column: &str, token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    // PostgreSQL gives the type a number's digits too: 32 of them, in whatever notation, are a uuid.
    match (parse(token.as_text().as_bytes()), token) {
        (Some(uuid), _) => write_hyphenated(&uuid, out),
        (None, Token::Text(text)) => return Ok(ask::write_text(text, out)),
        (None, _) => return Err(refused(column, "a uuid as a string is expected")),
    }
    Ok(CanonicalForm::Canonical)
}

/// Reads what PostgreSQL reads: hexadecimal digits of either case, an optional hyphen after every fourth of them, and
/// optional braces around all.
fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inside @ .., b'}'] => inside,
        _ => text,
    };
    let mut uuid = [0; 16];
    for (index, byte) in uuid.iter_mut().enumerate() {
        if let (true, [b'-', after @ ..]) = (index > 0 && index % 2 == 0, rest) {
            rest = after;
        }
        let [high, low, after @ ..] = rest else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
        rest = after;
    }
    rest.is_empty().then_some(uuid)
}

/// The value of one hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Appends `uuid` as a JSON string.
pub fn write_hyphenated(uuid: &[u8; 16], out: &mut Vec<u8>) {
    out.push(b'"');
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write_hex(&[*byte], out);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use crate::cache::canonical::testing::{assert_asked, assert_refused, spell};
    use crate::cache::canonical::Rule;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_uuid_is_one() {
        let spellings = [
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "{A0eebc999c0b4ef8bb6d6bb9bd380a11}",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ];
        for text in spellings {
            let spelled = spell(Rule::Uuid, &format!("\"{text}\""));
            assert_eq!(spelled, "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"", "{text}");
        }
    }

    #[test]
    fn a_number_of_32_characters_is_a_uuid() {
        let spelled = spell(Rule::Uuid, "35042831662803157000000000000e12");
        assert_eq!(spelled, "\"35042831-6628-0315-7000-000000000e12\"");
    }

    #[test]
    fn what_is_no_string_is_refused() {
        assert_refused(Rule::Uuid, &["5", "-1", "true", "[]", "{}"]);
    }

    #[test]
    fn unknown_strings_are_left_to_postgresql() {
        let unknown = [
            "\"\"",
            "\"{}\"",
            "\" a0eebc999c0b4ef8bb6d6bb9bd380a11\"",
            "\"a0eebc999c0b4ef8bb6d6bb9bd380a1\"",
            "\"a0eebc999c0b4ef8bb6d6bb9bd380a111\"",
            "\"a0eebc9-99c0b4ef8bb6d6bb9bd380a11\"",
            "\"-a0eebc999c0b4ef8bb6d6bb9bd380a11\"",
            "\"a0eebc999c0b4ef8bb6d6bb9bd380a11-\"",
            "\"a0ee--bc999c0b4ef8bb6d6bb9bd380a11\"",
            "\"{a0eebc999c0b4ef8bb6d6bb9bd380a11\"",
            "\"a0eebc999c0b4ef8bb6d6bb9bd380a1g\"",
        ];
        assert_asked(Rule::Uuid, &unknown);
    }

    proptest! {
        #[test]
        fn uuids_round_trip(value: u128) {
            let plain = format!("\"{value:032X}\"");
            let spelled = spell(Rule::Uuid, &plain);
            prop_assert_eq!(spelled.replace('-', "").to_uppercase(), plain);
            prop_assert_eq!(spell(Rule::Uuid, &spelled), spelled);
        }
    }
}
