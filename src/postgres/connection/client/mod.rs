//! A PostgreSQL client for threads that block. Requests that depend on each other may go out together, each has an end,
//! and a server that is none cannot fill the memory.

mod driver;
mod frames;
mod guard;
mod pulse;
mod request;
mod shutdown;
mod tls;
mod wire;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join3, join_all, select, Either};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, Connection, Error, NoTls, Notification, Row, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(in crate::postgres::connection) use driver::runtime;
use driver::{Driver, Limit};
pub(in crate::postgres::connection) use guard::GuardedSocket;
pub(crate) use pulse::{Pulse, LATE};
pub(crate) use request::{OnRows, Parts, Request, Typed, What};
pub use shutdown::Shutdown;
use tls::GuardedTls;
pub(in crate::postgres::connection) use wire::{connect as connect_wire, Stream, Wire};

/// Where a server is, and how long connecting to it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    /// A name, an address, or the folder of a Unix socket.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// From the first packet to the session's being ready.
    pub patience: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The network said no, or nothing answered in time.
    Io(io::Error),
    /// The server or TLS said no.
    Postgres(Error),
    /// The source has ended.
    Closing,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

/// One connection.
pub struct Client {
    inner: tokio_postgres::Client,
    driver: Driver,
    is_encrypted: bool,
}

impl Client {
    /// Opens a connection, by TLS as far as `config` says. Until [`Self::set_patience`] is called, all that is asked has to be answered
    /// within the patience of the address as well, so that what is asked first belongs to the opening. Ends with `shutdown`.
    pub(crate) fn open(
        address: Address<'_>,
        config: &Config,
        tls: Option<&MakeRustlsConnect>,
        shutdown: &Shutdown,
    ) -> Result<Self, OpenError> {
        match tls {
            None => Self::by(address, shutdown, |wire| config.connect_raw(GuardedSocket::messages(wire), NoTls)),
            Some(tls) => {
                let Ok(inner) = MakeTlsConnect::<GuardedSocket<Wire>>::make_tls_connect(&mut tls.clone(), address.host);
                let is_used = Arc::<AtomicBool>::default();
                let tls = GuardedTls { inner, is_used: Arc::clone(&is_used) };
                let mut client =
                    Self::by(address, shutdown, |wire| config.connect_raw(GuardedSocket::negotiation(wire), tls))?;
                client.is_encrypted = is_used.load(Ordering::Relaxed);
                Ok(client)
            }
        }
    }

    fn by<T, F>(address: Address<'_>, shutdown: &Shutdown, handshake: impl FnOnce(Wire) -> F) -> Result<Self, OpenError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Result<(tokio_postgres::Client, Connection<GuardedSocket<Wire>, T>), Error>>,
    {
        let runtime = runtime()?;
        let Address { host, port, patience } = address;
        let limit = Limit::Until(Instant::now() + patience);
        let opening = async {
            let wire = wire::connect(host, port, patience).await?;
            let pulse = Arc::clone(wire.pulse());
            Ok((handshake(wire).await?, pulse))
        };
        let opened = runtime.block_on(async {
            let opening = tokio::time::timeout(patience, opening);
            match select(pin!(opening), pin!(shutdown.begun())).await {
                Either::Left((opened, _)) => opened.unwrap_or_else(|_| Err(silence(patience))),
                Either::Right(_) => Err(OpenError::Closing),
            }
        });
        match opened {
            Ok(((inner, connection), pulse)) => {
                let driver = Driver::new(runtime, connection, limit, pulse);
                shutdown.keep(driver.pulse());
                Ok(Self { inner, driver, is_encrypted: false })
            }
            Err(error) => {
                // A name that is still being looked up is not waited for.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Whether TLS protects it.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// From now on each request may take so long. One that takes longer closes the connection.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.driver.limit = Limit::Each(patience);
    }

    /// Runs `request` with another patience.
    pub(crate) fn within<T>(&mut self, patience: Duration, request: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.driver.limit, Limit::Each(patience));
        let result = request(self);
        self.driver.limit = before;
        result
    }

    /// What other threads may know of the connection, and do to it.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        self.driver.pulse()
    }

    /// Whether the server answers; `None` when it has not within `patience`, and may still do so.
    pub(crate) fn knock(&mut self, patience: Duration) -> Option<Result<(), Error>> {
        let Self { inner, driver, .. } = self;
        driver.run_for(patience, inner.batch_execute(""))
    }

    /// Runs statements without parameters and throws their results away.
    pub(crate) fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        let Self { inner, driver, .. } = self;
        driver.run(inner.batch_execute(sql))
    }

    /// Runs statements without parameters and returns what they answered, as texts.
    pub(crate) fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        let Self { inner, driver, .. } = self;
        driver.run(inner.simple_query(sql))
    }

    /// Runs one statement without parameters: more are refused.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<u64, Error> {
        let Self { inner, driver, .. } = self;
        driver.run(inner.execute(sql, &[]))
    }

    /// Prepares a statement for as long as the result lives.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let Self { inner, driver, .. } = self;
        driver.run(inner.prepare(sql))
    }

    /// Runs a prepared statement and returns its rows.
    pub(crate) fn query(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let Self { inner, driver, .. } = self;
        driver.run(inner.query(statement, params))
    }

    /// Runs a statement that stays without a name, with parameters of these types.
    pub(crate) fn query_typed(&mut self, sql: &str, params: &[Typed<'_>]) -> Result<Vec<Row>, Error> {
        let Self { inner, driver, .. } = self;
        driver.run(inner.query_typed(sql, params))
    }

    /// Runs `requests` between `begin` and `end`, which hold statements without parameters. All are sent at once, and
    /// the end is run whatever came of the requests. Where the beginning went well, `on_rows` is told what came of each request as soon
    /// as all are answered: the end is still under way.
    pub(crate) fn enclosed(
        &mut self,
        begin: &str,
        requests: &mut [Request<'_>],
        end: [&str; 2],
        on_rows: OnRows<'_>,
    ) -> Result<Parts, Error> {
        let Self { inner, driver, .. } = self;
        let (inner, has_enough) = (&*inner, Cell::new(false));
        let parts = async {
            let begun = inner.batch_execute(begin);
            let rows = join_all(requests.iter_mut().map(|request| request.run(inner, &has_enough)));
            let answered = async {
                let (begun, rows) = join(begun, rows).await;
                if begun.is_ok() {
                    on_rows(&rows);
                }
                (begun, rows)
            };
            Ok(join3(answered, answers(inner, end[0]), answers(inner, end[1])).await)
        };
        let ((begun, rows), first, last) = driver.run_until(&has_enough, parts)?;
        Ok(Parts { begun, rows, end: [first, last] })
    }

    /// The same for all rows of `what`.
    pub(crate) fn query_enclosed(&mut self, begin: &str, what: What<'_>, end: [&str; 2]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        let mut take = |row| {
            rows.push(row);
            true
        };
        self.enclosed(begin, &mut [Request::new(what, &mut take)], end, &mut |_| {})?.check()?;
        Ok(rows)
    }

    /// Runs a prepared statement, and gives its rows to `take` until that returns false: then the connection is given up, since
    /// there may be many more.
    pub(crate) fn stream(&mut self, request: &mut Request<'_>) -> Result<(), Error> {
        let Self { inner, driver, .. } = self;
        let has_enough = Cell::new(false);
        driver.run_until(&has_enough, request.run(inner, &has_enough))
    }

    /// The next notification, as soon as it is there; `None` after `patience`, or when `interruption` comes first.
    pub(crate) fn notification(
        &mut self,
        patience: Duration,
        interruption: impl Future<Output = ()>,
    ) -> Result<Option<Notification>, Error> {
        self.driver.notification(patience, interruption)
    }

    /// A notification that has come in already.
    pub(crate) fn next_notification(&mut self) -> Option<Notification> {
        self.driver.next_notification()
    }

    /// Forgets what was read about types: one may have been dropped and made anew under the same name.
    pub(crate) fn clear_type_cache(&self) {
        self.inner.clear_type_cache();
    }

    /// Whether the connection was given up because a request took longer than it may.
    pub(crate) fn is_overdue(&self) -> bool {
        self.driver.is_overdue
    }

    /// Whether the connection is of no more use.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed() || self.driver.is_closed() || self.pulse().is_stopped()
    }
}

async fn answers(client: &tokio_postgres::Client, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
    match sql {
        "" => Ok(Vec::new()),
        _ => client.simple_query(sql).await,
    }
}

/// The words in which the source's health speaks of it.
fn silence(patience: Duration) -> OpenError {
    let text = format!("no answer for {} ms", patience.as_millis());
    OpenError::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}
