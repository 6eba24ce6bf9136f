//! `evictions`: the server's memory is too small for all entries.

use crate::consistency::plan::Mode;
use crate::consistency::world::World;
use crate::support::eventually;

use super::Nemesis;

/// What is left for entries, in bytes: a part of what all of them take.
const ROOM: u64 = 300_000;

/// Bounds the server's memory.
pub struct Evictions;

impl Nemesis for Evictions {
    fn name(&self) -> &'static str {
        "evictions"
    }

    fn strike(&self, world: &World, count: usize) {
        if count > 0 {
            return;
        }
        let mut client = world.client();
        client.call(&["FLUSHALL"]);
        let used: u64 = client.info("memory", "used_memory").parse().unwrap();
        world.configure("maxmemory-policy", "allkeys-lru");
        world.configure("maxmemory", &(used + ROOM).to_string());
    }

    fn heal(&self, world: &World) {
        // Readers go on until then.
        eventually("something is evicted", || {
            let evicted: u64 = world.client().info("stats", "evicted_keys").parse().unwrap();
            (evicted > 0).then_some(())
        });
        world.configure("maxmemory", "0");
    }

    fn works_in(&self, mode: Mode) -> bool {
        !mode.is_cluster()
    }
}
