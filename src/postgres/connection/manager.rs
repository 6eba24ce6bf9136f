//! Connections as r2d2 has them made, judged and thrown away.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use r2d2::ManageConnection;

use super::connect::{ConnectError, Connector};
use super::health::Health;
use super::identity::Identity;
use super::pulses::{Pulses, Purpose};
use super::session::Session;
use super::waiters::PoolWaiters;

/// The pause before a connection is opened again that somebody has ended while it was made.
const PAUSE: Duration = Duration::from_millis(10);

/// What the source shares with its connections and with the threads that open them.
pub(crate) struct SharedState {
    /// Whether the source answers.
    pub health: Health,
    /// Where those wait who found no idle connection.
    pub gate: PoolWaiters,
    /// Connections that are open and not known to be lost.
    alive: AtomicU32,
    /// All connections of the source, those that listen too.
    pub pulses: Arc<Pulses>,
    /// What the last connection was opened to.
    identity: Mutex<Arc<Identity>>,
}

impl SharedState {
    /// Of a source that has no connection yet, and to which `identity` is wanted.
    pub fn new(health: Health, identity: Identity) -> Self {
        Self {
            health,
            gate: PoolWaiters::default(),
            alive: AtomicU32::new(0),
            pulses: Arc::default(),
            identity: Mutex::new(Arc::new(identity)),
        }
    }

    /// What the last connection was opened to, or will be.
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.lock())
    }

    /// A connection was opened to `identity`. Returns whether that is news to those who know that the source is up.
    fn connected_to(&self, identity: Identity) -> bool {
        let before = std::mem::replace(&mut *self.identity.lock(), Arc::new(identity.clone()));
        before.server.is_some() && *before != identity && !self.health.is_down()
    }

    /// Whether any of them is.
    pub fn any_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire) > 0
    }
}

/// Makes and judges connections for r2d2.
pub(crate) struct Manager {
    /// Opens them.
    pub connector: Arc<Connector>,
    /// Learns of each.
    pub shared: Arc<SharedState>,
}

/// A session that is counted as alive until it is lost or dropped.
pub(crate) struct Counted {
    /// The session.
    pub session: Session,
    shared: Arc<SharedState>,
    is_counted: bool,
}

impl Counted {
    fn new(session: Session, shared: &Arc<SharedState>) -> Self {
        shared.alive.fetch_add(1, Ordering::AcqRel);
        shared.pulses.keep(Purpose::Load, session.pulse());
        Self { session, shared: Arc::clone(shared), is_counted: true }
    }

    fn discount(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            self.shared.alive.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.discount();
    }
}

impl Manager {
    /// One attempt, as soon as one is due.
    fn attempt(&self) -> Result<Counted, ConnectError> {
        let attempt = self.shared.health.begin().ok_or(ConnectError::Closing)?;
        let result = self.open_again();
        self.shared.health.end(attempt);
        result
    }

    /// Opens a connection, again when somebody ends it while it is made and PostgreSQL is there.
    fn open_again(&self) -> Result<Counted, ConnectError> {
        let deadline = Instant::now() + self.connector.patience();
        loop {
            match self.open() {
                Err(_) if self.connector.shutdown().has_begun() => return Err(ConnectError::Closing),
                Err(error) if error.is_ended() && self.may_try_again(deadline) => thread::sleep(PAUSE),
                result => return result,
            }
        }
    }

    /// While the source is down, attempts have a pace of their own.
    fn may_try_again(&self, deadline: Instant) -> bool {
        !self.shared.health.is_down() && Instant::now() < deadline
    }

    fn open(&self) -> Result<Counted, ConnectError> {
        let client = self.connector.open()?;
        let tls = self.connector.tls_of(&client);
        let (session, kind) = Session::prepare(client, self.connector.patience()).map_err(ConnectError::when_open)?;
        let settings = self.connector.settings();
        let identity = kind.identity(settings.address(), tls);
        if self.shared.connected_to(identity.clone()) {
            log::info!("source {}: new connections lead to {identity}", settings.name);
        }
        Ok(Counted::new(session, &self.shared))
    }

    /// Returns whether the source is down.
    fn failed(&self, error: &ConnectError) -> bool {
        self.shared.health.failed(self.connector.reason(error), error.is_near(), || self.shared.any_alive())
    }
}

impl ManageConnection for Manager {
    type Connection = Counted;
    type Error = ConnectError;

    /// While the source is down, this goes on trying: r2d2 knows no other pace than its own.
    fn connect(&self) -> Result<Counted, ConnectError> {
        loop {
            let made = self.attempt();
            let is_down = match &made {
                Err(ConnectError::Closing) => return Err(ConnectError::Closing),
                Err(error) => self.failed(error),
                Ok(_) => {
                    self.shared.health.succeeded();
                    false
                }
            };
            // r2d2 puts the connection into the pool only after this returns: a waiter that is quicker looks again
            // after LOOK_INTERVAL.
            self.shared.gate.open_for_all();
            if !is_down {
                return made;
            }
        }
    }

    fn is_valid(&self, connection: &mut Counted) -> Result<(), ConnectError> {
        Ok(connection.session.ping(self.connector.patience())?)
    }

    fn has_broken(&self, connection: &mut Counted) -> bool {
        let closed = connection.session.is_closed();
        if closed {
            // Before r2d2 tries to replace it: when that fails, this one must not count as alive.
            connection.discount();
        }
        closed
    }
}
