//! Types whose spelling only PostgreSQL knows: the value as the client wrote it, minified.

use super::token::{text, write_string, Token};
use super::CanonicalForm;
use crate::cache::Error;

/// Appends `token` minified: no whitespace outside of strings, strings escaped in the one style, numbers and the order
/// of members untouched.
pub fn write(column: &str, token: &Token<'_>, out: &mut Vec<u8>) -> Result<CanonicalForm, Error> {
    match token {
        Token::Text(text) => write_string(text, out),
        Token::Nested(json) => minify(column, json, out)?,
        Token::Number(_) | Token::Bool(_) => out.extend_from_slice(token.as_text().as_bytes()),
    }
    Ok(CanonicalForm::ByPostgres)
}

/// Leaves a string to PostgreSQL that no rule knows.
pub fn write_text(text: &str, out: &mut Vec<u8>) -> CanonicalForm {
    write_string(text, out);
    CanonicalForm::ByPostgres
}

fn minify(column: &str, json: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut rest = json;
    while let Some(quote) = rest.find('"') {
        let (structure, from_quote) = rest.split_at(quote);
        write_structure(structure, out);
        let (string, after) = from_quote.split_at(string_length(from_quote));
        write_string(&text(column, string)?, out);
        rest = after;
    }
    write_structure(rest, out);
    Ok(())
}

/// Brackets, commas, colons, numbers and words: everything but the whitespace between them.
fn write_structure(json: &str, out: &mut Vec<u8>) {
    out.extend(json.bytes().filter(|byte| !byte.is_ascii_whitespace()));
}

/// The length of the JSON string that `json` begins with, quotes included.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    let closing = json.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(json.len(), |inside| inside + 2)
}

#[cfg(test)]
mod tests {
    use crate::cache::canonical::testing::{assert_refused, spell};
    use crate::cache::canonical::Rule;

    const ASK: Rule = Rule::ByPostgres { text_is_unique: false };

    #[test]
    fn whitespace_goes_and_order_stays() {
        assert_eq!(
            spell(ASK, "{ \"b\" : [ 1.0 , 1e5, true,null ],\n\t\"a\" : \" x \" }"),
            "?{\"b\":[1.0,1e5,true,null],\"a\":\" x \"}"
        );
        assert_eq!(spell(ASK, " 1.50 "), "?1.50");
        assert_eq!(spell(ASK, "true"), "?true");
    }

    #[test]
    fn strings_are_escaped_in_one_style() {
        assert_eq!(spell(ASK, r#""\u0041\/\u001F\"""#), r#"?"A/\u001f\"""#);
        assert_eq!(spell(ASK, r#"[ "\\" , "\\\"", "[ ]" ]"#), r#"?["\\","\\\"","[ ]"]"#);
        assert_eq!(spell(ASK, r#"{"\u0061" :1}"#), r#"?{"a":1}"#);
    }

    #[test]
    fn what_postgresql_refuses_within_json_is_refused() {
        assert_refused(ASK, &[r#"["\u0000"]"#, r#"{"\u0000":1}"#, r#"["\ud800"]"#]);
    }
}
