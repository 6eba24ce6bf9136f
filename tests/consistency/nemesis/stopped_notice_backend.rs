//! `stop-notice-backend`: the PostgreSQL process that brings notices is stopped for a while. Its connection
//! stays open and says nothing.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;
use crate::support::process::kill;

use super::Nemesis;

/// Stops it for longer than the lease, or for a moment.
pub struct StopNoticeBackend;

impl Nemesis for StopNoticeBackend {
    fn name(&self) -> &'static str {
        "stop-notice-backend"
    }

    fn strike(&self, world: &World, count: usize) {
        let pids = pids(world);
        pids.iter().for_each(|pid| kill(*pid, libc::SIGSTOP));
        let lease = world.plan.max_staleness;
        sleep(if count % 3 == 2 { lease / 4 } else { lease * 3 / 2 });
        pids.iter().for_each(|pid| kill(*pid, libc::SIGCONT));
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(300)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode != Mode::Off
    }
}

fn pids(world: &World) -> Vec<u32> {
    let mut client = world.postgres().connect(&world.database).unwrap();
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgcache/notices'";
    client.query(sql, &[]).unwrap().iter().map(|row| row.get::<_, i32>(0) as u32).collect()
}
