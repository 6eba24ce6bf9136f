//! The words in which a value is refused: the column is named, the value never is.

use crate::cache::Error;

/// As many characters of a column's name are shown; PostgreSQL's own names are not longer.
const SHOWN_CHARS: usize = 63;

/// A value that `column`'s type can never hold, and why: `PGBADVALUE column "id": value out of range`.
pub fn refused(column: &str, why: &str) -> Error {
    Error::bad_value(format!("column {}: {why}", shown(column)))
}

/// A number that is too large or too small for the column's type.
pub fn out_of_range(column: &str) -> Error {
    refused(column, "value out of range")
}

/// `column` in double quotes, without control characters and cut to the length of an identifier.
pub fn shown(column: &str) -> String {
    let name: String = column.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    let cut = if column.chars().nth(SHOWN_CHARS).is_some() { "…" } else { "" };
    format!("\"{name}{cut}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_named() {
        assert_eq!(out_of_range("id").to_string(), "PGBADVALUE column \"id\": value out of range");
    }

    #[test]
    fn a_hostile_name_is_tamed() {
        assert_eq!(shown("a\r\n\0\"b"), "\"a\\r\\n\\0\\\"b\"");
        assert_eq!(shown(&"é".repeat(100)), format!("\"{}…\"", "é".repeat(63)));
    }
}
