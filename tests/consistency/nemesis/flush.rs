//! `flushall`: the cache is emptied while loads are under way, and what was saved comes back.

use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;
use crate::support::Reply;

use super::Nemesis;

/// FLUSHALL in all its forms, and DEBUG RELOAD.
pub struct Flush;

impl Nemesis for Flush {
    fn name(&self) -> &'static str {
        "flushall"
    }

    fn strike(&self, world: &World, count: usize) {
        let commands: [&[&str]; 5] =
            [&["FLUSHALL"], &["FLUSHALL", "ASYNC"], &["FLUSHDB"], &["SWAPDB", "0", "1"], &["DEBUG", "RELOAD"]];
        let reply = world.client().call(commands[count % commands.len()]);
        assert_eq!(reply, Reply::Simple("OK".into()));
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn works_in(&self, mode: Mode) -> bool {
        !mode.is_cluster()
    }
}
