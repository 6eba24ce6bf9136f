//! Nemeses: what goes wrong while the workload runs, one file each.

mod cluster_failover;
mod definition;
mod eviction;
mod failover;
mod fill_pause;
mod flush;
mod load_backends;
mod migrate_slots;
mod nobody;
mod notice_backend;
mod partition;
mod postgres_restart;
mod primary_frozen;
mod primary_killed;
mod publication;
mod reshard;
mod server_restart;
mod slot;
mod stopped_notice_backend;
mod synchronous_standby;
mod unrelated_log;
mod walsender;

use std::time::Duration;

use super::plan::{Mode, Plan};
use super::world::World;
use crate::support::Kind;

/// One fault, again and again.
pub trait Nemesis: Sync {
    /// As `NEMESIS` has it.
    fn name(&self) -> &'static str;

    /// One blow. When it returns, the fault may last, but not longer than until [`Self::heal`].
    fn strike(&self, world: &World, count: usize);

    /// Undoes what lasts.
    fn heal(&self, _world: &World) {}

    /// Between two blows.
    fn rest(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// Changes to the plan.
    fn prepare(&self, _plan: &mut Plan) {}

    /// Whether there is anything to it in this mode.
    fn works_in(&self, mode: Mode) -> bool {
        mode.tells_one()
    }

    /// Whether a server of this kind knows what it takes.
    fn works_on(&self, _kind: &Kind) -> bool {
        true
    }

    /// SQLSTATEs (`lost`: the connection was) that this fault, and nothing of ours, gives to writers.
    fn refusals(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the run's thread leaves the machine's network for one of its own.
    fn takes_network(&self) -> bool {
        false
    }

    /// Whether nothing goes wrong.
    fn is_harmless(&self) -> bool {
        false
    }

    /// Whether readers may be answered with errors.
    fn disturbs_readers(&self) -> bool {
        true
    }
}

/// All of them.
pub const ALL: [&dyn Nemesis; 27] = [
    &nobody::Nobody,
    &load_backends::KillLoadBackends,
    &notice_backend::KillNoticeBackend,
    &stopped_notice_backend::StopNoticeBackend,
    &postgres_restart::RestartPostgres,
    &server_restart::RestartServer,
    &flush::Flush,
    &eviction::Evictions,
    &definition::Definitions,
    &fill_pause::FillPause,
    &walsender::KillWalsender { slot: None },
    &walsender::KillWalsender { slot: Some("checked") },
    &walsender::StopWalsender,
    &slot::DropSlot,
    &publication::Publication { name: "recreate-publication", sql: "DROP PUBLICATION pgcache" },
    &publication::Publication { name: "alter-publication", sql: "ALTER PUBLICATION pgcache DROP TABLE t" },
    &synchronous_standby::SynchronousStandby { is_slow: false },
    &synchronous_standby::SynchronousStandby { is_slow: true },
    &synchronous_standby::GhostStandby,
    &failover::PromoteStandby,
    &unrelated_log::UnrelatedLog,
    &reshard::Reshard,
    &migrate_slots::MigrateSlots,
    &primary_killed::KillPrimary,
    &primary_frozen::FreezePrimary,
    &cluster_failover::ClusterFailover,
    &partition::Partition,
];

/// The one of this name, or `all`.
pub fn chosen(name: &str) -> Vec<&'static dyn Nemesis> {
    if name == "all" {
        return ALL.to_vec();
    }
    vec![named(name)]
}

/// The one of this name.
pub fn named(name: &str) -> &'static dyn Nemesis {
    let known = || ALL.map(|nemesis| nemesis.name()).join(", ");
    let found = ALL.into_iter().find(|nemesis| nemesis.name() == name);
    found.unwrap_or_else(|| panic!("no nemesis {name}: there are {}", known()))
}
