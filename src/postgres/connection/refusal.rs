//! Refused connections in words: where it was tried, the cause, and what to check.

use std::io;

use super::connect::ConnectError;
use crate::postgres::error::reason;
use crate::settings::SourceSettings;

/// Why nothing is connected to what the settings say. It holds no password.
pub(super) fn told(error: &ConnectError, settings: &SourceSettings) -> String {
    let address = settings.address();
    match (error, advice(error)) {
        (ConnectError::Closing, _) => error.to_string(),
        (_, None) => format!("cannot connect to {address}: {error}"),
        (_, Some(advice)) => format!("cannot connect to {address}: {error} ({advice})"),
    }
}

/// What the system says, without its number for it.
pub(super) fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn advice(error: &ConnectError) -> Option<&'static str> {
    match error {
        ConnectError::Io(error) => Some(advice_of_io(error)),
        ConnectError::PasswordFile(_) => Some("the user that the server runs as has to be able to read it"),
        ConnectError::Postgres(error) => match error.as_db_error() {
            Some(db) => advice_of_code(db.code().code()),
            None => Some(advice_of_text(&reason(error))),
        },
        ConnectError::Unfit(_) => Some("check pg_host and pg_port"),
        ConnectError::Ended(_) | ConnectError::Closing => None,
    }
}

fn advice_of_io(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "check pg_host and pg_port, and that PostgreSQL runs and listens there",
        io::ErrorKind::NotFound => "check pg_host and pg_port: no PostgreSQL has its socket there",
        io::ErrorKind::PermissionDenied => "the user that the server runs as may not use this socket",
        io::ErrorKind::TimedOut => {
            "check pg_host, pg_port and firewalls in between; connect_timeout_ms is how long it may take"
        }
        _ => "check pg_host and pg_port",
    }
}

/// PostgreSQL's own words say what is wrong; this says which setting that is.
fn advice_of_code(code: &str) -> Option<&'static str> {
    match code {
        "28P01" => Some("check pg_user, and the password in pg_password_file"),
        "28000" => Some("check pg_user, pg_sslmode, and pg_hba.conf of PostgreSQL"),
        "3D000" => Some("check pg_database"),
        "42501" => Some("GRANT CONNECT ON DATABASE lets the role of pg_user in"),
        "53300" => Some("lower pool_size, or raise max_connections of PostgreSQL or the role's CONNECTION LIMIT"),
        _ => None,
    }
}

/// The client library tells its own errors apart by their texts alone.
fn advice_of_text(text: &str) -> &'static str {
    if text.contains("password missing") {
        return "PostgreSQL asks for a password: set pg_password_file";
    }
    if text.contains("TLS") {
        return "check pg_sslmode and pg_sslrootcert";
    }
    "check pg_host and pg_port: is it PostgreSQL that answers there?"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(error: io::Error) -> String {
        let args = ["pg_host", "db1", "pg_port", "5433", "pg_password", "hunter2"].map(String::from);
        told(&ConnectError::Io(error), &crate::settings::load(&args, []).unwrap().settings.sources[0])
    }

    #[test]
    fn a_refusal_says_where_and_what_to_check() {
        assert_eq!(
            refused(io::Error::from_raw_os_error(111)),
            "cannot connect to db1:5433: Connection refused (check pg_host and pg_port, and that PostgreSQL runs and listens there)"
        );
        let unknown = io::Error::other("failed to lookup address information: Name or service not known");
        assert!(refused(unknown).ends_with("not known (check pg_host and pg_port)"));
        let silent = refused(io::Error::new(io::ErrorKind::TimedOut, "no answer for 100 ms"));
        assert!(silent.contains("db1:5433: no answer for 100 ms") && silent.contains("firewalls"), "{silent}");
    }

    #[test]
    fn what_postgresql_refuses_names_the_setting() {
        for (code, setting) in [("28P01", "pg_password_file"), ("28000", "pg_hba.conf"), ("3D000", "pg_database")] {
            assert!(advice_of_code(code).unwrap().contains(setting), "{code}");
        }
        assert_eq!(advice_of_code("57P03"), None, "it starts: there is nothing to check");
    }

    #[test]
    fn errors_of_the_client_library_name_the_setting() {
        assert!(advice_of_text("invalid configuration: password missing").contains("pg_password_file"));
        assert!(advice_of_text("error performing TLS handshake").contains("pg_sslmode"));
        assert!(advice_of_text("unexpected message from server").contains("pg_port"));
    }
}
