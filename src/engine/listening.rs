//! The threads that listen to a source, and others when PostgreSQL does not let go of them.

use std::io;
use std::time::{Duration, Instant};

use crate::settings::Invalidation;
use crate::workers::listener::{Ears, Listener, Subject};

/// Threads that may be left behind at a time. Those that end make room.
const ABANDONED_MAX: usize = 8;

/// One source's.
#[derive(Debug)]
pub struct Listening {
    ears: Ears,
    /// One for each subject; none when changes are not told.
    current: Vec<Listener>,
    abandoned: Vec<Listener>,
}

impl Listening {
    /// Starts the threads, unless `invalidation` is off.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(ears: Ears) -> io::Result<Self> {
        let current = match ears.source.invalidation {
            Invalidation::Off => Vec::new(),
            Invalidation::Notify | Invalidation::Outbox => start_all(&ears)?,
        };
        Ok(Self { ears, current, abandoned: Vec::new() })
    }

    /// Leaves the threads behind, if PostgreSQL has kept one of them for `longest`, and starts others. Returns the number of
    /// their session, if there is one.
    pub fn replace_if_stuck(&mut self, longest: Duration) -> Option<u64> {
        self.abandoned.retain(|listener| !listener.has_ended());
        if self.current.iter().map(Listener::stuck_for).max()? < longest
            || self.abandoned.len() >= ABANDONED_MAX
        {
            return None;
        }
        let ears = Ears { session: self.ears.session + 1, ..self.ears.clone() };
        let new = start_all(&ears).map_err(|error| log::warn!("no thread can listen: {error}")).ok()?;
        let mut stuck = std::mem::replace(&mut self.current, new);
        stuck.iter_mut().for_each(Listener::stop);
        self.abandoned.append(&mut stuck);
        self.ears = ears;
        Some(self.ears.session)
    }

    /// Tells the threads to end.
    pub fn stop(&mut self) {
        self.current.iter_mut().chain(&mut self.abandoned).for_each(Listener::stop);
    }

    /// Waits for the threads to end, until `deadline`. Returns how many PostgreSQL still keeps by then.
    pub fn join(self, deadline: Instant) -> usize {
        let kept = |listener: Listener| !listener.join(deadline);
        self.current.into_iter().chain(self.abandoned).map(kept).filter(|is_kept| *is_kept).count()
    }
}

/// Listens to every subject.
fn start_all(ears: &Ears) -> io::Result<Vec<Listener>> {
    [Subject::Notices, Subject::Definitions]
        .into_iter()
        .map(|subject| Listener::start(ears.clone(), subject))
        .collect()
}
