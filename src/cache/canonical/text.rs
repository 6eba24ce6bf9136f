//! `text`, `varchar`, `name`, `char(n)` and enums: the string itself.

use super::token::{write_string, Token};
use super::CanonicalForm;
use crate::cache::Error;

/// PostgreSQL cuts a `name` that is longer, in bytes.
pub const MAX_NAME_BYTES: usize = 63;

/// Appends `token` as a JSON string. PostgreSQL reads numbers, true, false, arrays and objects as the text in which they
/// are written, whitespace included, and so does this.
pub fn write(token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    write_string(token.as_text(), out);
    Ok(CanonicalForm::Canonical)
}

/// As [`write`], but leaves a text that is too long for a `name` to PostgreSQL.
pub fn write_name(token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    write(token, out)?;
    Ok(if token.as_text().len() > MAX_NAME_BYTES { CanonicalForm::ByPostgres } else { CanonicalForm::Canonical })
}

/// As [`write`], without the trailing spaces that comparing `char(n)` ignores: U+0020 only.
pub fn write_padded(token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    write_string(token.as_text().trim_end_matches(' '), out);
    Ok(CanonicalForm::Canonical)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::cache::canonical::testing::{assert_asked, spell};
    use crate::cache::canonical::Rule;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_string_is_one() {
        for rule in [Rule::Text, Rule::Name, Rule::Bpchar, Rule::Enum] {
            assert_eq!(spell(rule, r#""\u0041\/\u00e9\ud83d\ude00\u001F\u0022""#), r#""A/é😀\u001f\"""#);
            assert_eq!(spell(rule, r#""""#), r#""""#);
        }
    }

    #[test]
    fn other_json_is_the_text_in_which_it_is_written() {
        for (json, text) in [("5", "5"), ("1.0", "1.0"), ("1e3", "1e3"), ("true", "true"), ("false", "false")] {
            assert_eq!(spell(Rule::Text, json), format!("\"{text}\""));
        }
        assert_eq!(spell(Rule::Text, r#"[1, {"b" : "\u0041"}]"#), r#""[1, {\"b\" : \"\\u0041\"}]""#);
    }

    #[test]
    fn only_char_n_ignores_trailing_spaces() {
        assert_eq!(spell(Rule::Bpchar, "\" ab  \""), "\" ab\"");
        assert_eq!(spell(Rule::Bpchar, "\"ab\u{a0}\""), "\"ab\u{a0}\"");
        assert_eq!(spell(Rule::Bpchar, "\"ab\\t \""), "\"ab\\t\"");
        assert_eq!(spell(Rule::Text, "\"ab \""), "\"ab \"");
    }

    #[test]
    fn a_name_that_postgresql_would_cut_is_left_to_it() {
        let fits = format!("\"{}\"", "a".repeat(63));
        assert_eq!(spell(Rule::Name, &fits), fits);
        assert_asked(Rule::Name, &[&format!("\"{}\"", "a".repeat(64)), &format!("\"{}\"", "é".repeat(32))]);
    }

    proptest! {
        #[test]
        fn texts_round_trip(text: String) {
            prop_assume!(!text.contains('\0'));
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(spell(Rule::Text, &json), json);
        }
    }
}
