//! The threads that listen to a source.

use std::io;
use std::time::Instant;

use crate::settings::Invalidation;
use crate::workers::listener::{Listener, ListenerConfig, Subject};

/// One source's: one for each subject; none when changes are not told.
#[derive(Debug)]
pub struct Listening(Vec<Listener>);

impl Listening {
    /// Starts the threads, unless `invalidation` is off.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(config: &ListenerConfig) -> io::Result<Self> {
        let subjects: &[Subject] = match config.source.invalidation {
            Invalidation::Off => &[],
            Invalidation::Notify | Invalidation::Outbox | Invalidation::Wal => {
                &[Subject::Notices, Subject::Definitions]
            }
        };
        let listeners = subjects.iter().map(|subject| Listener::start(config.clone(), *subject));
        Ok(Self(listeners.collect::<io::Result<_>>()?))
    }

    /// Tells the threads to end.
    pub fn stop(&mut self) {
        self.0.iter_mut().for_each(Listener::stop);
    }

    /// Waits for the threads to end, until `deadline`. Returns how many PostgreSQL still keeps by then.
    pub fn join(self, deadline: Instant) -> usize {
        self.0.into_iter().map(|listener| listener.join(deadline)).filter(|has_ended| !has_ended).count()
    }
}
