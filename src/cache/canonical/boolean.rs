//! `bool`: `true` or `false`.

use super::ask;
use super::refusal::refused;
use super::token::{word, Token};
use super::CanonicalForm;
use crate::cache::Error;

/// What PostgreSQL takes for true; prefixes of these words are left to it.
const TRUE: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];

/// What PostgreSQL takes for false.
const FALSE: [&str; 6] = ["false", "f", "no", "n", "off", "0"];

/// Appends what `token` spells; a string that is none of the usual words is left to PostgreSQL.
pub fn write(column: &str, token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    let value = match token {
        Token::Bool(value) => *value,
        Token::Number("1") => true,
        Token::Number("0") => false,
        Token::Text(text) if is_one_of(&TRUE, text) => true,
        Token::Text(text) if is_one_of(&FALSE, text) => false,
        Token::Text(text) => return Ok(ask::write_text(text, out)),
        _ => return Err(refused(column, "true or false is expected")),
    };
    out.extend_from_slice(word(value).as_bytes());
    Ok(CanonicalForm::Canonical)
}

fn is_one_of(words: &[&str], text: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use crate::cache::canonical::testing::{assert_asked, assert_refused, spell};
    use crate::cache::canonical::Rule;

    #[test]
    fn every_spelling_of_a_bool_is_one() {
        for json in ["true", "1", "\"1\"", "\"t\"", "\"TRUE\"", "\"Yes\"", "\"y\"", "\"ON\""] {
            assert_eq!(spell(Rule::Bool, json), "true", "{json}");
        }
        for json in ["false", "0", "\"0\"", "\"F\"", "\"false\"", "\"NO\"", "\"n\"", "\"off\""] {
            assert_eq!(spell(Rule::Bool, json), "false", "{json}");
        }
    }

    #[test]
    fn what_is_no_bool_is_refused() {
        assert_refused(Rule::Bool, &["2", "-0", "1.0", "1e0", "[true]", "{}"]);
    }

    #[test]
    fn unknown_strings_are_left_to_postgresql() {
        assert_asked(Rule::Bool, &["\"tru\"", "\"of\"", "\" true \"", "\"\"", "\"maybe\""]);
    }
}
