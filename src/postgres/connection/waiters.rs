//! The threads that wait for an idle connection, in order.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The threads that wait for an idle connection, in order.
#[derive(Debug, Default)]
pub(crate) struct PoolWaiters {
    lock: Mutex<()>,
    freed: Condvar,
    waiting: AtomicU32,
}

impl PoolWaiters {
    /// Counts one more who waits.
    pub fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }

    /// How many wait.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until something was freed, but at most `longest`.
    pub fn wait(&self, longest: Duration) {
        self.freed.wait_for(&mut self.lock.lock(), longest);
    }

    /// Lets one of those who wait look again.
    pub fn open_for_one(&self) {
        self.freed.notify_one();
    }

    /// Lets all of them look again.
    pub fn open_for_all(&self) {
        self.freed.notify_all();
    }
}

/// Somebody who waits at the gate, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'g>(&'g AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
