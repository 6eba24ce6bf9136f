//! `freeze-primary`: a primary stands still until its replica has taken its place, or only for longer than the lease. Then it goes on with
//! what it had.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;

use super::Nemesis;

/// One primary after the other.
pub struct FreezePrimary;

impl Nemesis for FreezePrimary {
    fn name(&self) -> &'static str {
        "freeze-primary"
    }

    fn strike(&self, world: &World, count: usize) {
        let mut cluster = world.site.as_cluster();
        let primaries = cluster.primaries();
        let frozen = primaries[count / 2 % primaries.len()];
        cluster.freeze(frozen);
        if count % 2 == 0 {
            cluster.await_promotion(frozen);
        } else {
            sleep(world.plan.max_staleness * 3 / 2);
        }
        cluster.thaw(frozen);
        cluster.await_settled();
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode.is_cluster()
    }
}
