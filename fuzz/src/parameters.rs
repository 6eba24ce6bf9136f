//! Parameters of queries: an array for us is one for PostgreSQL, and its one form means the same.

use pgcache::cache::parameters::parse;

use crate::oracle;

/// As deep as parameters may nest.
const MAX_DEPTH: usize = 100;

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let form = parse(bytes);
    if let Ok(form) = &form {
        assert!(form.len() <= bytes.len() && form.starts_with('[') && form.ends_with(']'));
        assert_eq!(parse(form.as_bytes()).as_ref().ok(), Some(form), "the form is its own");
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let Some(text) = text else { return assert!(form.is_err(), "no text of PostgreSQL's") };
    let ours = form.as_deref().unwrap_or("[]");
    let Some(row) = oracle::ask("SELECT * FROM pg_temp.elements($1, $2)", &[&text, &ours]) else { return };
    let (refused, is_same): (String, Option<bool>) = (row.get(0), row.get(1));
    match form {
        Ok(_) => {
            assert_eq!(refused, "", "PostgreSQL refuses it");
            assert_ne!(is_same, Some(false), "the form means something else");
        }
        Err(error) => assert!(!refused.is_empty() || is_deep(text), "PostgreSQL reads it: {error}"),
    }
}

fn is_deep(text: &str) -> bool {
    text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MAX_DEPTH
}
