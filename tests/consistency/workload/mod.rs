//! The workload: writers of all sorts on the plots of one table.

mod clerk;
mod hauler;
mod holder;
mod writer;

pub use writer::Ledger;

use super::world::World;

/// Every writer of a run; each runs in a thread of its own until writers are to stop.
pub fn writers() -> Vec<fn(&World) -> Ledger> {
    vec![clerk::run, clerk::run, holder::run, holder::run, holder::run, hauler::run]
}
