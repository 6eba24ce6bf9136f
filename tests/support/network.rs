//! A network of two hosts with one cable between them, in namespaces of its own: nothing of the machine's network takes part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::Command;

/// The far host's address.
pub const FAR: &str = "10.211.0.2";
/// The near host's address.
pub const NEAR: &str = "10.211.0.1";
/// What both have their addresses of.
pub const NET: &str = "10.211.0.0/30";
const SIZE: &str = "/30";
/// The hardware addresses, which both know: nobody has to ask for them, and nobody is told that there is no answer.
const NEAR_MAC: &str = "02:00:00:00:00:01";
const FAR_MAC: &str = "02:00:00:00:00:02";

/// Does `work` in such a network, on a thread of its own: there is no way back to the machine's. Where there can be none, says that `test`
/// could not run.
pub fn in_network(test: &str, work: impl FnOnce(Network) + Send + 'static) {
    let test = test.to_owned();
    let thread = std::thread::spawn(move || match Network::enter() {
        Ok(network) => work(network),
        Err(why) => cannot_run(&test, &why),
    });
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// The two hosts. The thread that made them is on the near one: what it starts and connects to is there too.
#[derive(Debug)]
pub struct Network {
    near: File,
    far: File,
}

impl Network {
    /// Whether there can be one, or why not.
    ///
    /// # Errors
    /// Why not.
    pub fn is_possible() -> Result<(), String> {
        std::thread::spawn(|| Self::enter().map(drop)).join().expect("a thread")
    }

    /// Takes the calling thread out of the machine's network, for good.
    ///
    /// # Errors
    /// Why there can be none.
    pub fn enter() -> Result<Self, String> {
        let far = fresh().map_err(|error| format!("no network namespaces (they take root): {error}"))?;
        let near = fresh().map_err(|error| error.to_string())?;
        let network = Self { near, far };
        let there = format!("/proc/{}/fd/{}", std::process::id(), network.far.as_raw_fd());
        ip("link set lo up")?;
        ip(&format!("link add near address {NEAR_MAC} type veth peer name far address {FAR_MAC} netns {there}"))?;
        ip(&format!("addr add {NEAR}{SIZE} dev near"))?;
        ip("link set near up")?;
        network.beyond(|| {
            ip("link set lo up")?;
            ip(&format!("addr add {FAR}{SIZE} dev far"))
        })?;
        network.mend();
        Ok(network)
    }

    /// Does `work` on the far host. Connections that are made there stay there.
    pub fn beyond<T>(&self, work: impl FnOnce() -> T) -> T {
        join(&self.far).unwrap();
        let result = work();
        join(&self.near).unwrap();
        result
    }

    /// Cuts the cable: from now on whatever is sent is lost, and nobody is told.
    pub fn cut(&self) {
        self.beyond(|| ip("link set far down")).unwrap();
    }

    /// Ends [`Self::cut`].
    pub fn mend(&self) {
        self.beyond(|| {
            ip("link set far up").unwrap();
            ip(&format!("neigh replace {NEAR} lladdr {NEAR_MAC} dev far nud permanent")).unwrap();
        });
        ip(&format!("neigh replace {FAR} lladdr {FAR_MAC} dev near nud permanent")).unwrap();
    }
}

/// A new namespace, which the calling thread is in from now on.
fn fresh() -> io::Result<File> {
    // SAFETY: a plain system call, on the calling thread alone.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => File::open("/proc/thread-self/ns/net"),
        _ => Err(io::Error::last_os_error()),
    }
}

fn join(namespace: &File) -> io::Result<()> {
    // SAFETY: a plain system call, on the calling thread alone, with a file that is open.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Says that `test` could not run here, and why: in the file that `PGCACHE_NOT_RUN` names, whose lines `make test` counts. Without
/// one it panics, so that nothing is left out without a word.
pub fn cannot_run(test: &str, why: &str) {
    let line = format!("{test}: {why}");
    let Some(file) = std::env::var_os("PGCACHE_NOT_RUN") else { panic!("cannot run here: {line}") };
    let mut file = fs::File::options().append(true).create(true).open(file).unwrap();
    writeln!(file, "{line}").unwrap();
}
