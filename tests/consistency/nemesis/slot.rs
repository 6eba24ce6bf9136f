//! `drop-slot`: somebody drops the replication slot.

use std::time::Duration;

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::world::World;
use crate::support::eventually;
use crate::support::replication::{drop_slot, slots};

use super::Nemesis;

const SLOT: &str = "checked";

/// Drops it, and its reader with it.
pub struct DropSlot;

impl Nemesis for DropSlot {
    fn name(&self) -> &'static str {
        "drop-slot"
    }

    fn strike(&self, world: &World, _count: usize) {
        let postgres = world.postgres();
        let is_there = || slots(&postgres).iter().any(|(name, _)| name == SLOT).then_some(());
        eventually("the slot is there", is_there);
        drop_slot(&postgres, SLOT);
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn prepare(&self, plan: &mut Plan) {
        plan.slot = Some(SLOT);
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode == Mode::Wal
    }
}
