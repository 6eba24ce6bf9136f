//! `kill-load-backends`: PostgreSQL ends the connections that load rows.

use crate::consistency::plan::Mode;
use crate::consistency::world::World;

use super::Nemesis;

/// Ends one or all of them.
pub struct KillLoadBackends;

impl Nemesis for KillLoadBackends {
    fn name(&self) -> &'static str {
        "kill-load-backends"
    }

    fn strike(&self, world: &World, count: usize) {
        let limit = if count % 4 == 0 { "ALL" } else { "1" };
        world.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'pgcache/load' ORDER BY random() LIMIT {limit}"
        ));
    }

    fn works_in(&self, _mode: Mode) -> bool {
        true
    }
}
