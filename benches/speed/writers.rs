//! Writers: others who change rows in PostgreSQL meanwhile, at a steady pace.

use std::process::Stdio;

use crate::stage::Stage;
use crate::support::process::{spawn, Process};

/// Two clients of PostgreSQL that update one row at a time, until they are dropped.
pub struct Writers {
    process: Process,
}

impl Writers {
    /// So many updates a second, by pgbench's script.
    pub fn start(stage: &Stage, script: &str, per_second: u32) -> Self {
        let script = stage.database().postgres.write_private("write.sql", script);
        let mut command = stage.pgbench(&script);
        command.args(["-c", "2", "-T", "3600", "-R", &per_second.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: spawn(command, "KILL") }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.process.signal(libc::SIGKILL);
        let _ = self.process.wait();
    }
}
