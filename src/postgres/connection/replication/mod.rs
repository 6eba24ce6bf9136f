//! A connection that streams the write-ahead log: it answers statements in the simple protocol until the stream begins.
//!
//! The client library of the other connections has no such connection. This one is made of the same parts: the crate of
//! PostgreSQL's messages, and our own sockets and TLS.

mod copy;
mod error;
mod handshake;
mod messages;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::{select, Either};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::runtime::Runtime;

use crate::cache::Lsn;
use crate::postgres::connection::client::{runtime, Pulse, Shutdown};
use crate::postgres::connection::connect::Connector;
use crate::settings::SslMode;
pub(crate) use copy::Streamed;
pub(crate) use error::ReplicationError;
use handshake::{log_in, secure, Encryption, Login};
use messages::{texts, Messages, Received};

/// The name of these connections in `pg_stat_activity`.
const NAME: &str = "pgcache/wal";

/// What a key's text depends on, as in every other session of ours; and no statement of ours waits for long: what waits for
/// locks or for others' transactions would go on in vain when we have given it up.
const OPTIONS: &str =
    "-c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex \
                       -c statement_timeout=5s -c lock_timeout=5s";

/// One row of an answer.
pub(crate) type TextRow = Vec<Option<String>>;

/// The connection.
pub(crate) struct Replication {
    runtime: Runtime,
    messages: Messages,
    pulse: Arc<Pulse>,
    shutdown: Shutdown,
}

impl Replication {
    /// Opens one as the settings of `connector` ask for it.
    ///
    /// # Errors
    /// Everything that can stand in the way.
    pub(crate) fn open(connector: &Connector) -> Result<Self, ReplicationError> {
        let runtime = runtime()?;
        let (patience, shutdown) = (connector.patience(), connector.shutdown().clone());
        let opened = within(&runtime, &shutdown, patience, open(connector));
        match opened {
            Ok((messages, pulse)) => {
                shutdown.keep(&pulse);
                Ok(Self { runtime, messages, pulse, shutdown })
            }
            Err(error) => {
                // A name that is still being looked up is not waited for.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Runs one statement or replication command, and returns its rows.
    ///
    /// # Errors
    /// What PostgreSQL says; nothing within `patience`.
    pub(crate) fn ask(&mut self, sql: &str, patience: Duration) -> Result<Vec<TextRow>, ReplicationError> {
        let Self { runtime, messages, shutdown, .. } = self;
        within(runtime, shutdown, patience, answers(messages, sql))
    }

    /// Begins the stream of `slot` at `start`, with the changes of `publication`.
    ///
    /// # Errors
    /// What PostgreSQL says; nothing within `patience`.
    pub(crate) fn start(
        &mut self,
        slot: &str,
        start: Lsn,
        publication: &str,
        patience: Duration,
    ) -> Result<(), ReplicationError> {
        let sql = format!(
            "START_REPLICATION SLOT \"{slot}\" LOGICAL {start} \
             (proto_version '1', publication_names '{publication}', messages 'true')"
        );
        let Self { runtime, messages, shutdown, .. } = self;
        within(runtime, shutdown, patience, begin(messages, &sql))
    }

    /// What is streamed next; `None` after `patience`, and as soon as `urged` is there.
    ///
    /// # Errors
    /// The stream has ended, and why.
    pub(crate) fn next(
        &mut self,
        patience: Duration,
        urged: impl Future<Output = ()>,
    ) -> Result<Option<Streamed>, ReplicationError> {
        let Self { runtime, messages, .. } = self;
        let received = runtime.block_on(async {
            let received = tokio::time::timeout(patience, messages.next());
            match select(pin!(received), pin!(urged)).await {
                Either::Left((received, _)) => received.ok(),
                Either::Right(_) => None,
            }
        });
        received.map_or(Ok(None), |received| streamed(received?).map(Some))
    }

    /// What has come in already.
    ///
    /// # Errors
    /// The stream has ended, and why.
    pub(crate) fn next_received(&mut self) -> Result<Option<Streamed>, ReplicationError> {
        self.messages.read()?.map(streamed).transpose()
    }

    /// Tells the server that everything before `applied` need not be kept.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn confirm(&mut self, applied: Lsn, patience: Duration) -> Result<(), ReplicationError> {
        let Self { runtime, messages, shutdown, .. } = self;
        let mut status = BytesMut::new();
        copy::write_status(applied, &mut status);
        let sent = messages.send(|out| {
            frontend::CopyData::new(status.freeze())?.write(out);
            Ok(())
        });
        within(runtime, shutdown, patience, sent)
    }

    /// Whether another thread has ended it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.pulse.is_stopped()
    }
}

impl Drop for Replication {
    /// Ends the session at once: its slot is free for the next one, and a temporary one is gone.
    fn drop(&mut self) {
        let Self { runtime, messages, .. } = self;
        let farewell = messages.send(|out| {
            frontend::terminate(out);
            Ok(())
        });
        // Nobody is left to be told.
        let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_millis(50), farewell).await });
        self.pulse.stop();
    }
}

fn within<T>(
    runtime: &Runtime,
    shutdown: &Shutdown,
    patience: Duration,
    step: impl Future<Output = Result<T, ReplicationError>>,
) -> Result<T, ReplicationError> {
    runtime.block_on(async {
        let step = tokio::time::timeout(patience, step);
        match select(pin!(step), pin!(shutdown.begun())).await {
            Either::Left((done, _)) => done.unwrap_or_else(|_| Err(ReplicationError::silence())),
            Either::Right(_) => Err(ReplicationError::Closing),
        }
    })
}

async fn open(connector: &Connector) -> Result<(Messages, Arc<Pulse>), ReplicationError> {
    let settings = connector.settings();
    let credentials = connector.replication_credentials()?;
    let options = match &settings.pg_options {
        Some(options) => format!("{options} {OPTIONS}"),
        None => OPTIONS.to_owned(),
    };
    let login = Login {
        user: credentials.user,
        password: credentials.password.as_ref().map(|password| password.as_slice()),
        database: &settings.pg_database,
        application_name: NAME,
        options: &options,
    };
    let encryption = connector.tls_connector().map(|connector| Encryption {
        connector,
        host: &settings.pg_host,
        is_optional: settings.pg_sslmode == SslMode::Prefer,
    });
    match connect(connector, encryption, &login).await {
        // As with the other connections: the handshake failed, or no rule of pg_hba.conf admits us with TLS.
        Err(error) if encryption.is_some_and(|way| way.is_optional) && is_refusal_of_tls(&error) => {
            connect(connector, None, &login).await
        }
        opened => opened,
    }
}

async fn connect(
    connector: &Connector,
    encryption: Option<Encryption<'_>>,
    login: &Login<'_>,
) -> Result<(Messages, Arc<Pulse>), ReplicationError> {
    let wire = connector.wire().await?;
    let pulse = Arc::clone(wire.pulse());
    let mut messages = Messages::new(secure(wire, encryption).await?);
    log_in(&mut messages, login).await?;
    Ok((messages, pulse))
}

fn is_refusal_of_tls(error: &ReplicationError) -> bool {
    match error {
        ReplicationError::Io(error) => {
            error.get_ref().is_some_and(|inner| inner.is::<io::Error>() || inner.is::<rustls::Error>())
        }
        error => error.code() == Some("28000"),
    }
}

async fn answers(messages: &mut Messages, sql: &str) -> Result<Vec<TextRow>, ReplicationError> {
    messages.send(|out| frontend::query(sql, out)).await?;
    let mut rows = Vec::new();
    loop {
        match messages.next().await {
            Ok(Received::Other(Message::ReadyForQuery(_))) => return Ok(rows),
            Ok(Received::Other(message)) => {
                if let Some(row) = texts(&message) {
                    rows.push(row?);
                }
            }
            Ok(_) => return Err(ReplicationError::protocol("the server copies where it should answer")),
            Err(error @ ReplicationError::Server { .. }) => return until_ready(messages).await.and(Err(error)),
            Err(error) => return Err(error),
        }
    }
}

/// After an error the session goes on.
async fn until_ready(messages: &mut Messages) -> Result<(), ReplicationError> {
    while !matches!(messages.next().await?, Received::Other(Message::ReadyForQuery(_))) {}
    Ok(())
}

async fn begin(messages: &mut Messages, sql: &str) -> Result<(), ReplicationError> {
    messages.send(|out| frontend::query(sql, out)).await?;
    while !matches!(messages.next().await?, Received::Copying) {}
    Ok(())
}

fn streamed(received: Received) -> Result<Streamed, ReplicationError> {
    match received {
        Received::Copied(content) => Streamed::parse(content),
        Received::CopyDone | Received::Copying | Received::Other(_) => {
            Err(ReplicationError::protocol("PostgreSQL has ended the stream"))
        }
    }
}

#[cfg(test)]
mod tests;
