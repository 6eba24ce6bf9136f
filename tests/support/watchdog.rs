//! Ends what a test process leaves behind, even when it is killed.
//!
//! Statics are not dropped at exit, and nothing is dropped on SIGKILL. So one `sh` per test process, in a process
//! group of its own, reads what has been started; the end of its input is the end of the test process.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

const SCRIPT: &str = include_str!("watchdog.sh");

/// Has process `pid` ended with `signal` (`KILL`, `QUIT`), unless it is [`forgotten`](forget) before.
pub fn watch(pid: u32, signal: &str) {
    tell(&format!("process {signal}:{pid}"));
}

/// To be called once the process has been waited for: its number may become a stranger's.
pub fn forget(pid: u32) {
    tell(&format!("ended {pid}"));
}

/// Has a folder removed.
pub fn remove_at_end(folder: &Path) {
    tell(&format!("folder {}", folder.display()));
}

fn tell(line: &str) {
    static WATCHDOG: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let watchdog = WATCHDOG.get_or_init(|| Mutex::new(start()));
    writeln!(watchdog.lock().unwrap(), "{line}").expect("the watchdog listens");
}

/// Its output goes nowhere: an inherited pipe would keep `cargo test | …` waiting.
#[allow(clippy::zombie_processes)] // it outlives this process, on purpose
fn start() -> ChildStdin {
    let watchdog = Command::new("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    watchdog.stdin.unwrap()
}
