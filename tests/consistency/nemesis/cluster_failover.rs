//! `cluster-failover`: replicas take their primaries' places by CLUSTER FAILOVER, which loses no write.

use std::time::Duration;

use crate::consistency::plan::Mode;
use crate::consistency::world::World;

use super::Nemesis;

/// Six of these are more than four times the node timeout. Sooner a node must not be elected again: Redis 7.0 takes the votes of its last
/// election for those of this one, and then nobody believes it.
const REST: Duration = Duration::from_millis(2_700);

/// One primary after the other.
pub struct ClusterFailover;

impl Nemesis for ClusterFailover {
    fn name(&self) -> &'static str {
        "cluster-failover"
    }

    fn strike(&self, world: &World, count: usize) {
        let cluster = world.site.as_cluster();
        let primaries = cluster.primaries();
        let replicas = cluster.replicas_of(primaries[count % primaries.len()]);
        cluster.failover(replicas[0]);
    }

    fn rest(&self) -> Duration {
        REST
    }

    fn works_in(&self, mode: Mode) -> bool {
        mode.is_cluster()
    }
}
