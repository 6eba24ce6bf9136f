//! Opening a replication connection: TLS as the settings ask for it, the start of the session, and authentication.

use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256, SCRAM_SHA_256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::ReplicationError;
use super::messages::{Messages, Received};
use crate::postgres::connection::client::{GuardedSocket, Stream, Wire};

/// Who connects, and to what.
pub(super) struct Login<'a> {
    pub user: &'a str,
    pub password: Option<&'a [u8]>,
    pub database: &'a str,
    pub application_name: &'a str,
    pub options: &'a str,
}

/// How TLS is asked for.
#[derive(Clone, Copy)]
pub(super) struct Encryption<'a> {
    /// What makes it.
    pub connector: &'a MakeRustlsConnect,
    /// The host that is connected to.
    pub host: &'a str,
    /// Whether a server without it will do.
    pub is_optional: bool,
}

/// A stream of messages through `wire`, encrypted if that was asked for.
pub(super) async fn secure(
    mut wire: Wire,
    encryption: Option<Encryption<'_>>,
) -> Result<Box<dyn Stream>, ReplicationError> {
    let Some(Encryption { connector, host, is_optional }) = encryption else {
        return Ok(Box::new(GuardedSocket::messages(wire)));
    };
    let mut request = bytes::BytesMut::new();
    frontend::ssl_request(&mut request);
    wire.write_all(&request).await?;
    match wire.read_u8().await? {
        b'S' => {
            let Ok(tls) = MakeTlsConnect::<Wire>::make_tls_connect(&mut connector.clone(), host);
            let stream = tls.connect(wire).await.map_err(io::Error::other)?;
            Ok(Box::new(GuardedSocket::messages(stream)))
        }
        _ if is_optional => Ok(Box::new(GuardedSocket::messages(wire))),
        _ => Err(ReplicationError::protocol("the server does not take TLS (check pg_sslmode)")),
    }
}

/// Starts the session as `login`.
pub(super) async fn log_in(messages: &mut Messages, login: &Login<'_>) -> Result<(), ReplicationError> {
    let parameters = [
        ("user", login.user),
        ("database", login.database),
        ("replication", "database"),
        ("client_encoding", "UTF8"),
        ("application_name", login.application_name),
        ("options", login.options),
    ];
    messages.send(|out| frontend::startup_message(parameters, out)).await?;
    loop {
        match messages.next().await? {
            Received::Other(Message::ReadyForQuery(_)) => return Ok(()),
            Received::Other(message) => authenticate(messages, login, message).await?,
            Received::Copied(_) | Received::Copying | Received::CopyDone => return Err(unexpected()),
        }
    }
}

async fn authenticate(messages: &mut Messages, login: &Login<'_>, message: Message) -> Result<(), ReplicationError> {
    match message {
        Message::AuthenticationCleartextPassword => {
            let password = password(login)?;
            messages.send(|out| frontend::password_message(password, out)).await
        }
        Message::AuthenticationMd5Password(body) => {
            let hash = md5_hash(login.user.as_bytes(), password(login)?, body.salt());
            messages.send(|out| frontend::password_message(hash.as_bytes(), out)).await
        }
        Message::AuthenticationSasl(body) => scram(messages, password(login)?, &body).await,
        Message::AuthenticationOk | Message::BackendKeyData(_) => Ok(()),
        _ => Err(unexpected()),
    }
}

async fn scram(
    messages: &mut Messages,
    password: &[u8],
    offered: &AuthenticationSaslBody,
) -> Result<(), ReplicationError> {
    if !offered.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))? {
        return Err(ReplicationError::protocol("the server offers no way to authenticate that is known here"));
    }
    // The client library keeps what would bind it to the TLS channel to itself.
    let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
    messages.send(|out| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), out)).await?;
    match messages.next().await? {
        Received::Other(Message::AuthenticationSaslContinue(body)) => scram.update(body.data())?,
        _ => return Err(unexpected()),
    }
    messages.send(|out| frontend::sasl_response(scram.message(), out)).await?;
    match messages.next().await? {
        Received::Other(Message::AuthenticationSaslFinal(body)) => Ok(scram.finish(body.data())?),
        _ => Err(unexpected()),
    }
}

fn password<'a>(login: &Login<'a>) -> Result<&'a [u8], ReplicationError> {
    login.password.ok_or_else(|| {
        ReplicationError::protocol(
            "PostgreSQL asks for a password: set pg_password_file or pg_replication_password_file",
        )
    })
}

fn unexpected() -> ReplicationError {
    ReplicationError::protocol("the server answers what no PostgreSQL does")
}
