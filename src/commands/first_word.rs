//! What a text that stands where SQL is expected begins with: whether it can be a query at all. PostgreSQL alone decides what
//! a statement does; this tells of mistakes before they are stored.

use crate::cache::named_query::parse_name;
use crate::cache::Error;

/// What a query begins with.
const BEGINNINGS: [&str; 4] = ["SELECT", "WITH", "VALUES", "TABLE"];

/// No keyword of SQL is longer.
const LONGEST: usize = 20;

/// `ERR` for a statement that begins with the word of another kind of statement. What begins otherwise is PostgreSQL's to judge.
pub fn check_statement(sql: &str) -> Result<(), Error> {
    let word = first_word(sql).to_ascii_uppercase();
    if word.is_empty() || word.len() > LONGEST || BEGINNINGS.contains(&word.as_str()) {
        return Ok(());
    }
    Err(Error::malformed(format!("a query begins with SELECT, WITH, VALUES or TABLE, and this one with {word}")))
}

/// `ERR` for a single word, which is no SQL: the name of a query, or the first word of a statement without its quotes, which
/// `rest` follow.
pub fn check_is_no_word(sql: &str, rest: usize) -> Result<(), Error> {
    let is_keyword = BEGINNINGS.iter().any(|word| word.eq_ignore_ascii_case(sql));
    match parse_name(sql.as_bytes()) {
        Ok(_) if is_keyword && rest > 0 => Err(Error::malformed(
            "the SQL of a query is one argument: put it between quotes, such as \"SELECT 1 AS one\"",
        )),
        Ok(name) if !is_keyword => {
            Err(Error::malformed(format!("{name} is no SQL: PGCACHE.QUERY NAME {name} asks the query of that name")))
        }
        _ => Ok(()),
    }
}

/// The first word behind white space, comments and opening parentheses; empty where something else stands.
fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        let comment = rest.strip_prefix("--").map(|comment| comment.split_once('\n').map_or("", |(_, after)| after));
        match comment.or_else(|| rest.strip_prefix("/*").map(after_comment)) {
            Some(after) => rest = after,
            None => break,
        }
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// What follows a comment, whose beginning is left out. Comments nest.
fn after_comment(text: &str) -> &str {
    let (mut depth, mut rest) = (1, text);
    while depth > 0 {
        let Some(at) = rest.find(['*', '/']) else { return "" };
        let mark = rest.get(at..).unwrap_or_default();
        let len = match mark.get(..2) {
            Some("*/") => {
                depth -= 1;
                2
            }
            Some("/*") => {
                depth += 1;
                2
            }
            _ => 1,
        };
        rest = mark.get(len..).unwrap_or_default();
    }
    rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_begins_with_one_of_four_words() {
        for sql in [
            "SELECT 1",
            "select\t1",
            " ((SELECT 1))",
            "VALUES(1)",
            "TABLE users",
            "WITH a AS (SELECT 1) TABLE a",
            "-- DELETE\nSELECT 1",
            "/* a /* DELETE */ b **/ -- x\n /**/ SELECT 1",
        ] {
            assert!(check_statement(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn what_begins_with_another_word_is_none() {
        for (sql, word) in [
            ("DELETE FROM t", "DELETE"),
            ("-- SELECT\ndelete from t", "DELETE"),
            ("/* x */ explain SELECT 1", "EXPLAIN"),
            ("SHOW all", "SHOW"),
            ("top", "TOP"),
            ("SELECTED", "SELECTED"),
        ] {
            let text = check_statement(sql).unwrap_err().to_string();
            assert!(text.ends_with(&format!("and this one with {word}")), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_postgresql() {
        for sql in ["", "()", "-- SELECT", "/* DELETE", "/* /* */ DELETE", "\"DELETE\" x", "$1", "ÄNDERE", "1"] {
            assert!(check_statement(sql).is_ok(), "{sql}");
        }
        assert!(check_statement(&"x".repeat(30)).is_ok());
    }

    #[test]
    fn a_word_is_no_sql() {
        assert_eq!(
            check_is_no_word("top", 1).unwrap_err().to_string(),
            "ERR top is no SQL: PGCACHE.QUERY NAME top asks the query of that name"
        );
        assert!(check_is_no_word("select", 3).unwrap_err().to_string().contains("one argument"));
        for sql in ["SELECT", "SELECT 1", "VALUES(1)", "TABLE t", ""] {
            assert!(check_is_no_word(sql, 0).is_ok(), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(sql in "[-/*( \\nSELECTé\"]{0,30}") {
            let _ = check_statement(&sql);
        }
    }
}
