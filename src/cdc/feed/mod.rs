//! A feed: one way in which PostgreSQL tells of changes.

mod beats;
mod event;
mod notify;
mod outbox;
mod poll;
mod positions;
mod queue_usage;
mod server_identity;
mod trim;
mod trust;
mod unproven;
mod wal;
mod watermark;

use std::sync::Arc;
use std::time::Duration;

use crate::cache::Error;
use crate::cdc::{Known, Lost};
use crate::postgres::{Pulses, Shutdown};
use crate::settings::{Invalidation, SourceSettings};

pub use event::FeedEvent;
pub use notify::Notify;
pub use outbox::Outbox;
pub use wal::{pgoutput, Wal};

/// Who is told, in order.
pub type Tell<'a> = dyn FnMut(FeedEvent) + 'a;

/// One way in which PostgreSQL tells of something, with at most one session at a time. It remembers from one session to
/// the next what it takes to know whether something may have been missed in between.
pub trait Feed: Send {
    /// Opens a session. It counts as open once [`FeedEvent::Opened`] is told.
    ///
    /// # Errors
    /// Everything that can stand in the way.
    fn open(&mut self) -> Result<(), Lost>;

    /// Listens for a moment (less than a tenth of a second while all is well) and tells what there is to tell. A
    /// sign of life may be as old as `max_staleness` before the source counts as suspect.
    ///
    /// # Errors
    /// Why the session is of no more use.
    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost>;

    /// Ends the session, if there is one.
    fn close(&mut self);

    /// What is remembered is in doubt: the next session has a gap.
    fn forget(&mut self);
}

/// The feed that a source's settings ask for, whose connections end with `shutdown`; `None` when changes are not told. `pulses` are the
/// source's connections.
///
/// # Errors
/// A TLS file that is of no use.
pub fn for_source(
    settings: &Arc<SourceSettings>,
    shutdown: &Shutdown,
    pulses: &Arc<Pulses>,
    known: &Arc<Known>,
) -> Result<Option<Box<dyn Feed>>, Error> {
    let (settings, shutdown, pulses) = (Arc::clone(settings), shutdown.clone(), Arc::clone(pulses));
    Ok(match settings.invalidation {
        Invalidation::Notify => Some(Box::new(Notify::new(settings, shutdown, pulses, Arc::clone(known))?)),
        Invalidation::Outbox => Some(Box::new(Outbox::new(settings, shutdown, pulses, Arc::clone(known))?)),
        Invalidation::Wal => Some(Box::new(Wal::new(settings, shutdown, pulses, Arc::clone(known))?)),
        Invalidation::Off => None,
    })
}
