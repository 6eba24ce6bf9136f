//! The threads themselves: named, started together, ended together.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::queue::Queue;
use super::worker::Worker;

/// Numbers the threads of all sources, since a thread's name has room for 15 bytes only.
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// One source's worker threads.
#[derive(Debug)]
pub struct Threads {
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts `count` threads that run `worker` for what comes out of their queue. [`Threads::stop`] ends them.
    pub fn start(count: usize, worker: &Worker) -> io::Result<Self> {
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            let name = format!("pgcache-load-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            let worker = worker.clone();
            handles.push(thread::Builder::new().name(name).spawn(move || work(&worker))?);
        }
        Ok(Self { handles })
    }

    /// Tells the threads to end once they are done with what came before.
    pub fn stop(&self, queue: &Queue) {
        queue.stop(self.handles.len());
    }

    /// Waits for the threads to end, until `deadline`. Returns how many have not by then; the code stays mapped for them.
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

fn work(worker: &Worker) {
    let mut goes_on = true;
    while goes_on {
        goes_on = catch_unwind(AssertUnwindSafe(|| worker.run_next())).unwrap_or_else(|_| {
            log::error!("a worker panicked and goes on with the next load");
            true
        });
    }
}
