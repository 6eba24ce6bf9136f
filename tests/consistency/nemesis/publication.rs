//! `recreate-publication`, `alter-publication`: the publication goes, or the table goes from it, and WATCH ADD brings it back. Rows
//! change meanwhile, of which nobody can tell.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::world::World;

use super::Nemesis;

/// For how long the table is not published.
const GONE: Duration = Duration::from_millis(100);
/// How long it may take until it is published again, and that has been told.
const BACK: Duration = Duration::from_secs(3);

/// Takes the table away from the publication by a statement.
pub struct Publication {
    /// As `NEMESIS` has it.
    pub name: &'static str,
    /// The statement.
    pub sql: &'static str,
}

impl Nemesis for Publication {
    fn name(&self) -> &'static str {
        self.name
    }

    fn strike(&self, world: &World, count: usize) {
        world.execute(self.sql);
        sleep(GONE * (count as u32 % 3));
        world.watch();
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn prepare(&self, plan: &mut Plan) {
        plan.untold = GONE * 2 + BACK;
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode == Mode::Wal
    }
}
