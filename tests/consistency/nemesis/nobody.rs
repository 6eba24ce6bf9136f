//! `none`: nothing goes wrong.

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::world::World;

use super::Nemesis;

/// Does nothing.
pub struct Nobody;

impl Nemesis for Nobody {
    fn name(&self) -> &'static str {
        "none"
    }

    fn strike(&self, _world: &World, _count: usize) {}

    fn prepare(&self, plan: &mut Plan) {
        plan.rest = 4;
        plan.rows_move = false;
    }

    fn works_in(&self, _mode: Mode) -> bool {
        true
    }

    fn is_harmless(&self) -> bool {
        true
    }

    fn disturbs_readers(&self) -> bool {
        false
    }
}
