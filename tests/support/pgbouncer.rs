//! A PgBouncer in front of a throwaway PostgreSQL.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::eventually::eventually;
use super::port;
use super::postgres::{unprivileged, Postgres, SUPERUSER};
use super::process::{spawn, Process};

/// A running PgBouncer. It ends with its value.
pub struct PgBouncer {
    port: u16,
    process: Process,
}

impl PgBouncer {
    /// One in transaction mode that keeps `pool_size` connections to each database.
    pub fn start(postgres: &Postgres, pool_size: u32) -> Self {
        Self::start_in("transaction", postgres, pool_size, "")
    }

    /// The same in another mode, with `lines` in its configuration.
    pub fn start_in(mode: &str, postgres: &Postgres, pool_size: u32, lines: &str) -> Self {
        let port = port::free();
        let folder = postgres.home().display();
        let users = postgres.write_private(&format!("users-{port}.txt"), &format!("\"{SUPERUSER}\" \"\"\n"));
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\n\
             unix_socket_dir=\nauth_type=trust\nauth_file={}\npool_mode={mode}\ndefault_pool_size={pool_size}\n\
             pidfile={folder}/pgbouncer-{port}.pid\n{lines}\n",
            postgres.port(),
            users.display(),
        );
        let settings = postgres.write_private(&format!("pgbouncer-{port}.ini"), &settings);
        let process = spawn(command(&settings), "KILL");
        eventually("PgBouncer listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, process }
    }

    /// Its TCP port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // SIGTERM waits for all clients since version 1.23, and SIGQUIT may be ignored. It has nothing to put away.
        self.process.signal(libc::SIGKILL);
        let _ = self.process.wait();
    }
}

fn command(settings: &Path) -> Command {
    let log = fs::File::create(settings.with_extension("log")).unwrap();
    let program = std::env::var_os("PGCACHE_PGBOUNCER").unwrap_or_else(|| "/usr/sbin/pgbouncer".into());
    let mut command = Command::new(program);
    command.arg(settings).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    if let Some((uid, gid)) = unprivileged() {
        command.uid(uid).gid(gid);
    }
    command
}
