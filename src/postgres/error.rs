//! What PostgreSQL's errors mean to a client of the cache.

use std::error::Error as _;
use std::io;

use ::postgres::error::Severity;
use ::postgres::types::WrongType;

use crate::cache::{Error, ErrorKind};

/// Turns an error of PostgreSQL into a reply about `what`, a table's name.
///
/// The text never holds a value: messages of the data classes quote what the client sent, so they are
/// replaced; DETAIL, HINT and CONTEXT are always left out. The SQLSTATE is kept where no kind of ours fits.
pub fn error_from(error: &::postgres::Error, what: &str) -> Error {
    if is_lost(error) {
        return Error::new(ErrorKind::Down, format!("{what}: the connection to PostgreSQL was lost"));
    }
    match error.as_db_error() {
        Some(db) => classify(db.code().code(), db.message(), what),
        // What is left are mistakes of ours, such as a parameter of the wrong type.
        None => Error::new(ErrorKind::Postgres("XX000".into()), format!("{what}: {error}")),
    }
}

/// Whether the connection is of no more use: closed, broken, or ended by the server.
pub fn is_lost(error: &::postgres::Error) -> bool {
    if let Some(db) = error.as_db_error() {
        let fatal = matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        return fatal || is_lost_code(db.code().code());
    }
    let broken = error.source().is_some_and(|cause| cause.is::<io::Error>());
    // The crate tells this kind by its text alone. Whoever sends what nobody expects cannot be understood again.
    error.is_closed() || broken || error.to_string() == "unexpected message from server"
}

/// Whether the table's definition may differ from what we remember of it. 42501 and 55000: it has row security, or is a view by now,
/// where PostgreSQL was told to refuse these.
pub fn means_catalog_changed(error: &::postgres::Error) -> bool {
    let changed = |code: &str| {
        matches!(code, "42703" | "42P01" | "42883" | "42804" | "0A000" | "3F000" | "42704" | "42501" | "55000")
    };
    // A column has another type than the one that its rows were to be read by.
    let is_retyped = error.source().is_some_and(|cause| cause.is::<WrongType>());
    is_retyped || error.code().is_some_and(|code| changed(code.code()))
}

/// Whether one of the values was at fault, so that the others of a batch may still be answered.
pub fn means_bad_data(error: &::postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code().get(..2), Some("22" | "23")))
}

/// Whether an input function may have said this of a value (tsquery, regclass, regtype …), as well as PostgreSQL of
/// the statement: syntax error, invalid name, undefined object, function, table or schema.
pub(crate) fn may_be_about_values(error: &::postgres::Error) -> bool {
    let may =
        |code: &str| matches!(code, "42601" | "42602" | "42704" | "42883" | "42P01" | "3F000" | "42725" | "42939");
    error.code().is_some_and(|code| may(code.code()))
}

/// An error that one lookup value brought about: one of those of `columns`.
pub(crate) fn value_error(error: &::postgres::Error, what: &str, columns: &str) -> Error {
    let told = error_from(error, what);
    let is_bad = *told.kind() == ErrorKind::BadValue && !error.code().is_some_and(|code| is_encoding(code.code()));
    if is_bad || may_be_about_values(error) {
        return Error::bad_value(format!("{what}: {columns}"));
    }
    told
}

/// A text that cannot be converted.
fn is_encoding(code: &str) -> bool {
    matches!(code, "22021" | "22P05")
}

/// What went wrong, in one line for the log: PostgreSQL's primary message, or the chain of causes.
pub(crate) fn reason(error: &::postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return db.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// 57P01 to 57P03: the server is going down, crashed, or coming up. 08: the connection itself.
fn is_lost_code(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03") || code.starts_with("08")
}

fn classify(code: &str, message: &str, what: &str) -> Error {
    let kind = kind_of(code);
    let text = match &kind {
        // Said of the key as well as of what the row holds.
        ErrorKind::BadValue if is_encoding(code) => {
            format!("{what}: a text, of the key or in the row, cannot be converted between UTF-8 and the database's encoding")
        }
        ErrorKind::BadValue => format!("{what}: a key value does not fit its column's type"),
        ErrorKind::Timeout => {
            format!("{what}: PostgreSQL cancelled the load (statement_timeout_ms passed, or someone cancelled it)")
        }
        ErrorKind::Postgres(code) if code == "42883" => {
            format!("{what}: no such operator or function: has the key column's type an equality?")
        }
        ErrorKind::Postgres(code) if code == "42501" => {
            format!("{what}: {message}: GRANT what is missing to the role that pg_user names")
        }
        _ if may_quote_values(code) => format!("{what}: PostgreSQL refused the load"),
        _ => format!("{what}: {message}"),
    };
    Error::new(kind, text)
}

fn kind_of(code: &str) -> ErrorKind {
    match code {
        "42P01" | "3F000" => ErrorKind::NoTable,
        "42703" => ErrorKind::NoColumn,
        "57014" => ErrorKind::Timeout,
        // Errors of a view's own expressions, not of the value that was looked up: division by zero, a null, the
        // argument of a logarithm, power or width_bucket, a regular expression, LIMIT, OFFSET.
        "22012" | "22004" | "2201E" | "2201F" | "2201G" | "2201B" | "2201W" | "2201X" => {
            ErrorKind::Postgres(code.into())
        }
        "23514" => ErrorKind::BadValue,
        _ if code.starts_with("22") => ErrorKind::BadValue,
        _ => ErrorKind::Postgres(code.into()),
    }
}

/// Whether messages of this class can hold values. Those that are known to name only objects, roles and
/// limits are let through; an exception that a function of the user's raises may say anything.
fn may_quote_values(code: &str) -> bool {
    // Class 42 holds what the input functions of tsquery, regclass and the like say of a value; of it only
    // "permission denied" is known to name an object.
    if code == "42501" {
        return false;
    }
    let harmless = ["08", "0A", "25", "28", "3D", "40", "53", "54", "55", "57", "58"];
    !code.get(..2).is_some_and(|class| harmless.contains(&class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_not_quoted() {
        let error = classify("22P02", "invalid input syntax for type integer: \"secret\"", "users");
        assert_eq!(error.to_string(), "PGBADVALUE users: a key value does not fit its column's type");
        for code in ["22003", "22007", "22008", "22021", "22P05", "23514"] {
            assert_eq!(classify(code, "secret", "users").kind(), &ErrorKind::BadValue, "{code}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_converted_need_not_be_the_keys() {
        let told = |code| classify(code, "secret", "users").to_string();
        assert!(told("22021").contains("in the row") && told("22P05").contains("in the row"));
        assert!(!told("22003").contains("in the row"));
    }

    #[test]
    fn what_a_function_raises_is_not_passed_on() {
        for code in ["P0001", "23505", "XX000", "22012", "HV000", "38000", ""] {
            assert!(!classify(code, "secret", "users").to_string().contains("secret"), "{code}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_sqlstate_and_message() {
        let error = classify("42501", "permission denied for table users", "users");
        assert!(error.to_string().starts_with("PGERR 42501 users: permission denied for table users: GRANT"));
        let error = classify("53300", "too many connections", "users");
        assert_eq!(error.to_string(), "PGERR 53300 users: too many connections");
    }

    #[test]
    fn missing_objects_and_timeouts_have_codes_of_their_own() {
        for (code, kind) in [
            ("42P01", ErrorKind::NoTable),
            ("3F000", ErrorKind::NoTable),
            ("42703", ErrorKind::NoColumn),
            ("57014", ErrorKind::Timeout),
            ("22012", ErrorKind::Postgres("22012".into())),
        ] {
            assert_eq!(classify(code, "x", "users").kind(), &kind, "{code}");
        }
        assert!(classify("57014", "x", "users").to_string().contains("statement_timeout_ms"));
    }

    #[test]
    fn a_server_that_ends_loses_the_connection() {
        assert!(is_lost_code("57P01") && is_lost_code("08006"));
        assert!(!is_lost_code("57014") && !is_lost_code("53300"));
    }
}
