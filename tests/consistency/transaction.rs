//! Transactions: key sets that change together, and what is recorded of it.

use super::clock::Nanos;
use super::history::Change;
use super::key_set::{Draft, KeySet};
use super::world::World;
use super::writer_connection::{Outcome, WriterConnection};

/// Key sets that wait for a commit.
#[derive(Default)]
pub struct Transaction<'w> {
    /// What becomes of them.
    pub drafts: Vec<Draft<'w>>,
}

impl Transaction<'_> {
    /// The commit has come to an end: what has changed.
    pub fn settle(&mut self, outcome: Outcome, connection: &mut WriterConnection<'_>, world: &World) -> Vec<Change> {
        match outcome {
            Outcome::Committed { began, returned } => self.committed(began, returned),
            Outcome::RolledBack => vec![],
            Outcome::Unknown { began } if self.is_there(connection) => self.committed(began, world.clock.now()),
            Outcome::Unknown { .. } => vec![],
        }
    }

    /// Whether the key sets have become what was drafted.
    pub fn is_settled(&self) -> bool {
        self.drafts.iter().all(|draft| draft.set.rows == draft.rows)
    }

    fn committed(&mut self, began: Nanos, returned: Nanos) -> Vec<Change> {
        self.drafts.iter_mut().flat_map(|draft| draft.committed(began, returned)).collect()
    }

    /// Looks what became of it: nobody else can have changed these rows.
    fn is_there(&self, connection: &mut WriterConnection<'_>) -> bool {
        let ids: Vec<u32> = self.drafts.iter().flat_map(|draft| draft.set.ids()).collect();
        let found = connection.look(&ids);
        let stored = |set: &KeySet| set.ids().map(|id| found.iter().find(|row| row.id == id).copied());
        let committed = self.drafts.iter().all(|draft| stored(&draft.set) == draft.rows);
        let undone = self.drafts.iter().all(|draft| stored(&draft.set) == draft.set.rows);
        assert!(committed || undone, "PostgreSQL has a part of a transaction: {found:?}");
        committed
    }
}
