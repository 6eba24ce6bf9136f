//! `kill-walsender`, `kill-walsender-of-named-slot`, `stop-walsender`: the PostgreSQL process that sends the write-ahead log ends, or
//! stands still for a while. Its connection then stays open and says nothing.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::world::World;
use crate::support::replication::{end_walsenders, walsenders, while_stopped};

use super::Nemesis;

/// Ends it.
pub struct KillWalsender {
    /// The name of its slot; `None`: the slot ends with it.
    pub slot: Option<&'static str>,
}

impl Nemesis for KillWalsender {
    fn name(&self) -> &'static str {
        match self.slot {
            Some(_) => "kill-walsender-of-named-slot",
            None => "kill-walsender",
        }
    }

    fn strike(&self, world: &World, _count: usize) {
        end_walsenders(&world.postgres());
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn prepare(&self, plan: &mut Plan) {
        plan.slot = self.slot;
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode == Mode::Wal
    }
}

/// Stops it for longer than the lease, or for a moment.
pub struct StopWalsender;

impl Nemesis for StopWalsender {
    fn name(&self) -> &'static str {
        "stop-walsender"
    }

    fn strike(&self, world: &World, count: usize) {
        let lease = world.plan.max_staleness;
        let stopped = if count % 3 == 2 { lease / 4 } else { lease * 3 / 2 };
        while_stopped(&walsenders(&world.postgres()), || sleep(stopped));
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(300)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode == Mode::Wal
    }
}
