//! The threads themselves: named, started together, ended together.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::errand::Errands;
use super::queue::{Job, Queue};

/// Numbers the threads of all sources, since a thread's name has room for 15 bytes only.
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// One source's worker threads.
#[derive(Debug)]
pub struct Threads {
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts `count` threads that run `errands` for what comes out of `jobs`. [`Threads::stop`] ends
    /// them.
    pub fn start(count: usize, jobs: &Receiver<Job>, errands: &Errands) -> io::Result<Self> {
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            let name = format!("pgcache-load-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            let (jobs, errands) = (jobs.clone(), errands.clone());
            handles.push(thread::Builder::new().name(name).spawn(move || work(&jobs, &errands))?);
        }
        Ok(Self { handles })
    }

    /// Tells the threads to end once they are done with what came before.
    pub fn stop(&self, queue: &Queue) {
        self.handles.iter().for_each(|_| queue.stop_one());
    }

    /// Waits for the threads to end, until `deadline`. Returns how many are still inside PostgreSQL by then:
    /// a silent server holds them, and the code stays mapped for them.
    pub fn join(self, deadline: Instant) -> usize {
        let mut left = self.handles;
        while !left.is_empty() && Instant::now() < deadline {
            let (ended, running): (Vec<_>, Vec<_>) = left.into_iter().partition(JoinHandle::is_finished);
            ended.into_iter().for_each(|handle| drop(handle.join()));
            left = running;
            if !left.is_empty() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        left.len()
    }
}

fn work(jobs: &Receiver<Job>, errands: &Errands) {
    while let Ok(job) = jobs.recv() {
        if matches!(job, Job::Stop) {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| errands.run(job))).is_err() {
            log::error!("a worker panicked and goes on with the next load");
        }
    }
}
