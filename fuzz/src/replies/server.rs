//! A server at a Unix socket, which is no PostgreSQL.

use std::os::unix::net::UnixListener;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use pgcache::settings::SourceSettings;
use tempfile::TempDir;

use super::connection::Connection;
use super::script::Script;

/// What all connections of one input share.
#[derive(Debug, Default)]
pub struct Shared {
    script: Mutex<Script>,
    /// What was notified, and not told yet.
    notified: Mutex<Vec<String>>,
    /// Whether one of the connections is sent what nobody asks for.
    pub is_told: AtomicBool,
}

impl Shared {
    /// The script.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was notified.
    pub fn notified(&self) -> MutexGuard<'_, Vec<String>> {
        self.notified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server, which lives as long as the process.
struct Home {
    _folder: TempDir,
    settings: Arc<SourceSettings>,
    /// What connections are served from now on.
    current: Arc<Mutex<Arc<Shared>>>,
}

static HOME: OnceLock<Home> = OnceLock::new();

/// The server with one script.
pub struct Server(&'static Home);

impl Server {
    /// From now on it follows `script`.
    pub fn with(script: Script) -> Self {
        let home = HOME.get_or_init(Home::new);
        let shared = Shared { script: Mutex::new(script), ..Shared::default() };
        *home.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(shared);
        Self(home)
    }

    /// How it is connected to.
    pub fn settings(&self) -> Arc<SourceSettings> {
        Arc::clone(&self.0.settings)
    }
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let host = folder.path().to_str().expect("a path in UTF-8");
        let arguments = ["pg_host", host, "pg_password", "secret", "connect_timeout_ms", "5000", "pool_size", "1"]
            .map(str::to_owned);
        let loaded = pgcache::settings::load(&arguments, []).expect("right settings");
        let current = Arc::<Mutex<Arc<Shared>>>::default();
        let served = Arc::clone(&current);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&served.lock().unwrap_or_else(PoisonError::into_inner));
                thread::spawn(move || Connection::new(stream, shared).serve());
            }
        });
        Self { _folder: folder, settings: Arc::clone(&loaded.settings.sources[0]), current }
    }
}
