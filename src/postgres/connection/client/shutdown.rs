//! The end of all connections to a source, including those that are being opened.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::pulse::Pulse;

/// Ends every connection that was opened with it, for good. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    has_begun: watch::Sender<bool>,
    /// Open connections, and some that have ended already.
    pulses: Mutex<Vec<Weak<Pulse>>>,
}

impl Shutdown {
    /// Ends them: whoever waits on one of them is told at once, and no other can be opened.
    pub fn begin(&self) {
        let mut pulses = self.0.pulses.lock();
        self.0.has_begun.send_replace(true);
        pulses.drain(..).filter_map(|pulse| pulse.upgrade()).for_each(|pulse| pulse.stop());
    }

    /// Whether that has happened.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.has_begun.borrow()
    }

    /// Returns as soon as that happens.
    pub(crate) async fn begun(&self) {
        // The sender lives as long as this does.
        let _ = self.0.has_begun.subscribe().wait_for(|has_begun| *has_begun).await;
    }

    /// A connection was opened.
    pub(crate) fn keep(&self, pulse: &Arc<Pulse>) {
        let mut pulses = self.0.pulses.lock();
        pulses.retain(|pulse| pulse.strong_count() > 0);
        pulses.push(Arc::downgrade(pulse));
        if self.has_begun() {
            pulse.stop();
        }
    }
}
