//! Slots that move whole, as `CLUSTER MIGRATESLOTS` of Valkey 9 has it.

use std::ops::RangeInclusive;

use crate::support::eventually::eventually;
use crate::support::Reply;

use super::Cluster;

/// How a migration ends.
const ENDS: [&str; 3] = ["success", "failed", "cancelled"];

impl Cluster {
    /// Begins to move slots of one owner to this node, which is the owner of all of them at once when their keys are there. Returns the
    /// node that they leave.
    pub fn begin_slot_migration(&self, ranges: &[RangeInclusive<u16>], to: usize) -> usize {
        let from = self.node_of(*ranges[0].start());
        let ends = ranges.iter().flat_map(|range| [range.start().to_string(), range.end().to_string()]);
        let words = ["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"].map(str::to_owned).into_iter().chain(ends);
        let command: Vec<String> = words.chain(["NODE".into(), self.node(to).id.clone()]).collect();
        // The node that they come from may not have been told that it has them.
        let reply = eventually("the migration begins", || match self[from].client().call(&command) {
            Reply::Error(text) if text.contains("not served by this node") => None,
            reply => Some(reply),
        });
        assert_eq!(reply, Reply::Simple("OK".into()), "{command:?}");
        from
    }

    /// What the last migration from this node has come to: `replicating`, `success`, `failed`, `cancelled`, …
    pub fn slot_migration_state(&self, from: usize) -> String {
        let is_export = |job: &&Reply| job.field("operation") == Reply::Bulk(b"EXPORT".to_vec());
        self.slot_migrations(from).iter().find(is_export).map(|job| job.field("state").text()).unwrap_or_default()
    }

    /// Moves slots of one owner whole, and waits until all nodes know.
    pub fn migrate_slots(&self, ranges: &[RangeInclusive<u16>], to: usize) {
        let from = self.begin_slot_migration(ranges, to);
        eventually("the slots have moved", || match self.slot_migration_state(from).as_str() {
            "success" => Some(()),
            state if ENDS.contains(&state) => panic!("the migration has {state}"),
            _ => None,
        });
        self.await_agreement();
    }

    /// Gives up what is under way from this node, and waits until nobody has to do with it any more. Whether there was anything.
    pub fn cancel_slot_migrations(&self, from: usize) -> bool {
        let is_cancelled = self[from].client().call(&["CLUSTER", "CANCELSLOTMIGRATIONS"]) == Reply::Simple("OK".into());
        for node in self.running() {
            eventually("what has come is gone", || {
                let is_over = |job: &Reply| ENDS.contains(&job.field("state").text().as_str());
                self.slot_migrations(node).iter().all(is_over).then_some(())
            });
        }
        is_cancelled
    }

    fn slot_migrations(&self, node: usize) -> Vec<Reply> {
        match self[node].client().call(&["CLUSTER", "GETSLOTMIGRATIONS"]) {
            Reply::Array(migrations) => migrations,
            reply => panic!("GETSLOTMIGRATIONS: {reply:?}"),
        }
    }
}
