//! Freshness: change notices applied, leases and gaps, what is out of date and not removed yet, and the sweep.

pub mod availability;
pub mod leases;
pub mod listening;
pub mod masters_word;
pub mod notices;
pub mod pending_invalidations;
pub mod positions;
pub mod slot_imports;
pub mod suspect;
pub mod sweep;
pub mod visibility;

use std::collections::VecDeque;

use leases::Leases;
use pending_invalidations::PendingInvalidations;
use slot_imports::SlotImports;
use sweep::Sweep;

use crate::cache::Notice;
use crate::settings::Invalidation;
use crate::workers::{FeedEvent, SourceIndex};

/// What is known of changes in PostgreSQL.
#[derive(Debug)]
pub struct Freshness<C> {
    /// How far each source's notices can be relied on.
    pub(in crate::engine) leases: Leases,
    /// What is out of date and cannot be removed here now.
    pub(in crate::engine) pending_invalidations: PendingInvalidations,
    /// Slots whose entries may be another node's.
    pub(in crate::engine) slot_imports: SlotImports,
    /// The search for entries of earlier epochs.
    pub(in crate::engine) sweep: Sweep<C>,
    /// Notices that were not applied yet, each with the transaction that tells it, where that may not be visible.
    pub(in crate::engine) notices: VecDeque<(SourceIndex, Option<u64>, Notice)>,
    /// What else those who listen have told and was not looked at yet.
    pub(in crate::engine) events: VecDeque<(SourceIndex, FeedEvent)>,
}

impl<C: Default> Freshness<C> {
    /// For sources that tell of changes in these ways.
    pub fn new(modes: impl Iterator<Item = Invalidation>) -> Self {
        Self {
            leases: Leases::new(modes),
            pending_invalidations: PendingInvalidations::default(),
            slot_imports: SlotImports::default(),
            sweep: Sweep::default(),
            notices: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}
