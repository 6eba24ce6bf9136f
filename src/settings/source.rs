//! The settings of one source, that is of one PostgreSQL database.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::allow::AllowTables;
use super::error::SettingError;
use super::freshness::Invalidation;
use super::values::Values;

/// The name of the source that a table name without a prefix means.
pub const DEFAULT_SOURCE: &str = "default";

/// How far to insist on TLS, with libpq's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// When the server offers it, without looking at its certificate.
    Prefer,
    /// Always; the certificate's chain is verified when `pg_sslrootcert` is set.
    Require,
    /// Always, with a chain that ends in a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be for `pg_host`.
    VerifyFull,
}

impl SslMode {
    /// The table of settings admits no other word, so the last arm is `prefer`, the default.
    fn named(word: &str) -> Self {
        match word {
            "disable" => Self::Disable,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => Self::Prefer,
        }
    }
}

/// How to reach one database, and what may be read there.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The prefix in table names; `default` for the first.
    pub name: String,
    /// Host name, address, or directory of the Unix socket when it starts with `/`.
    pub pg_host: String,
    /// Port; part of the socket's name for a Unix socket.
    pub pg_port: u16,
    /// Database.
    pub pg_database: String,
    /// Role.
    pub pg_user: String,
    /// Password; never together with a file.
    pub pg_password: Option<SecretString>,
    /// File with the password, read at every connect.
    pub pg_password_file: Option<PathBuf>,
    /// How far to insist on TLS.
    pub pg_sslmode: SslMode,
    /// Trusted authorities (PEM); `None` means the system's.
    pub pg_sslrootcert: Option<PathBuf>,
    /// Client certificate chain (PEM).
    pub pg_sslcert: Option<PathBuf>,
    /// Client key (PEM).
    pub pg_sslkey: Option<PathBuf>,
    /// Command-line options for the session.
    pub pg_options: Option<String>,
    /// Most connections.
    pub pool_size: u32,
    /// Longest time to open a connection.
    pub connect_timeout: Duration,
    /// How PostgreSQL tells of changes.
    pub invalidation: Invalidation,
    /// Role of the connection that reads the write-ahead log; `None`: the same.
    pub pg_replication_user: Option<String>,
    /// File with its password, read at every connect; `None`: the same.
    pub pg_replication_password_file: Option<PathBuf>,
    /// The replication slot that outlives a connection; `None`: each connection has its own.
    pub wal_slot: Option<String>,
    /// How much of the write-ahead log that slot may keep, in bytes.
    pub wal_keep_limit: u64,
    /// Which tables may be read.
    pub allow_tables: AllowTables,
}

impl SourceSettings {
    /// Makes the typed settings of the source `name`.
    pub(super) fn build(name: &str, values: &Values) -> Self {
        Self {
            name: name.into(),
            pg_host: values.text("pg_host").into(),
            pg_port: values.integer("pg_port"),
            pg_database: values.text("pg_database").into(),
            pg_user: values.text("pg_user").into(),
            pg_password: values.optional("pg_password"),
            pg_password_file: values.optional("pg_password_file"),
            pg_sslmode: SslMode::named(values.text("pg_sslmode")),
            pg_sslrootcert: values.optional("pg_sslrootcert"),
            pg_sslcert: values.optional("pg_sslcert"),
            pg_sslkey: values.optional("pg_sslkey"),
            pg_options: values.optional("pg_options"),
            pool_size: values.integer("pool_size"),
            connect_timeout: values.milliseconds("connect_timeout_ms"),
            invalidation: Invalidation::named(values.text("invalidation")),
            pg_replication_user: values.optional("pg_replication_user"),
            pg_replication_password_file: values.optional("pg_replication_password_file"),
            wal_slot: values.optional("wal_slot"),
            wal_keep_limit: values.integer::<u64>("wal_keep_limit_mb") << 20,
            allow_tables: AllowTables::parse(values.text("allow_tables")),
        }
    }

    /// Whether the settings go together, now that all of them are known.
    ///
    /// # Errors
    /// When two exclude each other: both ways to give a password, or half of a client certificate.
    pub(super) fn check(&self) -> Result<(), SettingError> {
        if self.pg_password.is_some() && self.pg_password_file.is_some() {
            return Err(conflict(&self.name, "pg_password and pg_password_file exclude each other"));
        }
        if self.pg_sslcert.is_some() != self.pg_sslkey.is_some() {
            return Err(conflict(&self.name, "pg_sslcert and pg_sslkey need each other"));
        }
        Ok(())
    }

    /// Where the source is: `db1:5432`, `[::1]:5432`, or the path of a Unix socket.
    pub fn address(&self) -> String {
        match (&self.pg_host, self.pg_port) {
            (folder, port) if self.is_unix_socket() => format!("{}/.s.PGSQL.{port}", folder.trim_end_matches('/')),
            (host, port) if host.contains(':') => format!("[{host}]:{port}"),
            (host, port) => format!("{host}:{port}"),
        }
    }

    /// Whether the source is reached through a Unix socket, where TLS has no meaning.
    pub fn is_unix_socket(&self) -> bool {
        self.pg_host.starts_with('/')
    }
}

fn conflict(source: &str, text: &str) -> SettingError {
    SettingError::new(format!("{text} (source {source})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_one_would_connect_to() {
        let address = |host: &str| {
            let mut values = Values::default();
            for (name, value) in [("pg_host", host), ("pg_port", "5433")] {
                values.put(super::super::Definition::named(name).expect("a setting"), value);
            }
            SourceSettings::build("default", &values).address()
        };
        assert_eq!(address("db1"), "db1:5433");
        assert_eq!(address("::1"), "[::1]:5433");
        assert_eq!(address("/run/postgresql/"), "/run/postgresql/.s.PGSQL.5433");
    }
}
