//! A source: one PostgreSQL database and its pool of connections.

mod watch;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, Sender};
use r2d2::{NopErrorHandler, Pool, PooledConnection};
use scheduled_thread_pool::{OnPoolDropBehavior, ScheduledThreadPool};

use super::client::{Client, Shutdown};
use super::connect::{Connector, LOADS};
use super::health::{Health, HealthReport, OnTransition};
use super::identity::Identity;
use super::manager::{Manager, SharedState};
use super::pulses::{Pulses, Purpose};
use super::session::Session;
use crate::cache::{Error, ErrorKind};
use crate::postgres::error::is_lost;
use crate::postgres::session_error::SessionError;
use crate::settings::SourceSettings;

/// Threads that open connections, per source: so many attempts may be without an answer at a time.
const CONNECT_THREADS: usize = 4;
/// A waiter looks this often whether the source went down; a connection that comes free wakes it at once.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// How many connections that were opened since the last loss one piece of work may lose, how many of them without a pause in
/// between, and how long the pauses are then.
const FRESH_MAX: u32 = 16;
const AT_ONCE: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_millis(100);
/// r2d2 doubles the pause between attempts up to half of this.
const RETRY_PAUSE_TWICE: Duration = Duration::from_secs(2);

/// Numbers the watches of all sources, since a thread's name has room for 15 bytes only.
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// One PostgreSQL database: its connections, and whether it answers.
pub struct Source {
    settings: Arc<SourceSettings>,
    pool: Pool<Manager>,
    connector: Arc<Connector>,
    shared: Arc<SharedState>,
    /// Has the watch check at once. The watch ends with it.
    ring: Sender<()>,
}

/// A connection that goes back to its pool when dropped.
pub struct PooledSession {
    // The order matters: the connection is back in its pool when the waiter is woken.
    connection: PooledConnection<Manager>,
    _wake: Wake,
}

/// Wakes one waiter when dropped.
struct Wake(Arc<SharedState>);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.gate.open_for_one();
    }
}

impl Deref for PooledSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.connection.session
    }
}

impl DerefMut for PooledSession {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.connection.session
    }
}

impl Source {
    /// Starts to connect in the background and returns at once, whether PostgreSQL is there or not.
    ///
    /// `listener` is told when the source goes up or down.
    ///
    /// # Errors
    /// A TLS file that is of no use.
    pub fn open(settings: Arc<SourceSettings>, listener: OnTransition) -> Result<Arc<Self>, Error> {
        let connector = Arc::new(Connector::new(Arc::clone(&settings), LOADS, Shutdown::default())?);
        let health = Health::new(&settings.name, &settings.address(), listener);
        let shared = Arc::new(SharedState::new(health, Identity::wanted(&settings)));
        let pool = Pool::builder()
            .max_size(settings.pool_size)
            // One is always kept ready, so that a source that is down is retried without a client asking for it.
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(RETRY_PAUSE_TWICE)
            .error_handler(Box::new(NopErrorHandler))
            .thread_pool(connect_threads())
            .build_unchecked(Manager { connector: Arc::clone(&connector), shared: Arc::clone(&shared) });
        let (ring, rung) = bounded(1);
        let source = Arc::new(Self { settings, pool, connector, shared, ring });
        let watched = Arc::downgrade(&source);
        thread::Builder::new()
            .name(format!("pgcache-look-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
            .spawn(move || watch::watch(&watched, &rung))
            .map_err(|error| Error::malformed(format!("cannot start the thread that looks after a source: {error}")))?;
        Ok(source)
    }

    /// The source's settings.
    pub fn settings(&self) -> &Arc<SourceSettings> {
        &self.settings
    }

    /// Its connections, to which those of others are added that listen.
    pub fn pulses(&self) -> &Arc<Pulses> {
        &self.shared.pulses
    }

    /// An idle connection, or the next that comes free or is opened before `deadline`.
    ///
    /// It may have died while idle: [`Self::with_session`] is for those who do not want to care.
    ///
    /// # Errors
    /// `PGDOWN` as soon as the source is known to be down; `PGTIMEOUT` at the deadline.
    pub fn session(&self, deadline: Instant) -> Result<PooledSession, Error> {
        self.refuse_if_down()?;
        // Asks r2d2 for one more connection when none is idle, once for each waiter.
        if let Ok(connection) = self.pool.get_timeout(Duration::ZERO) {
            return Ok(self.lend(connection));
        }
        let _waiting = self.shared.gate.enter();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.too_late());
            }
            self.shared.gate.wait(left.min(LOOK_INTERVAL));
            if let Some(session) = self.idle() {
                return Ok(session);
            }
            self.refuse_if_down()?;
        }
    }

    /// Does `work` on a session, again on another one when the connection turns out to be lost. Work that had its time and went
    /// on is not done again: it would take up as long on every other connection.
    ///
    /// After a restart of PostgreSQL every idle connection is dead, so there may be `pool_size` of them. Of connections that were
    /// opened since the last loss only so many are tried, each a little later than the one before: somebody may be ending them all,
    /// and the work itself may be what ends them. Where it brings the server down the next one cannot be opened.
    ///
    /// # Errors
    /// [`SessionError::Source`] when no session was to be had or the work took too long, [`SessionError::Query`] for what
    /// PostgreSQL says about the work, or when each session was lost.
    pub fn with_session<T>(
        &self,
        deadline: Instant,
        mut work: impl FnMut(&mut Session) -> Result<T, ::postgres::Error>,
    ) -> Result<T, SessionError> {
        let mut last_loss = Instant::now();
        let (mut losses, mut fresh_losses) = (0, 0);
        loop {
            let mut session = self.session(deadline).map_err(SessionError::Source)?;
            self.shared.health.loads();
            let result = work(&mut session);
            self.shared.health.loaded(!matches!(&result, Err(error) if is_lost(error)));
            let error = match result {
                Err(_) if session.is_overdue() => return Err(SessionError::Source(self.overdue())),
                Err(error) if session.means_lost(&error) => error,
                result => return result.map_err(SessionError::Query),
            };
            losses += 1;
            fresh_losses += u32::from(session.opened() >= last_loss);
            last_loss = Instant::now();
            let pause = pause_after(fresh_losses);
            if losses > self.settings.pool_size + FRESH_MAX
                || fresh_losses > FRESH_MAX
                || Instant::now() + pause > deadline
            {
                return Err(SessionError::Query(error));
            }
            drop(session);
            thread::sleep(pause);
        }
    }

    /// Whether the source answers, since when, and its number of connections.
    pub fn health(&self) -> HealthReport {
        self.judge_silence();
        let state = self.pool.state();
        let waiting = self.shared.gate.waiting();
        self.shared.health.report(state.connections, state.idle_connections, waiting)
    }

    /// What the source is connected to, or will be.
    pub fn identity(&self) -> Arc<Identity> {
        self.shared.identity()
    }

    /// A connection of its own that may write, outside of the pool and with nothing set. A step on it may take as long as `patience`,
    /// unless the source falls silent.
    ///
    /// # Errors
    /// `PGDOWN` with the reason why it could not be opened.
    pub fn open_to_write(&self, patience: Duration) -> Result<Client, Error> {
        let mut client = self.connector.open().map_err(|error| self.down(&self.connector.reason(&error)))?;
        client.set_patience(patience);
        self.shared.pulses.keep(Purpose::Load, client.pulse());
        Ok(client)
    }

    /// What ends all connections to the source, and those that others open to it.
    pub fn shutdown(&self) -> &Shutdown {
        self.connector.shutdown()
    }

    /// Ends all connections: whoever waits for PostgreSQL is told at once that the module ends.
    pub fn close(&self) {
        self.shared.health.close();
        self.shutdown().begin();
        self.shared.gate.open_for_all();
    }

    fn idle(&self) -> Option<PooledSession> {
        self.pool.try_get().map(|connection| self.lend(connection))
    }

    fn lend(&self, connection: PooledConnection<Manager>) -> PooledSession {
        PooledSession { connection, _wake: Wake(Arc::clone(&self.shared)) }
    }

    fn judge_silence(&self) {
        let limit = self.settings.connect_timeout;
        if self.shared.health.judge_silence(limit, || self.shared.any_alive()) {
            self.fell_silent();
        }
    }

    /// Whoever waits for an answer need not wait any longer, and the pool is to open others.
    fn fell_silent(&self) {
        self.shared.pulses.end_loads();
        let _ = self.ring.try_send(());
    }

    /// `PGDOWN` when the source is known to be down. Waits for nobody: a load that cannot succeed need not queue. Its idle
    /// connections are refused too: they are dead or silent, and the check in the background finds out when they are not.
    ///
    /// # Errors
    /// Why the source is down.
    pub fn refuse_if_down(&self) -> Result<(), Error> {
        self.judge_silence();
        match self.shared.health.why_down() {
            Some(why) => Err(self.down(&why)),
            None => Ok(()),
        }
    }

    fn down(&self, why: &str) -> Error {
        Error::new(ErrorKind::Down, format!("{}: {why}", self.settings.name))
    }

    fn overdue(&self) -> Error {
        let name = &self.settings.name;
        let text = format!("{name}: no answer in the time of statement_timeout_ms: the connection was closed");
        Error::new(ErrorKind::Timeout, text)
    }

    fn too_late(&self) -> Error {
        let name = &self.settings.name;
        let text = if self.shared.any_alive() {
            format!("{name}: all connections were busy until the deadline (pool_size {})", self.settings.pool_size)
        } else {
            format!("{name}: no connection was made before the deadline")
        };
        Error::new(ErrorKind::Timeout, text)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.settings.name)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.close();
    }
}

/// At once at first, and then for a second in all.
fn pause_after(fresh_losses: u32) -> Duration {
    match fresh_losses.checked_sub(AT_ONCE) {
        None | Some(0) => Duration::ZERO,
        Some(more) => (FIRST_PAUSE * 2u32.saturating_pow(more - 1)).min(LAST_PAUSE),
    }
}

fn connect_threads() -> Arc<ScheduledThreadPool> {
    let threads = ScheduledThreadPool::builder()
        .num_threads(CONNECT_THREADS)
        .thread_name_pattern("pgcache-conn-{}")
        // Attempts to reconnect that still wait must not keep the threads.
        .on_drop_behavior(OnPoolDropBehavior::DiscardPendingScheduled);
    Arc::new(threads.build())
}

#[cfg(test)]
mod tests;
