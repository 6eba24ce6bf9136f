//! The workload: writers of all sorts on the key sets of one table.

mod bulk_writer;
mod long_transactions;
mod short_transactions;
mod writer;

pub use writer::Ledger;

use super::plan::Plan;
use super::world::World;

/// Every writer of a run; each runs in a thread of its own until writers are to stop.
pub fn writers(plan: &Plan) -> Vec<fn(&World) -> Ledger> {
    let mut writers: Vec<fn(&World) -> Ledger> = vec![
        short_transactions::run,
        short_transactions::run,
        long_transactions::run,
        long_transactions::run,
        long_transactions::run,
        bulk_writer::run,
    ];
    writers.extend(plan.is_lazy.then_some(short_transactions::run_lazily as fn(&World) -> Ledger));
    writers
}
