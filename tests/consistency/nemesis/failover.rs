//! `promote-standby`: the primary dies, and its standby takes its place.

use std::time::Duration;

use crate::consistency::plan::Plan;
use crate::consistency::world::World;
use crate::support::replication::{have_commits_wait, have_commits_wait_for};

use super::Nemesis;

/// Promotes it, and makes another standby. Commits wait for the standby, so that the promotion loses none.
pub struct PromoteStandby;

impl Nemesis for PromoteStandby {
    fn name(&self) -> &'static str {
        "promote-standby"
    }

    fn strike(&self, world: &World, count: usize) {
        let proxy = world.proxy.as_ref().expect("the plan has a proxy");
        let primary = world.standby.lock().unwrap().take().expect("the plan has a standby");
        world.postgres().kill();
        // The server may come too early.
        if count % 2 == 1 {
            proxy.lead_to(primary.port());
        }
        primary.promote();
        proxy.lead_to(primary.port());
        have_commits_wait_for(&primary, "");
        let standby = primary.standby();
        world.replace_postgres(primary);
        have_commits_wait(&world.postgres());
        *world.standby.lock().unwrap() = Some(standby);
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn prepare(&self, plan: &mut Plan) {
        plan.has_standby = true;
        plan.has_proxy = true;
        plan.is_lazy = false;
    }

    fn refusals(&self) -> &'static [&'static str] {
        // Lost, or told why: crashed, starting up.
        &["lost", "57P01", "57P02", "57P03"]
    }
}
