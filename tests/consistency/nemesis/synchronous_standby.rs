//! `sync-standby`, `slow-standby`, `ghost-standby`: commits wait for a standby that follows, that follows slowly, or that never comes.
//! Until then nobody sees them, though they are in the log.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::plan::{Mode, Plan};
use crate::consistency::world::World;
use crate::support::replication::have_commits_wait_for;

use super::Nemesis;

/// One that follows, all the time.
pub struct SynchronousStandby {
    /// Whether commits wait until it shows them, which it does a little later.
    pub is_slow: bool,
}

/// How much later.
const DELAY: Duration = Duration::from_millis(60);

impl Nemesis for SynchronousStandby {
    fn name(&self) -> &'static str {
        if self.is_slow {
            "slow-standby"
        } else {
            "sync-standby"
        }
    }

    fn strike(&self, _world: &World, _count: usize) {}

    fn prepare(&self, plan: &mut Plan) {
        plan.has_standby = true;
        plan.standby_delay = if self.is_slow { DELAY } else { Duration::ZERO };
    }

    fn works_in(&self, _mode: Mode) -> bool {
        true
    }

    fn disturbs_readers(&self) -> bool {
        false
    }
}

/// One that never comes: after a while nobody waits for it any more.
pub struct GhostStandby;

impl Nemesis for GhostStandby {
    fn name(&self) -> &'static str {
        "ghost-standby"
    }

    fn strike(&self, world: &World, _count: usize) {
        let postgres = world.postgres();
        have_commits_wait_for(&postgres, "ghost");
        sleep(Duration::from_secs(3).min(world.plan.length / 3));
        have_commits_wait_for(&postgres, "");
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn works_in(&self, _mode: Mode) -> bool {
        true
    }
}
