//! `fill-pause`: loads pause between "row read" and "stored", so that changes overtake many of them.

use std::time::Duration;

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::world::World;

use super::Nemesis;

/// Makes loads pause.
pub struct FillPause;

impl Nemesis for FillPause {
    fn name(&self) -> &'static str {
        "fill-pause"
    }

    fn strike(&self, _world: &World, _count: usize) {}

    fn heal(&self, world: &World) {
        world.configure("pgcache.test_fill_delay_ms", "0");
    }

    fn prepare(&self, plan: &mut Plan) {
        plan.fill_delay = Duration::from_millis(20);
        plan.rows_move = false;
    }

    fn works_in(&self, _mode: Mode) -> bool {
        true
    }

    fn disturbs_readers(&self) -> bool {
        false
    }
}
