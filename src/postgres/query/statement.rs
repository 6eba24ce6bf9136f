//! The statement that is run for a query: its rows as JSON, and only so many of them.

use super::plan::QueryLimits;
use crate::cache::{Error, ErrorKind};

/// Refuses what the protocol has no way to send: the client library takes it for a broken connection.
///
/// # Errors
/// `PGERR 42601`.
pub fn check(sql: &str, title: &str) -> Result<(), Error> {
    if sql.contains('\0') {
        let text = format!("{title}: SQL holds no NUL byte");
        return Err(Error::new(ErrorKind::Postgres("42601".into()), text));
    }
    Ok(())
}

/// The client's statement without the semicolons and the white space after it.
pub fn trimmed(sql: &str) -> &str {
    sql.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace())
}

/// The statement for at most `max_rows` rows and one more, which tells that there are too many. The JSON of a row that is larger than
/// `max_bytes` is left out, so that it never comes to us.
///
/// It is safe only for a `sql` that PostgreSQL has taken as one statement by itself: then its parentheses match. The
/// line break ends a comment, and `q.*` is the row even where a column is called `q`.
pub fn wrapped(sql: &str, limits: QueryLimits) -> String {
    let rows = limits.max_rows.saturating_add(1).min(i64::MAX as usize);
    let bytes = limits.max_bytes.min(i32::MAX as usize);
    format!(
        "SELECT CASE WHEN pg_catalog.octet_length(j.t) OPERATOR(pg_catalog.<=) {bytes} THEN j.t END \
         FROM (SELECT pg_catalog.row_to_json(q.*)::pg_catalog.text AS t FROM (\n{}\n) AS q LIMIT {rows}) AS j",
        trimmed(sql)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_and_white_space_are_left_out() {
        assert_eq!(trimmed("SELECT 1 ;\n; \t"), "SELECT 1");
        assert_eq!(trimmed(" SELECT ';'"), " SELECT ';'");
        assert_eq!(trimmed(";;"), "");
    }

    #[test]
    fn one_row_more_than_allowed_is_asked_for() {
        let limits = |max_rows| QueryLimits { max_rows, max_bytes: 100 };
        let sql = wrapped("SELECT 1 -- one;", limits(10));
        assert!(sql.contains("(\nSELECT 1 -- one\n) AS q LIMIT 11)"), "{sql}");
        assert!(wrapped("SELECT 1", limits(usize::MAX)).contains(&i64::MAX.to_string()));
    }
}
