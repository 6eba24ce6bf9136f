//! What a reader has who follows a page: the server of `make run`, a PostgreSQL called `db1` with the database `shop`, and a terminal.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::process::kill;
use crate::support::watched::await_freshness;
use crate::support::{server, watchdog, Database, Kind, Postgres, Server};

use super::answer;

/// The terminal's programs in the place of the machine's: they know ports, and leave the machine as it is.
const PROGRAMS: [(&str, &str); 5] = [
    ("redis-cli", include_str!("programs/redis-cli.sh")),
    ("redis-server", include_str!("programs/redis-server.sh")),
    ("systemctl", include_str!("programs/systemctl.sh")),
    ("sudo", include_str!("programs/sudo.sh")),
    ("make", include_str!("programs/make.sh")),
];

/// Folders of the machine that pages write to, and what stands for them in the reader's folder.
const FOLDERS: [&str; 3] = ["/etc/pgcache", "/etc/redis", "/usr/lib/redis"];

/// Whoever the page speaks to, and all that belongs to him.
pub struct Stage {
    folder: tempfile::TempDir,
    postgres: Postgres,
    server: Server,
}

impl Stage {
    /// A reader at the beginning of a page.
    pub fn new(kind: &Kind) -> Self {
        let folder = tempfile::Builder::new().prefix("pgcache-test-").tempdir().unwrap();
        watchdog::remove_at_end(folder.path());
        let postgres = Postgres::start();
        postgres.set_hba("host all pgcache 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n");
        postgres.connect("postgres").unwrap().batch_execute("CREATE DATABASE shop").unwrap();
        let database = Database { postgres: &postgres, name: "shop".into() };
        database.execute(include_str!("../../scripts/sample.sql"));
        let analytics = [("host", "127.0.0.1"), ("port", &postgres.port().to_string()), ("database", "shop")];
        let setup = analytics.into_iter().fold(Server::setup(kind).on(&database), |setup, (name, value)| {
            setup.setting(&format!("analytics.pg_{name}"), value)
        });
        let stage = Self { server: setup.start(), folder, postgres };
        await_freshness(&mut stage.server.client(), "live");
        stage.furnish(kind);
        stage
    }

    fn furnish(&self, kind: &Kind) {
        for folder in ["bin", "target/release", "etc/redis"] {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        for (name, script) in PROGRAMS {
            self.write_program(&format!("bin/{name}"), script);
        }
        // No link: the server may be a script that looks for its libraries beside itself.
        self.write_program("server", &format!("#!/bin/sh\nexec {} \"$@\"\n", kind.program().display()));
        symlink(server::module(), self.path("target/release/libpgcache.so")).unwrap();
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), self.path("examples")).unwrap();
        fs::write(self.path("port"), self.server.port().to_string()).unwrap();
        fs::write(self.path("psqlrc"), "\\set ON_ERROR_STOP on\n").unwrap();
        fs::write(self.path("environment"), "").unwrap();
    }

    fn write_program(&self, name: &str, script: &str) {
        fs::write(self.path(name), script).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One of the terminal's programs. Those that a page starts hear of nothing that is set for this test run.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"P")) {
            command.env_remove(name);
        }
        let path = std::env::var("PATH").unwrap();
        let port = self.postgres.port().to_string();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("MACHINE_PATH", path).env("STAGE", self.folder.path());
        command.env("FREE_PORT", crate::support::port::free().to_string());
        command.env("PGHOST", "127.0.0.1").env("PGPORT", &port).env("PGUSER", "postgres").env("PGCACHE_PG_PORT", port);
        command.env("PSQLRC", self.path("psqlrc")).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// `script` in a terminal whose variables stay from block to block.
    pub fn shell(&self, script: &str) -> Result<String, String> {
        let script = FOLDERS.iter().fold(script.replace("db1", "127.0.0.1"), |script, folder| {
            script.replace(folder, self.path(&folder[1..]).to_str().unwrap())
        });
        let keep = format!(". $STAGE/environment\n{script}\nexport -p >$STAGE/environment");
        said(self.command("bash").args(["-eu", "-o", "pipefail", "-c", &keep]).output().unwrap())
    }

    /// `script` in the `psql` of a superuser.
    pub fn psql(&self, script: &str) -> Result<String, String> {
        said(typed(self.command("psql").args(["-q", "-d", "shop"]), script))
    }

    /// `line` in `redis-cli`.
    pub fn redis_cli(&self, line: &str) -> Result<String, String> {
        let shown = said(typed(self.command("redis-cli").args(["--no-raw"]), line))?;
        answer::raw(&shown)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Servers that the page has started.
        for file in fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "pid") {
                kill(fs::read_to_string(file).unwrap().trim().parse().unwrap(), libc::SIGKILL);
            }
        }
    }
}

fn typed(command: &mut Command, text: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    writeln!(child.stdin.take().unwrap(), "{text}").unwrap();
    child.wait_with_output().unwrap()
}

/// What a program has printed; with its complaints if it has failed.
fn said(output: Output) -> Result<String, String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    Err(printed + &String::from_utf8_lossy(&output.stderr))
}
