//! The identity of a source: what it is connected to, as far as that is known.

use std::fmt;

use crate::settings::SourceSettings;

/// What a pooler means.
const THROUGH_A_POOLER: &str = ", through a pooler (a statement takes three round trips)";

/// What a source is connected to. Until there was a connection, what its settings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where: `db1:5432`, or the path of a Unix socket.
    pub address: String,
    /// The database.
    pub database: String,
    /// The role whose rights count.
    pub role: String,
    /// What answers there; `None` until something has.
    pub server: Option<Server>,
}

/// The PostgreSQL that answers, and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its version: `15.14`.
    pub version: String,
    /// The version of TLS; `None` without TLS.
    pub tls: Option<&'static str>,
    /// Whether a pooler stands in between.
    pub has_pooler: bool,
    /// Whether the role is a superuser.
    pub is_superuser: bool,
}

impl Identity {
    /// What the settings ask for.
    pub(crate) fn wanted(settings: &SourceSettings) -> Self {
        Self {
            address: settings.address(),
            database: settings.pg_database.clone(),
            role: settings.pg_user.clone(),
            server: None,
        }
    }
}

impl Server {
    /// TLS, in a word.
    pub fn tls_name(&self) -> &'static str {
        self.tls.unwrap_or("off")
    }
}

/// `PostgreSQL 15.14 at db1:5432, database shop, role pgcache, TLSv1.3`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, database, role, server } = self;
        let version = server.as_ref().map_or("", |server| &server.version);
        let space = if version.is_empty() { "" } else { " " };
        write!(f, "PostgreSQL{space}{version} at {address}, database {database}, role {role}")?;
        let Some(server) = server else { return Ok(()) };
        f.write_str(if server.is_superuser { " (a superuser)" } else { "" })?;
        match server.tls {
            Some(version) => write!(f, ", {version}")?,
            None if address.starts_with('/') => {}
            None => f.write_str(", without TLS")?,
        }
        f.write_str(if server.has_pooler { THROUGH_A_POOLER } else { "" })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn identity(host: &str, tls: Option<&'static str>, has_pooler: bool) -> Identity {
        let args = ["pg_host", host, "pg_database", "shop", "pg_user", "app"].map(String::from);
        let wanted = Identity::wanted(&crate::settings::load(&args, []).unwrap().settings.sources[0]);
        let server = Server { version: "15.14".into(), tls, has_pooler, is_superuser: false };
        Identity { server: Some(server), ..wanted }
    }

    #[test]
    fn one_line_says_what_is_connected_to() {
        let told = |host, tls, has_pooler| identity(host, tls, has_pooler).to_string();
        assert_eq!(
            told("db1", Some("TLSv1.3"), true),
            "PostgreSQL 15.14 at db1:5432, database shop, role app, TLSv1.3, through a pooler (a statement takes three round trips)"
        );
        assert_eq!(told("db1", None, false), "PostgreSQL 15.14 at db1:5432, database shop, role app, without TLS");
        assert_eq!(
            told("/run/postgresql", None, false),
            "PostgreSQL 15.14 at /run/postgresql/.s.PGSQL.5432, database shop, role app"
        );
    }

    #[test]
    fn what_has_not_answered_yet_is_told_by_its_settings() {
        let wanted = Identity { server: None, ..identity("db1", None, false) };
        assert_eq!(wanted.to_string(), "PostgreSQL at db1:5432, database shop, role app");
    }
}
