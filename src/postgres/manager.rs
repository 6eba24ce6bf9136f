//! Connections as r2d2 has them made, judged and thrown away.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use r2d2::ManageConnection;

use super::connect::{ConnectError, Connector};
use super::gate::Gate;
use super::health::Health;
use super::session::Session;

/// What the log is told of a pooler.
const BEHIND_A_POOLER: &str =
    "a pooler stands in between: each statement is a transaction of its own, which takes three round trips";

/// What the source shares with its connections and with the threads that open them.
pub(super) struct Shared {
    /// Whether the source answers.
    pub health: Health,
    /// Where those wait who found no idle connection.
    pub gate: Gate,
    /// Connections that are open and not known to be lost.
    alive: AtomicU32,
    /// Whether the log has been told that a pooler stands in between.
    is_pooler_told: AtomicBool,
}

impl Shared {
    /// Of a source that has no connection yet.
    pub fn new(health: Health) -> Self {
        Self {
            health,
            gate: Gate::default(),
            alive: AtomicU32::new(0),
            is_pooler_told: AtomicBool::new(false),
        }
    }

    /// Whether any of them is.
    pub fn any_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire) > 0
    }
}

/// Makes and judges connections for r2d2.
pub(super) struct Manager {
    /// Opens them.
    pub connector: Arc<Connector>,
    /// Learns of each.
    pub shared: Arc<Shared>,
}

/// A session that is counted as alive until it is lost or dropped.
pub(super) struct Counted {
    /// The session.
    pub session: Session,
    shared: Arc<Shared>,
    is_counted: bool,
}

impl Counted {
    fn new(session: Session, shared: &Arc<Shared>) -> Self {
        shared.alive.fetch_add(1, Ordering::AcqRel);
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

impl ManageConnection for Manager {
    type Connection = Counted;
    type Error = ConnectError;

    fn connect(&self) -> Result<Counted, ConnectError> {
        let attempt = self.shared.health.begin().ok_or(ConnectError::TooSoon)?;
        let result = self.connector.open().and_then(Session::prepare);
        self.shared.health.end(attempt);
        let made = match result {
            Ok(session) => {
                if session.is_shared() && !self.shared.is_pooler_told.swap(true, Ordering::Relaxed) {
                    log::info!("source {}: {BEHIND_A_POOLER}", self.connector.source());
                }
                let counted = Counted::new(session, &self.shared);
                self.shared.health.succeeded();
                Ok(counted)
            }
            Err(error) => {
                self.shared.health.failed(error.to_string(), || self.shared.any_alive());
                Err(error)
            }
        };
        // r2d2 puts the connection into the pool only after this returns: a waiter that is quicker looks again
        // after LOOK_INTERVAL.
        self.shared.gate.open_for_all();
        made
    }

    fn is_valid(&self, connection: &mut Counted) -> Result<(), ConnectError> {
        Ok(connection.session.ping()?)
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
