//! `kill-notice-backend`: PostgreSQL ends the connection that brings notices.

use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;

use super::Nemesis;

/// Ends it.
pub struct KillNoticeBackend;

impl Nemesis for KillNoticeBackend {
    fn name(&self) -> &'static str {
        "kill-notice-backend"
    }

    fn strike(&self, world: &World, _count: usize) {
        world.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcache/notices'",
        );
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode != Mode::Off
    }
}
