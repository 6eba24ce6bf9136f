//! Urges: somebody waits for the next heartbeat of a feed, and wants it sent at once.

use std::future::pending;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

/// One feed's. The main thread urges; the thread that listens takes that before it sends a heartbeat, so that every heartbeat which follows
/// an urge is sent after it. However many urge meanwhile, one heartbeat is enough.
#[derive(Debug, Default)]
pub struct Urge {
    is_pending: Mutex<bool>,
    blocked: Condvar,
    waiting: Notify,
}

impl Urge {
    /// Asks for a heartbeat.
    pub fn urge(&self) {
        *self.is_pending.lock() = true;
        self.blocked.notify_all();
        self.waiting.notify_waiters();
    }

    /// Whether somebody has asked for one that was not taken yet.
    pub fn is_pending(&self) -> bool {
        *self.is_pending.lock()
    }

    /// The same, and from now on nobody has: a heartbeat is about to be sent.
    pub fn take(&self) -> bool {
        std::mem::take(&mut self.is_pending.lock())
    }

    /// Waits until somebody asks for one, but at most `longest`.
    pub fn wait(&self, longest: Duration) {
        let mut is_pending = self.is_pending.lock();
        if !*is_pending {
            self.blocked.wait_for(&mut is_pending, longest);
        }
    }

    /// Returns as soon as somebody asks for one, at once where somebody has.
    pub async fn urged(&self) {
        let waiting = self.waiting.notified();
        if !self.is_pending() {
            waiting.await;
        }
    }

    /// The same where a heartbeat may be sent now; else it never returns.
    pub async fn urged_if(&self, may_send: bool) {
        match may_send {
            true => self.urged().await,
            false => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_urge_wakes_whoever_waits_for_it_and_is_taken_once() {
        let urge = Urge::default();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| urge.wait(Duration::from_secs(3600)));
            let waiting = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.map(|runtime| runtime.block_on(urge.urged())).is_ok()
            });
            urge.urge();
            assert!(blocked.join().is_ok() && waiting.join().is_ok_and(|was_woken| was_woken));
        });
        assert!(urge.is_pending() && urge.take() && !urge.take());
    }
}
