//! The name of a table, as a command's first argument spells it.

use super::error::Error;

/// The source of a name without a prefix.
pub const DEFAULT_SOURCE: &str = "default";

/// The longest table argument, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// `[source:][schema.]relation`, taken apart but not yet looked up in any catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TableName<'a> {
    source: &'a str,
    relation: &'a str,
}

impl<'a> TableName<'a> {
    /// Takes a table argument apart. Every refusal is an `ERR` that says which rule was broken.
    ///
    /// The source is an unquoted `[a-z][a-z0-9_]*` before the first colon outside of double quotes. The rest follows
    /// SQL's rules for identifiers and is passed on as it is, since PostgreSQL folds and unquotes it.
    pub fn parse(argument: &'a [u8]) -> Result<Self, Error> {
        let text = printable(argument)?;
        let (source, relation) = match unquoted_colon(text) {
            Some(colon) => (&text[..colon], &text[colon + 1..]),
            None => (DEFAULT_SOURCE, text),
        };
        check_source(source)?;
        check_relation(relation)?;
        Ok(Self { source, relation })
    }

    /// The source's name, `default` unless the argument names another.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// `[schema.]relation` with its quotes: what `to_regclass` takes as a bound parameter.
    pub fn relation(&self) -> &'a str {
        self.relation
    }
}

/// The argument as text, if it is short enough and holds no NUL, which PostgreSQL's parameters cannot carry.
fn printable(argument: &[u8]) -> Result<&str, Error> {
    if argument.len() > MAX_NAME_BYTES {
        return Err(Error::malformed(format!("table name is longer than {MAX_NAME_BYTES} bytes")));
    }
    let text = std::str::from_utf8(argument).map_err(|_| Error::malformed("table name is not valid UTF-8"))?;
    if text.contains('\0') {
        return Err(Error::malformed("table name holds a NUL byte"));
    }
    Ok(text)
}

/// Where the first colon outside of double quotes stands.
fn unquoted_colon(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b':' && !quoted
    })
}

fn check_source(source: &str) -> Result<(), Error> {
    let begins = source.starts_with(|c: char| c.is_ascii_lowercase());
    let goes_on = source.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if begins && goes_on {
        return Ok(());
    }
    Err(Error::malformed("source name before ':' must be lower-case letters, digits and '_', beginning with a letter"))
}

/// Checks `[schema.]relation`. Strictly, because later PostgreSQL versions would read `16384` or `-` as an OID.
fn check_relation(relation: &str) -> Result<(), Error> {
    let rest = after_identifier(relation)?;
    let rest = match rest.strip_prefix('.') {
        Some(name) => after_identifier(name)?,
        None => rest,
    };
    match rest.chars().next() {
        None => Ok(()),
        Some('.') => Err(Error::malformed("table name has more than the two parts schema.relation")),
        Some(_) => Err(Error::malformed("table name needs double quotes around what is no plain SQL identifier")),
    }
}

/// What follows the identifier that `text` begins with.
fn after_identifier(text: &str) -> Result<&str, Error> {
    match text.strip_prefix('"') {
        Some(quoted) => after_quoted(quoted),
        None => after_plain(text),
    }
}

/// What follows the closing quote; a doubled quote stands for itself.
fn after_quoted(text: &str) -> Result<&str, Error> {
    let mut rest = text;
    loop {
        let (_, after) =
            rest.split_once('"').ok_or_else(|| Error::malformed("table name has an unclosed double quote"))?;
        match after.strip_prefix('"') {
            Some(more) => rest = more,
            None if text.starts_with('"') && after.len() + 1 == text.len() => return Err(empty()),
            None => return Ok(after),
        }
    }
}

fn after_plain(text: &str) -> Result<&str, Error> {
    let end = text.find(|c: char| !is_identifier_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match name.chars().next() {
        None if rest.is_empty() || rest.starts_with('.') => Err(empty()),
        Some(first) if first.is_ascii_digit() || first == '$' => {
            Err(Error::malformed("table name needs double quotes to begin with a digit or '$'"))
        }
        _ => Ok(rest),
    }
}

/// Whether SQL takes `c` inside an identifier without quotes: like PostgreSQL, every non-ASCII character is a letter.
fn is_identifier_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn empty() -> Error {
    Error::malformed("table name is empty")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (&str, &str) {
        let name = TableName::parse(text.as_bytes()).unwrap();
        (name.source(), name.relation())
    }

    fn refusal(text: &str) -> String {
        TableName::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_name_without_a_prefix_belongs_to_the_default_source() {
        assert_eq!(parts("users"), ("default", "users"));
        assert_eq!(parts("public.users"), ("default", "public.users"));
        assert_eq!(parts("Ünïcode$1"), ("default", "Ünïcode$1"));
    }

    #[test]
    fn a_prefix_names_the_source() {
        assert_eq!(parts("analytics:users"), ("analytics", "users"));
        assert_eq!(parts("a_1:public.\"U:x\""), ("a_1", "public.\"U:x\""));
    }

    #[test]
    fn quotes_protect_every_character() {
        for name in ["\"Mixed Case\"", "\"a:b\"", "\"a.b\".\"c\"\"d\"", "\"'; DROP TABLE x; --\"", "\"\"\"\""] {
            assert_eq!(parts(name), ("default", name));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", ":", "a:", ":users", "s.", ".t", "\"\"", "s.\"\""] {
            assert!(refusal(name).starts_with("ERR "), "{name}");
        }
        assert!(refusal("a.b.c").contains("two parts"));
        assert!(refusal("\"open").contains("unclosed"));
        assert!(refusal("Analytics:users").contains("source name"));
        assert!(refusal("1a:users").contains("source name"));
        assert!(refusal("\"a\":users").contains("source name"));
        for name in ["users; DROP TABLE x", "a b", "a::b", "users ", " users", "a-b", "\"a\"b", "-", "x'y", "a\r\nb"] {
            assert!(refusal(name).contains("double quotes"), "{name}: {}", refusal(name));
        }
        assert!(refusal("16384").contains("digit"));
    }

    #[test]
    fn hostile_bytes_are_refused() {
        assert!(TableName::parse(b"\xff").is_err());
        assert!(TableName::parse(b"a\0b").is_err());
        assert!(TableName::parse(b"\"a\0b\"").is_err());
        assert!(TableName::parse(&[b'a'; MAX_NAME_BYTES]).is_ok());
        assert!(TableName::parse(&[b'a'; MAX_NAME_BYTES + 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = TableName::parse(&bytes);
        }

        #[test]
        fn likely_characters_are_read_or_refused(text in "[a\":. \\-é]{0,12}") {
            if let Ok(name) = TableName::parse(text.as_bytes()) {
                prop_assert!(text.ends_with(name.relation()));
                prop_assert!(!name.relation().is_empty());
            }
        }
    }
}
