//! Freshness: change notices applied, leases and gaps, what is out of date and not removed yet, and the sweep.

pub mod leases;
pub mod listening;
pub mod notices;
pub mod pending_invalidations;
pub mod suspect;
pub mod sweep;
