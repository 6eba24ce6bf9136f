//! Opening one connection to a source.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::ExposeSecret;
use tokio_postgres::config::SslMode as Negotiation;
use tokio_postgres::error::SqlState;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::client::{connect_wire, Address, Client, OpenError, Shutdown, Wire};
use super::pooler::{marked, refuses_options};
use super::refusal;
use super::tls::Tls;
use crate::cache::Error;
use crate::postgres::error::{is_lost, reason};
use crate::settings::{SourceSettings, SslMode};

/// The name of the connections that load, in `pg_stat_activity`.
pub(crate) const LOADS: &str = "pgcache/load";
/// The name of those that hear of changes.
pub(crate) const NOTICES: &str = "pgcache/notices";
/// The name of those that compare definitions.
pub(crate) const DEFINITIONS: &str = "pgcache/definitions";

/// Why a connection could not be opened. Its text holds no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// PostgreSQL, the network or TLS said no.
    #[error("{}", reason(.0))]
    Postgres(#[from] ::postgres::Error),
    /// The network said no, or nothing answered in time.
    #[error("{}", refusal::without_number(.0))]
    Io(io::Error),
    /// The password file could not be read.
    #[error("pg_password_file: {}", refusal::without_number(.0))]
    PasswordFile(io::Error),
    /// The server answers, but it is not one to read from.
    #[error("{0}")]
    Unfit(&'static str),
    /// PostgreSQL took the connection, and then it was lost.
    #[error("{}", reason(.0))]
    Ended(::postgres::Error),
    /// Nobody wants connections any more.
    #[error("the module ends")]
    Closing,
}

impl From<OpenError> for ConnectError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => Self::Io(error),
            OpenError::Postgres(error) => Self::Postgres(error),
            OpenError::Closing => Self::Closing,
        }
    }
}

impl ConnectError {
    /// Whether PostgreSQL itself said no, so that it is there.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.as_db_error().is_some())
    }

    /// The same error, of a connection that PostgreSQL had taken already.
    pub(crate) fn when_open(self) -> Self {
        match self {
            Self::Postgres(error) if is_lost(&error) => Self::Ended(error),
            error => error,
        }
    }

    /// Whether somebody ended the connection while it was made (57P01, when that is told): PostgreSQL is there.
    pub(crate) fn is_ended(&self) -> bool {
        match self {
            Self::Ended(_) => true,
            Self::Postgres(error) => error.code() == Some(&SqlState::ADMIN_SHUTDOWN),
            _ => false,
        }
    }

    /// Whether PostgreSQL may be there in a moment: nobody listens yet, or it says that it is starting or ending (57P03).
    pub(crate) fn is_near(&self) -> bool {
        match self {
            Self::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
            Self::Postgres(error) => error.code() == Some(&SqlState::CANNOT_CONNECT_NOW),
            _ => false,
        }
    }
}

/// Opens connections to one source.
pub(crate) struct Connector {
    settings: Arc<SourceSettings>,
    tls: Option<Tls>,
    application_name: &'static str,
    shutdown: Shutdown,
}

impl Connector {
    /// Reads the TLS files; connects to nothing yet. `pg_options` may name the connections otherwise. They end with `shutdown`.
    ///
    /// # Errors
    /// A TLS file that is of no use.
    pub(crate) fn new(
        settings: Arc<SourceSettings>,
        application_name: &'static str,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        let tls = Tls::new(&settings)?;
        Ok(Self { settings, tls, application_name, shutdown })
    }

    /// How long a connection may take to open, and an answer that takes PostgreSQL no time.
    pub(crate) fn patience(&self) -> Duration {
        self.settings.connect_timeout
    }

    /// What ends the connections.
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// The settings of the source.
    pub(crate) fn settings(&self) -> &SourceSettings {
        &self.settings
    }

    /// Why no connection could be opened: where it was tried, the cause, and what to check. Fit for a log line and a client.
    pub(crate) fn reason(&self, error: &ConnectError) -> String {
        refusal::told(error, &self.settings)
    }

    /// The version of TLS that protects `client`; `None` when nothing does.
    pub(crate) fn tls_of(&self, client: &Client) -> Option<&'static str> {
        self.tls.as_ref().filter(|_| client.is_encrypted()).map(Tls::version)
    }

    /// Opens one connection as the settings ask for it, [marked](super::pooler) unless a pooler refuses that.
    ///
    /// # Errors
    /// Everything that can stand in the way; see [`Self::reason`].
    pub(crate) fn open(&self) -> Result<Client, ConnectError> {
        let options = self.settings.pg_options.as_deref();
        match self.open_by(Some(&marked(options))) {
            Err(ConnectError::Postgres(error)) if refuses_options(&error) => self.open_by(options),
            result => result,
        }
    }

    /// A socket that is connected to the server.
    ///
    /// # Errors
    /// What the network says.
    pub(super) async fn wire(&self) -> io::Result<Wire> {
        let SourceSettings { pg_host, pg_port, connect_timeout, .. } = &*self.settings;
        connect_wire(pg_host, *pg_port, *connect_timeout).await
    }

    /// What makes TLS connections, if any are to be made.
    pub(super) fn tls_connector(&self) -> Option<&MakeRustlsConnect> {
        self.tls.as_ref().map(|tls| &tls.connector)
    }

    /// Who reads the write-ahead log. Read anew for each connection, because the password may have been rotated.
    ///
    /// # Errors
    /// The password file cannot be read.
    pub(super) fn replication_credentials(&self) -> io::Result<Credentials<'_>> {
        let settings = &*self.settings;
        let user = settings.pg_replication_user.as_ref().unwrap_or(&settings.pg_user);
        let password = match &settings.pg_replication_password_file {
            Some(path) => Some(read_password(path)?),
            None => password(settings)?,
        };
        Ok(Credentials { user, password })
    }

    fn open_by(&self, options: Option<&str>) -> Result<Client, ConnectError> {
        let Some(tls) = &self.tls else { return self.open_plain(options) };
        if self.settings.pg_sslmode != SslMode::Prefer {
            return self.open_with(Some(tls), Negotiation::Require, options);
        }
        match self.open_with(Some(tls), Negotiation::Prefer, options) {
            Err(ConnectError::Postgres(error)) if is_refusal_of_tls(&error) => self.open_plain(options),
            result => result,
        }
    }

    fn open_plain(&self, options: Option<&str>) -> Result<Client, ConnectError> {
        self.open_with(None, Negotiation::Disable, options)
    }

    fn open_with(&self, tls: Option<&Tls>, mode: Negotiation, options: Option<&str>) -> Result<Client, ConnectError> {
        let SourceSettings { pg_host, pg_port, connect_timeout, .. } = &*self.settings;
        let address = Address { host: pg_host, port: *pg_port, patience: *connect_timeout };
        let tls = tls.map(|tls| &tls.connector);
        Ok(Client::open(address, &self.config(mode, options)?, tls, &self.shutdown)?)
    }

    /// Made anew for each connection, because the password may have been rotated.
    fn config(&self, mode: Negotiation, options: Option<&str>) -> Result<Config, ConnectError> {
        let settings = &*self.settings;
        let mut config = Config::new();
        config.dbname(&settings.pg_database).user(&settings.pg_user).ssl_mode(mode);
        set_options(&mut config, options, self.application_name);
        set_password(&mut config, settings).map_err(ConnectError::PasswordFile)?;
        Ok(config)
    }
}

fn set_options(config: &mut Config, options: Option<&str>, application_name: &str) {
    if let Some(options) = options {
        config.options(options);
    }
    if !options.is_some_and(names_application) {
        config.application_name(application_name);
    }
}

/// A role, and its password.
pub(super) struct Credentials<'a> {
    /// The role.
    pub(super) user: &'a str,
    /// Its password, if it has one.
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
}

fn set_password(config: &mut Config, settings: &SourceSettings) -> io::Result<()> {
    if let Some(password) = password(settings)? {
        config.password(&*password);
    }
    Ok(())
}

fn password(settings: &SourceSettings) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let given = || settings.pg_password.as_ref().map(|password| Zeroizing::new(password.expose_secret().into()));
    match &settings.pg_password_file {
        Some(path) => read_password(path).map(Some),
        None => Ok(given()),
    }
}

/// The file's bytes without the line end that editors and `echo` leave.
fn read_password(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut password = Zeroizing::new(fs::read(path)?);
    while password.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        password.pop();
    }
    Ok(password)
}

/// Whether `-c application_name=…` or `--application-name=…` is among the options.
fn names_application(options: &str) -> bool {
    options.replace('-', "_").contains("application_name=")
}

/// Whether `prefer` should go on without TLS, as libpq does: the handshake failed, or no rule of
/// `pg_hba.conf` admits us over TLS (28000).
fn is_refusal_of_tls(error: &::postgres::Error) -> bool {
    use std::error::Error as _;
    let handshake = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let failed = handshake.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>());
    failed || error.code().is_some_and(|code| code.code() == "28000")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Config {
        config_for(args, LOADS)
    }

    fn config_for(args: &[&str], application_name: &'static str) -> Config {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        let settings = crate::settings::load(&args, []).unwrap().settings;
        let connector =
            Connector::new(Arc::clone(&settings.sources[0]), application_name, Shutdown::default()).unwrap();
        connector.config(Negotiation::Disable, settings.sources[0].pg_options.as_deref()).unwrap()
    }

    #[test]
    fn our_connections_are_named_unless_the_options_name_them() {
        assert_eq!(config(&[]).get_application_name(), Some("pgcache/load"));
        assert_eq!(config(&["pg_options", "-c search_path=app"]).get_application_name(), Some("pgcache/load"));
        assert_eq!(config_for(&[], NOTICES).get_application_name(), Some("pgcache/notices"));
        for options in ["-c application_name=mine", "--application-name=mine"] {
            assert_eq!(config_for(&["pg_options", options], NOTICES).get_application_name(), None);
        }
    }

    #[test]
    fn a_password_file_loses_its_line_end_and_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        fs::write(path, "first pw \r\n").unwrap();
        assert_eq!(config(&["pg_password_file", path]).get_password(), Some(&b"first pw "[..]));
        fs::write(path, "second").unwrap();
        assert_eq!(config(&["pg_password_file", path]).get_password(), Some(&b"second"[..]));
    }

    #[test]
    fn no_text_of_ours_shows_the_password() {
        let config = config(&["pg_password", "hunter2"]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
