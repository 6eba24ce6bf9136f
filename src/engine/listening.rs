//! The thread that listens to a source, and another one when PostgreSQL does not let go of it.

use std::io;
use std::time::{Duration, Instant};

use crate::settings::Invalidation;
use crate::workers::listener::{Ears, Listener};

/// Threads that may be left behind at a time. Those that end make room.
const ABANDONED_MAX: usize = 4;

/// One source's.
#[derive(Debug)]
pub struct Listening {
    ears: Ears,
    /// `None` when changes are not told.
    current: Option<Listener>,
    abandoned: Vec<Listener>,
}

impl Listening {
    /// Starts a thread, unless `invalidation` is off.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(ears: Ears) -> io::Result<Self> {
        let current = match ears.source.invalidation {
            Invalidation::Off => None,
            Invalidation::Notify | Invalidation::Outbox => Some(Listener::start(ears.clone())?),
        };
        Ok(Self { ears, current, abandoned: Vec::new() })
    }

    /// Leaves a thread that PostgreSQL has kept for `longest` behind and starts another one. Returns the number of the
    /// new thread's session, if there is one.
    pub fn replace_if_stuck(&mut self, longest: Duration) -> Option<u64> {
        self.abandoned.retain(|listener| !listener.has_ended());
        if self.current.as_ref()?.stuck_for() < longest || self.abandoned.len() >= ABANDONED_MAX {
            return None;
        }
        let ears = Ears { session: self.ears.session + 1, ..self.ears.clone() };
        let new = Listener::start(ears.clone())
            .map_err(|error| log::warn!("no thread can listen: {error}"))
            .ok()?;
        let mut stuck = self.current.replace(new)?;
        stuck.stop();
        self.abandoned.push(stuck);
        self.ears = ears;
        Some(self.ears.session)
    }

    /// Tells the threads to end.
    pub fn stop(&mut self) {
        self.current.iter_mut().chain(&mut self.abandoned).for_each(Listener::stop);
    }

    /// Waits for the threads to end, until `deadline`. Returns how many PostgreSQL still keeps by then.
    pub fn join(self, deadline: Instant) -> usize {
        self.current
            .into_iter()
            .chain(self.abandoned)
            .filter_map(|listener| (!listener.join(deadline)).then_some(()))
            .count()
    }
}
