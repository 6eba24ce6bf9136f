//! Transactions: plots that change together, and what is recorded of it.

use super::clock::Nanos;
use super::history::Change;
use super::pen::{Outcome, Pen};
use super::plot::{Draft, Plot};
use super::world::World;

/// Plots that wait for a commit.
#[derive(Default)]
pub struct Transaction<'w> {
    /// What becomes of them.
    pub drafts: Vec<Draft<'w>>,
}

impl Transaction<'_> {
    /// The commit has come to an end: what has changed.
    pub fn settle(&mut self, outcome: Outcome, pen: &mut Pen<'_>, world: &World) -> Vec<Change> {
        match outcome {
            Outcome::Committed { began, returned } => self.committed(began, returned),
            Outcome::RolledBack => vec![],
            Outcome::Unknown { began } if self.is_there(pen) => self.committed(began, world.clock.now()),
            Outcome::Unknown { .. } => vec![],
        }
    }

    /// Whether the plots have become what was drafted.
    pub fn is_settled(&self) -> bool {
        self.drafts.iter().all(|draft| draft.plot.rows == draft.rows)
    }

    fn committed(&mut self, began: Nanos, returned: Nanos) -> Vec<Change> {
        self.drafts.iter_mut().flat_map(|draft| draft.committed(began, returned)).collect()
    }

    /// Looks what became of it: nobody else can have changed these rows.
    fn is_there(&self, pen: &mut Pen<'_>) -> bool {
        let ids: Vec<u32> = self.drafts.iter().flat_map(|draft| draft.plot.ids()).collect();
        let found = pen.look(&ids);
        let stored = |plot: &Plot| plot.ids().map(|id| found.iter().find(|row| row.id == id).copied());
        let committed = self.drafts.iter().all(|draft| stored(&draft.plot) == draft.rows);
        let undone = self.drafts.iter().all(|draft| stored(&draft.plot) == draft.plot.rows);
        assert!(committed || undone, "PostgreSQL has a part of a transaction: {found:?}");
        committed
    }
}
