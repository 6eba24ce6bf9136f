//! A server with the module.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Client, Reply};
use super::database::Database;
use super::eventually::{eventually, PATIENCE};
use super::kind::Kind;
use super::port;
use super::postgres::SUPERUSER;
use super::process::{spawn, Process};
use super::watchdog;

/// Far longer than any test takes.
pub const FOREVER_MS: &str = "600000";

/// How a server is to be started.
pub struct Setup {
    kind: Kind,
    module: bool,
    settings: Vec<(String, String)>,
    config: Vec<String>,
    env: Vec<(String, OsString)>,
    folder: Option<TempDir>,
    lines: Vec<String>,
    host: String,
    /// Its port over all restarts; without it each start takes a free one.
    port: Option<u16>,
}

impl Setup {
    /// Module arguments that reach `database` over TCP, with patience: a machine that stands still for a while must
    /// not end a load, a connection, the memory of an absent row or the trust in change notices. A test that is about
    /// such an end sets it itself.
    pub fn on(mut self, database: &Database<'_>) -> Self {
        let port = database.postgres.port().to_string();
        let settings = [
            ("pg_host", "127.0.0.1"),
            ("pg_port", &port),
            ("pg_user", SUPERUSER),
            ("pg_database", &database.name),
            ("pg_sslmode", "disable"),
            ("load_timeout_ms", FOREVER_MS),
            ("statement_timeout_ms", FOREVER_MS),
            ("connect_timeout_ms", FOREVER_MS),
            ("negative_ttl", "3600"),
            ("max_staleness_ms", FOREVER_MS),
        ];
        for (name, value) in settings {
            // What the test says itself wins.
            if !self.settings.iter().any(|(known, _)| known == name) {
                self = self.setting(name, value);
            }
        }
        self
    }

    /// One more module argument, in the place of one that has its name.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more option of the server's own: `--appendonly yes`.
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.config.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// One more line of the server's configuration file, after the module is loaded.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Keeps its files in memory, where the machine has a place for that: nothing waits for a disk.
    pub fn in_memory(mut self) -> Self {
        self.folder = folder().tempdir_in("/dev/shm").ok();
        self
    }

    /// Listens on this address, which the thread that starts it has.
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Listens on a port that it keeps over restarts: others know it by that.
    pub fn fixed_port(mut self) -> Self {
        self.port = Some(port::free());
        self
    }

    /// Without the module.
    pub fn without_module(mut self) -> Self {
        self.module = false;
        self
    }

    /// Starts it and waits until it answers.
    pub fn start(self) -> Server {
        let mut server = self.launch();
        eventually("the server answers", || {
            assert!(server.is_alive(), "the server did not start: {}", server.log());
            server.answers().then_some(())
        });
        server
    }

    /// Starts it, expects it to refuse, and returns its log.
    pub fn refused(self) -> String {
        let mut server = self.launch();
        let status = eventually("the server gives up", || server.process.try_wait().unwrap());
        assert!(!status.success(), "the server should have refused: {}", server.log());
        server.log()
    }

    fn launch(mut self) -> Server {
        let folder = self.folder.take().unwrap_or_else(|| folder().tempdir().unwrap());
        watchdog::remove_at_end(folder.path());
        let port = self.port.unwrap_or_else(port::free);
        let mut process = Command::new(self.kind.program());
        let config = folder.path().join("server.conf");
        fs::write(&config, self.file()).unwrap();
        process.arg(&config).args([
            "--port",
            &port.to_string(),
            "--bind",
            &self.host,
            "--logfile",
            "log",
            "--save",
            "",
            // A master would wait five seconds for more replicas before it copies itself to the first.
            "--repl-diskless-sync-delay",
            "0",
        ]);
        process
            .args(&self.config)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // What is set for this test run must not reach the module.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PGCACHE_") {
                process.env_remove(name);
            }
        }
        process.envs(self.env.iter().cloned());
        let process = spawn(process, "KILL");
        Server { host: self.host.clone(), port, process, folder: Some(folder), setup: Some(self) }
    }

    /// The configuration file: arguments with spaces are quoted there, which the command line cannot.
    fn file(&self) -> String {
        let mut file = String::new();
        if self.module {
            let settings = self.settings.iter().map(|(name, value)| format!("{} {}", quoted(name), quoted(value)));
            let settings: Vec<String> = settings.collect();
            file.push_str(&format!("loadmodule {} {}\n", module().display(), settings.join(" ")));
        }
        for line in &self.lines {
            file.push_str(line);
            file.push('\n');
        }
        file
    }
}

/// A running server, ended when it is dropped.
pub struct Server {
    host: String,
    port: u16,
    process: Process,
    folder: Option<TempDir>,
    setup: Option<Setup>,
}

impl Server {
    /// How to start one of this kind.
    pub fn setup(kind: &Kind) -> Setup {
        Setup {
            kind: kind.clone(),
            module: true,
            settings: vec![],
            config: vec![],
            env: vec![],
            folder: None,
            lines: vec![],
            host: "127.0.0.1".into(),
            port: None,
        }
        .config("enable-debug-command", "yes")
    }

    /// One with the module on `database`, and nothing special.
    pub fn start(kind: &Kind, database: &Database<'_>) -> Self {
        Self::setup(kind).on(database).start()
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        self.try_client().unwrap()
    }

    /// A new connection, if it can be reached.
    pub fn try_client(&self) -> std::io::Result<Client> {
        Client::connect_to(self.address())
    }

    /// A new connection that speaks RESP3.
    pub fn client3(&self) -> Client {
        let mut client = self.client();
        client.call(&["HELLO", "3"]);
        client
    }

    /// A new connection of the `redis` crate, for what [`Client`] does not do, such as subscriptions.
    pub fn connection(&self) -> redis::Connection {
        self.connect("resp2")
    }

    /// The same with RESP3.
    pub fn connection3(&self) -> redis::Connection {
        self.connect("resp3")
    }

    fn connect(&self, protocol: &str) -> redis::Connection {
        let address = format!("redis://{}:{}/?protocol={protocol}", self.host, self.port);
        let connection = redis::Client::open(address).unwrap().get_connection().unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection
    }

    /// Makes it a replica of `master` and waits until it is in step.
    pub fn follow(&self, master: &Self) {
        let mut client = self.client();
        client.call(&["REPLICAOF", &master.host, &master.port.to_string()]);
        eventually("the replica is in step", || {
            (client.info("replication", "master_link_status") == "up").then_some(())
        });
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.setup.as_ref().unwrap().kind.clone()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Whether it is this server that answers, and not another that took the port before it.
    fn answers(&self) -> bool {
        let replies = || {
            let mut client = self.try_client().ok()?;
            client.send_raw(b"PING\r\nINFO server\r\n");
            Some((client.try_receive().ok()?, client.try_receive().ok()?))
        };
        let Some((pong, Reply::Bulk(info))) = replies() else { return false };
        let own = format!("process_id:{}\r\n", self.pid());
        pong == Reply::Simple("PONG".into()) && String::from_utf8_lossy(&info).contains(&own)
    }

    /// Whether its process has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Panics unless the server is the one that was started, and answers.
    pub fn assert_alive(&mut self) {
        assert_eq!(self.process.try_wait().unwrap(), None, "the server has ended: {}", self.log());
        assert!(self.answers(), "the server does not answer");
    }

    /// Ends it without a chance to save, and starts it again in its folder.
    pub fn crash_and_restart(self) -> Self {
        self.crash().start()
    }

    /// Ends it without a chance to save. Returns how to start it again in its folder.
    pub fn crash(mut self) -> Setup {
        self.process.signal(libc::SIGKILL);
        self.process.wait().unwrap();
        self.setup_again()
    }

    /// Ends it with SHUTDOWN (`SAVE` or `NOSAVE`) and starts it again in its folder. Returns how long the end took.
    pub fn shutdown_and_restart(mut self, how: &str) -> (Self, Duration) {
        let began = Instant::now();
        self.client().send(&["SHUTDOWN", how]);
        eventually("the server ends", || self.process.try_wait().unwrap());
        let took = began.elapsed();
        (self.setup_again().start(), took)
    }

    /// The end of its log; nothing where its folder has gone to another server.
    fn last_words(&self) -> String {
        let log = self.folder.as_ref().and_then(|folder| fs::read_to_string(folder.path().join("log")).ok());
        let log = log.unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(200)..].join("\n")
    }

    fn setup_again(mut self) -> Setup {
        let mut setup = self.setup.take().unwrap();
        setup.folder = self.folder.take();
        setup
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The folder goes with the server, and what it said is often all that explains a failure.
            eprintln!("the server's end: {:?}, its log:\n{}", self.process.try_wait(), self.last_words());
        }
        self.process.signal(libc::SIGKILL);
        let _ = self.process.wait();
    }
}

/// What the folder of a server is made by.
fn folder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("pgcache-test-");
    builder
}

/// A word as the server's configuration file wants it.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', r#"\""#))
}

/// The module under test: what `cargo build --release` made, or `$PGCACHE_MODULE`.
pub fn module() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let module = std::env::var_os("PGCACHE_MODULE").map_or_else(|| target.join("release/libpgcache.so"), PathBuf::from);
    assert!(module.exists(), "{} is not there: run `make build`", module.display());
    module
}
