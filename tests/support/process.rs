//! Child processes that never outlive the test process.

use std::io;
use std::process::{Child, ChildStdout, Command, ExitStatus};

use super::eventually::eventually;
use super::watchdog;

/// A running child. Whoever has it ends it; the watchdog does when the test process is gone.
pub struct Process {
    child: Child,
}

impl Process {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, if it was spawned with a pipe for that.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        kill(self.id(), signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        watchdog::forget(self.id());
        Ok(status)
    }

    /// How it has ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            watchdog::forget(self.id());
        }
        Ok(status)
    }
}

/// Spawns `command`; the watchdog ends it with `signal` (`KILL`, `QUIT`) if this process does not.
pub fn spawn(mut command: Command, signal: &str) -> Process {
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    watchdog::watch(child.id(), signal);
    Process { child }
}

/// Sends `signal` to the process `pid`.
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: a plain system call on a child of ours.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Stops the process `pid` and waits until it stands still: the signal alone reaches it a little later.
pub fn freeze(pid: u32) {
    kill(pid, libc::SIGSTOP);
    eventually("a process stands still", || (!runs(pid)).then_some(()));
}

/// Whether there is a process `pid` that neither is stopped nor has ended.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the program's name, which may hold anything.
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !"TtZX".contains(state))
}

/// Whether there is a process `pid`.
pub fn exists(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// The children of process `pid`.
pub fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
