//! Why a query failed, and whether that is for us or for PostgreSQL to tell.

use ::postgres::Error as PgError;

use crate::cache::{Error, ErrorKind};
use crate::postgres::error::{is_lost, may_be_about_values};

/// Why a query failed, by the step that failed.
#[derive(Debug)]
pub enum QueryError {
    /// An error of our own.
    Ours(Error),
    /// PostgreSQL does not take the statement.
    Parse(PgError),
    /// PostgreSQL takes the statement but not the parameters, or cannot plan it.
    Bind(PgError),
    /// It failed while it ran.
    Run(PgError),
    /// Something around it failed.
    Around(PgError),
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl QueryError {
    /// What PostgreSQL said.
    pub fn cause(&self) -> Option<&PgError> {
        match self {
            Self::Ours(_) => None,
            Self::Parse(error) | Self::Bind(error) | Self::Run(error) | Self::Around(error) => Some(error),
        }
    }

    /// The error of our own that it is, or PostgreSQL's for the caller to judge: a lost connection is always that.
    pub fn told(self, title: &str) -> Result<Error, PgError> {
        if self.cause().is_some_and(is_lost) {
            return self.raw(title);
        }
        let ours = match &self {
            Self::Parse(error) => of_statement(error, title),
            Self::Bind(error) => of_parameters(error, title).or_else(|| of_data(error, title)),
            Self::Run(error) => of_data(error, title),
            Self::Ours(_) | Self::Around(_) => None,
        };
        ours.map_or_else(|| self.raw(title), Ok)
    }

    fn raw(self, title: &str) -> Result<Error, PgError> {
        match self {
            Self::Ours(error) => Ok(error),
            Self::Parse(error) | Self::Bind(error) | Self::Run(error) | Self::Around(error) => {
                log::debug!("{title}: {error}");
                Err(error)
            }
        }
    }
}

/// Of a statement that is wrong, PostgreSQL's message is what helps most; it is passed on unless it quotes a literal,
/// which may be a value.
fn of_statement(error: &PgError, title: &str) -> Option<Error> {
    let db = error.as_db_error()?;
    let code = db.code().code();
    match code.get(..2)? {
        "22" => Some(refused(code, format!("{title}: a literal in it does not fit its type"))),
        // A name that is taken is one that the client library gave to a statement.
        "42" if code != "42P05" => {
            let message = if quotes_literal(db.message()) { "PostgreSQL refuses it" } else { db.message() };
            let text = format!("{title}: {message}");
            Some(match code {
                "42P01" => Error::new(ErrorKind::NoTable, text),
                "42703" => Error::new(ErrorKind::NoColumn, text),
                _ => refused(code, text),
            })
        }
        _ => None,
    }
}

/// Input functions are run before anything else; some speak as if the statement were wrong, which was parsed before. What
/// planning finds wrong in a function's body has a position there.
fn of_parameters(error: &PgError, title: &str) -> Option<Error> {
    let db = error.as_db_error()?;
    let code = db.code().code();
    let is_data = code.starts_with("22") && !is_arithmetic(code) || code == "23514" || code == "23502";
    (is_data || (may_be_about_values(error) && db.position().is_none()))
        .then(|| Error::bad_value(format!("{title}: a parameter does not fit its type")))
}

/// While the statement runs it is its own expressions that fail, on rows as well as on parameters.
fn of_data(error: &PgError, title: &str) -> Option<Error> {
    let code = error.code()?.code();
    let failed = match code {
        _ if code.starts_with("22") => "cannot be computed: data exception",
        // Of a domain: a query breaks no others.
        "23514" | "23502" => "breaks a constraint of its type:",
        _ => return None,
    };
    Some(refused(code, format!("{title}: an expression in it {failed} {code}")))
}

/// Data exceptions that no input function reports: division by zero, NULL where none may be, the arguments of logarithm,
/// power, width_bucket, LIMIT and OFFSET, and regular expressions. Planning may come upon them, in constants.
fn is_arithmetic(code: &str) -> bool {
    matches!(code, "22012" | "22004" | "2201E" | "2201F" | "2201G" | "2201B" | "2201W" | "2201X")
}

fn refused(code: &str, text: String) -> Error {
    Error::new(ErrorKind::Postgres(code.into()), text)
}

fn quotes_literal(message: &str) -> bool {
    message.contains('\'') || message.split('"').skip(1).any(|quoted| quoted.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_told_from_names() {
        assert!(quotes_literal("syntax error at or near \"'secret'\""));
        assert!(quotes_literal("syntax error at or near \"4711\""));
        assert!(!quotes_literal("syntax error at or near \"FORM\""));
    }
}
