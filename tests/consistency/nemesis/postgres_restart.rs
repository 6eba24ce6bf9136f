//! `restart-postgres`: PostgreSQL is stopped, or crashes, and comes back.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::plan::Plan;
use crate::consistency::world::World;

use super::Nemesis;

/// Crashes and orderly restarts in turn.
pub struct RestartPostgres;

impl Nemesis for RestartPostgres {
    fn name(&self) -> &'static str {
        "restart-postgres"
    }

    fn strike(&self, world: &World, count: usize) {
        if count % 2 == 0 {
            world.postgres().kill();
        } else {
            world.postgres().stop();
        }
        sleep(Duration::from_millis(100 * (count as u64 % 3)));
        world.postgres().start_again();
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn prepare(&self, plan: &mut Plan) {
        // A crash would take commits away.
        plan.is_lazy = false;
    }

    fn refusals(&self) -> &'static [&'static str] {
        // Lost, or told why: shutting down, crashed, starting up.
        &["lost", "57P01", "57P02", "57P03"]
    }
}
