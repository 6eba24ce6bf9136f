//! `kill-primary`: a primary dies, its replica takes its place, and it comes back as a replica.

use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;

use super::Nemesis;

/// One primary after the other.
pub struct KillPrimary;

impl Nemesis for KillPrimary {
    fn name(&self) -> &'static str {
        "kill-primary"
    }

    fn strike(&self, world: &World, count: usize) {
        let mut cluster = world.site.as_cluster();
        let primaries = cluster.primaries();
        let killed = primaries[count % primaries.len()];
        cluster.kill(killed);
        cluster.await_promotion(killed);
        cluster.start_again(killed);
        cluster.await_settled();
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode.is_cluster()
    }
}
