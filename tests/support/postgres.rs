//! A throwaway PostgreSQL.

use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use super::database::Database;
use super::eventually::eventually;
use super::port;
use super::process::{children, freeze, kill, spawn, Process};
use super::watchdog;

/// The role that initdb makes.
pub const SUPERUSER: &str = "postgres";

/// One PostgreSQL on a port of its own.
pub struct Postgres {
    port: u16,
    home: PathBuf,
    postmaster: Mutex<Option<Process>>,
    databases: AtomicUsize,
}

static SHARED: OnceLock<Postgres> = OnceLock::new();

impl Postgres {
    /// The one that all tests of this process share, for those that do it no harm.
    pub fn shared() -> &'static Self {
        // A static is not dropped: the watchdog ends it.
        SHARED.get_or_init(Self::start)
    }

    /// One for a test that breaks it.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// One that offers TLS, with further lines in its postgresql.conf.
    pub fn start_with_tls(certificate_pem: &str, key_pem: &str, lines: &str) -> Self {
        let postgres =
            Self::initialised(&format!("ssl=on\nssl_cert_file='../server.crt'\nssl_key_file='../server.key'\n{lines}"));
        postgres.write_private("server.crt", certificate_pem);
        postgres.write_private("server.key", key_pem);
        postgres.start_again();
        postgres
    }

    /// One with further lines in its postgresql.conf.
    pub fn start_with(lines: &str) -> Self {
        let postgres = Self::initialised(lines);
        postgres.start_again();
        postgres
    }

    /// A standby of this one, on a port of its own, that replays what this one writes. `synchronous_standby_names` knows it as `standby`.
    pub fn standby(&self) -> Self {
        let standby = Self::empty();
        let source = format!("host=127.0.0.1 port={} user={SUPERUSER} application_name=standby", self.port);
        let options = ["-R", "-X", "stream", "--checkpoint=fast", "--no-sync", "-d", &source, "-D"];
        standby.run(standby.command("pg_basebackup").args(options).arg(standby.data()));
        standby.use_port(standby.port);
        standby.start_again();
        standby
    }

    /// Makes a primary of a standby.
    pub fn promote(&self) {
        let mut client = self.connect("postgres").unwrap();
        client.batch_execute("SELECT pg_promote()").unwrap();
    }

    /// Has it listen on `port` from its next start on, with a socket in its own folder.
    pub fn use_port(&self, port: u16) {
        let conf = self.data().join("postgresql.auto.conf");
        let old = fs::read_to_string(&conf).unwrap();
        let home = self.home.display();
        fs::write(conf, format!("{old}\nport={port}\nunix_socket_directories='{home}'\n")).unwrap();
    }

    fn empty() -> Self {
        let home = tempfile::Builder::new().prefix("pgcache-test-pg-").tempdir().unwrap().keep();
        watchdog::remove_at_end(&home);
        let port = port::free();
        let postgres = Self { port, home, postmaster: Mutex::new(None), databases: AtomicUsize::new(0) };
        postgres.give_to_postgres(&postgres.home);
        postgres
    }

    fn initialised(lines: &str) -> Self {
        let postgres = Self::empty();
        postgres.initialise(lines);
        postgres
    }

    fn initialise(&self, lines: &str) {
        let template = self.template();
        self.run(Command::new("cp").args(["-r", "--reflink=auto", "--"]).arg(template).arg(self.data()));
        if let Some((uid, gid)) = unprivileged() {
            self.run(Command::new("chown").args(["-R", &format!("{uid}:{gid}")]).arg(self.data()));
        }
        // PostgreSQL insists on it.
        fs::set_permissions(self.data(), fs::Permissions::from_mode(0o700)).unwrap();
        let conf = self.data().join("postgresql.conf");
        let old = fs::read_to_string(&conf).unwrap();
        let home = self.home.display();
        let new = format!(
            "{old}\nport={}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{home}'\nfsync=off\nmax_connections=200\n\
             autovacuum=off\nwal_level=logical\nmax_wal_senders=50\nmax_replication_slots=50\n{lines}\n",
            self.port
        );
        fs::write(conf, new).unwrap();
    }

    /// What initdb makes, which takes seconds: kept between test runs.
    fn template(&self) -> PathBuf {
        let version = self.run(self.command("initdb").arg("--version"));
        let version: String = version.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(version);
        if !template.exists() {
            let made = self.home.join("template");
            let options = ["-A", "trust", "-U", SUPERUSER, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-D"];
            self.run(self.command("initdb").args(options).arg(&made));
            // Another test process may be doing the same: a rename is whole or fails.
            let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
            self.run(Command::new("cp").args(["-r", "--"]).arg(made).arg(copy.join("data")));
            let _ = fs::rename(copy.join("data"), &template);
            let _ = fs::remove_dir_all(copy);
        }
        template
    }

    fn run(&self, command: &mut Command) -> String {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it on its data, after [`Self::stop`] or [`Self::kill`].
    pub fn start_again(&self) {
        let log = fs::File::options().create(true).append(true).open(self.home.join("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).stdout(log.try_clone().unwrap()).stderr(log);
        *self.postmaster.lock().unwrap() = Some(spawn(command, "QUIT"));
        eventually("PostgreSQL answers", || {
            let ended = self.postmaster.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            assert_eq!(ended, None, "PostgreSQL did not start: {}", self.log());
            self.is_ready(self.pid()).then_some(())
        });
    }

    /// Stops it at once, as a crash does.
    pub fn kill(&self) {
        self.end(libc::SIGQUIT);
    }

    /// Stops it as an administrator does.
    pub fn stop(&self) {
        self.end(libc::SIGINT);
    }

    fn end(&self, signal: i32) {
        if let Some(mut postmaster) = self.postmaster.lock().unwrap().take() {
            postmaster.signal(signal);
            postmaster.wait().unwrap();
        }
    }

    /// [`Self::stop`] and [`Self::start_again`].
    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    /// Freezes all its processes: connections stay open and nothing answers.
    pub fn freeze(&self) {
        // The one that makes children first.
        freeze(self.pid());
        children(self.pid()).into_iter().for_each(freeze);
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&self) {
        let pid = self.pid();
        kill(pid, libc::SIGCONT);
        children(pid).into_iter().for_each(|child| kill(child, libc::SIGCONT));
    }

    /// Puts these lines in the place of pg_hba.conf.
    pub fn set_hba(&self, lines: &str) {
        fs::write(self.data().join("pg_hba.conf"), lines).unwrap();
        let reloads = || self.log().matches("received SIGHUP").count();
        let before = reloads();
        kill(self.pid(), libc::SIGHUP);
        eventually("PostgreSQL reloads", || (reloads() > before).then_some(()));
    }

    /// A fresh database.
    pub fn database(&self) -> Database<'_> {
        self.database_with("")
    }

    /// One whose texts are kept in this encoding.
    pub fn database_in(&self, encoding: &str) -> Database<'_> {
        self.database_with(&format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"))
    }

    fn database_with(&self, options: &str) -> Database<'_> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.connect("postgres").unwrap().batch_execute(&format!("CREATE DATABASE {name} {options}")).unwrap();
        Database::new(self, name)
    }

    /// Whether it says that it is up, in the file that pg_ctl looks at too: a connection might be refused by
    /// pg_hba.conf. A killed PostgreSQL leaves the file behind, with another pid.
    fn is_ready(&self, pid: u32) -> bool {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        lines.first() == Some(&pid.to_string().as_str()) && matches!(lines.get(7), Some(&"ready" | &"standby"))
    }

    /// A connection of the superuser.
    pub fn connect(&self, database: &str) -> Result<postgres::Client, postgres::Error> {
        let options =
            format!("host=127.0.0.1 port={} user={SUPERUSER} dbname={database} connect_timeout=60", self.port);
        postgres::Client::connect(&options, postgres::NoTls)
    }

    /// The postmaster's process.
    pub fn pid(&self) -> u32 {
        self.postmaster.lock().unwrap().as_ref().expect("PostgreSQL runs").id()
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }

    /// Its TCP port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket, its log and its data, writable by it.
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Writes a file that PostgreSQL itself may read, and nobody else.
    pub fn write_private(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.give_to_postgres(&path);
        path
    }

    fn give_to_postgres(&self, path: &Path) {
        if let Some((uid, gid)) = unprivileged() {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    /// One of PostgreSQL's programs, run as a user it accepts.
    pub fn command(&self, program: &str) -> Command {
        self.run_as_user(programs().join(program))
    }

    /// psql as the superuser: that of this version, or another one where only servers were unpacked.
    pub fn psql(&self) -> Command {
        let own = programs().join("psql");
        let mut command = self.run_as_user(if own.exists() { own } else { "psql".into() });
        command.args(["-h", "127.0.0.1", "-U", SUPERUSER, "-p", &self.port.to_string()]);
        command
    }

    fn run_as_user(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.home).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        if let Some((uid, gid)) = unprivileged() {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.thaw_if_running();
        self.kill();
        let _ = fs::remove_dir_all(&self.home);
    }
}

impl Postgres {
    fn thaw_if_running(&self) {
        if self.postmaster.lock().unwrap().is_some() {
            self.thaw();
        }
    }
}

/// PostgreSQL refuses to run as root: then it runs as its package's user.
pub fn unprivileged() -> Option<(u32, u32)> {
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).expect("the user postgres, of Debian's package");
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

/// The folder of PostgreSQL's programs: the one that `PGCACHE_POSTGRES` names; without it, where Debian puts those of the
/// newest.
fn programs() -> PathBuf {
    if let Some(programs) = std::env::var_os("PGCACHE_POSTGRES") {
        return programs.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL, of Debian's package");
    let newest = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).max().unwrap();
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}
