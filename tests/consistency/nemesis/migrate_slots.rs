//! `migrate-slots`: slots move whole from one primary to another and back, by CLUSTER MIGRATESLOTS. Every third time that is given up.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;
use crate::support::Kind;

use super::Nemesis;

/// Moves half of a primary's slots.
pub struct MigrateSlots;

impl Nemesis for MigrateSlots {
    fn name(&self) -> &'static str {
        "migrate-slots"
    }

    fn strike(&self, world: &World, count: usize) {
        let cluster = world.site.as_cluster();
        let primaries = cluster.primaries();
        let [from, to] = [count, count + 1].map(|number| primaries[number % primaries.len()]);
        let owned = cluster.owners().into_iter().filter(|(_, owner)| *owner == from);
        let half = |slots: RangeInclusive<u16>| *slots.start()..=slots.start() + (slots.end() - slots.start()) / 2;
        let slots: Vec<_> = owned.map(|(slots, _)| half(slots)).collect();
        if count % 3 == 2 {
            cluster.begin_slot_migration(&slots, to);
            cluster.cancel_slot_migrations(from);
            // It may have come too late.
            cluster.await_agreement();
        } else {
            cluster.migrate_slots(&slots, to);
        }
        if cluster.node_of(*slots[0].start()) == to {
            // What has missed a change meanwhile must not be found when it is back where it was stored.
            cluster.migrate_slots(&slots, from);
        }
    }

    fn rest(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode.is_cluster()
    }

    fn works_on(&self, kind: &Kind) -> bool {
        kind.migrates_slots()
    }
}
