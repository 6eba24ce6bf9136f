//! `reshard`: slots move from one primary to another and back, with what is in them, while that is read and written.

use std::collections::HashSet;
use std::time::Duration;

use crate::consistency::key_sets::all_keys;
use crate::consistency::plan::Mode;
use crate::consistency::world::World;
use crate::support::cluster::{slot_of, Cluster, SLOTS};

use super::Nemesis;

/// How many slots move at a time, those with entries first. In a short run fewer.
const MANY: usize = 2000;
const FEW: usize = 50;

/// Moves slots.
pub struct Reshard;

impl Nemesis for Reshard {
    fn name(&self) -> &'static str {
        "reshard"
    }

    fn strike(&self, world: &World, count: usize) {
        let cluster = world.site.as_cluster();
        let primaries = cluster.primaries();
        let [from, to] = [count, count + 1].map(|number| primaries[number % primaries.len()]);
        let most = if world.plan.length < Duration::from_secs(10) { FEW } else { MANY };
        let slots: Vec<u16> = slots(&cluster, from).into_iter().take(most).collect();
        cluster.move_slots(slots.iter().copied(), to);
        // What has missed a change meanwhile must not be found when it is back where it was stored.
        cluster.move_slots(slots, from);
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode.is_cluster()
    }
}

/// Slots of this node's, those in which there are entries first, the most popular before them all.
fn slots(cluster: &Cluster, node: usize) -> Vec<u16> {
    let owners = cluster.owners();
    let is_owned = |slot: &u16| owners.iter().any(|(slots, owner)| *owner == node && slots.contains(slot));
    let lookups = all_keys().filter(|key| key.is_lookup());
    let mut known = HashSet::new();
    let filled = lookups.map(|key| slot_of(key.json()));
    filled.chain(0..SLOTS).filter(is_owned).filter(|slot| known.insert(*slot)).collect()
}
