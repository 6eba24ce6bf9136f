//! The plan of a run: which fault, which source of notices, for how long.

use std::sync::Arc;
use std::time::Duration;

use crate::support::network::Network;

use super::clock::{nanos, Nanos};

/// A run that takes less time cannot wait for long leases.
const SHORT: Duration = Duration::from_secs(10);

/// Where change notices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// LISTEN and NOTIFY.
    Notify,
    /// The outbox table.
    Outbox,
    /// The write-ahead log.
    Wal,
    /// One of these three, on every node of a cluster.
    Cluster(Feed),
    /// Nowhere: writers send INVALIDATE after each commit, as an application without triggers does.
    Off,
}

/// How every node of a cluster hears of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    Notify,
    Outbox,
    Wal,
}

impl Mode {
    /// As `MODE` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Outbox => "outbox",
            Self::Wal => "wal",
            Self::Cluster(Feed::Notify) => "cluster-notify",
            Self::Cluster(Feed::Outbox) => "cluster-outbox",
            Self::Cluster(Feed::Wal) => "cluster-wal",
            Self::Off => "off",
        }
    }

    /// As the setting `invalidation` has it.
    pub fn invalidation(self) -> &'static str {
        match self {
            Self::Cluster(Feed::Notify) => Self::Notify.name(),
            Self::Cluster(Feed::Outbox) => Self::Outbox.name(),
            Self::Cluster(Feed::Wal) => Self::Wal.name(),
            mode => mode.name(),
        }
    }

    /// Whether there are nodes of a cluster.
    pub fn is_cluster(self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Whether changes are told by NOTIFY.
    pub fn notifies(self) -> bool {
        matches!(self, Self::Notify | Self::Cluster(Feed::Notify))
    }

    /// Whether PostgreSQL tells one server of changes.
    pub fn tells_one(self) -> bool {
        matches!(self, Self::Notify | Self::Outbox | Self::Wal)
    }

    /// The one of this name, `cluster` with any feed, or `all`.
    pub fn chosen(name: &str) -> Vec<Self> {
        let clusters = [Feed::Notify, Feed::Outbox, Feed::Wal].map(Self::Cluster);
        let all = [Self::Notify, Self::Outbox, Self::Wal].into_iter().chain(clusters).chain([Self::Off]);
        let is_it = |mode: &Self| name == "all" || mode.name() == name || (name == "cluster" && mode.is_cluster());
        let chosen: Vec<Self> = all.filter(is_it).collect();
        assert!(
            !chosen.is_empty(),
            "no mode {name}: there are notify, outbox, wal, cluster, cluster-notify (-outbox, -wal), off and all"
        );
        chosen
    }
}

/// What is to be done in a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where change notices come from.
    pub mode: Mode,
    /// For how long writers write.
    pub length: Duration,
    /// The server's `max_staleness_ms`.
    pub max_staleness: Duration,
    /// The longest pause between "row read" and "stored".
    pub fill_delay: Duration,
    /// How many times longer than else everybody rests. Where ages are measured, nobody may have to wait for a
    /// processor that the others of the test keep busy.
    pub rest: u32,
    /// Whether the server refuses to store what a change has overtaken. A checker must find out when it does not.
    pub guarded: bool,
    /// Whether there is a standby that commits wait for.
    pub has_standby: bool,
    /// How much later it shows commits, which wait until it does.
    pub standby_delay: Duration,
    /// Whether the server reaches PostgreSQL through a proxy.
    pub has_proxy: bool,
    /// Whether some commits do not wait until they are on disk: a crash takes them away again.
    pub is_lazy: bool,
    /// The name of the replication slot that outlives its connection.
    pub slot: Option<&'static str>,
    /// The network whose far host has a part of the cluster.
    pub network: Option<Arc<Network>>,
    /// Whether rows may move from node to node of a cluster.
    pub rows_move: bool,
    /// For how long the fault has nobody told of changes, beyond what is promised.
    pub untold: Duration,
}

impl Plan {
    /// A plan for so much time.
    pub fn new(mode: Mode, length: Duration) -> Self {
        let max_staleness = if length < SHORT { 500 } else { 2_000 };
        Self {
            mode,
            length,
            max_staleness: Duration::from_millis(max_staleness),
            fill_delay: Duration::ZERO,
            rest: 1,
            guarded: true,
            has_standby: false,
            standby_delay: Duration::ZERO,
            has_proxy: false,
            is_lazy: mode.invalidation() == Mode::Wal.name(),
            slot: None,
            network: None,
            rows_move: mode.is_cluster(),
            untold: Duration::ZERO,
        }
    }

    /// Whether one of the readers has a near cache. In a cluster it takes the processor that nodes need to agree: only long runs
    /// have one there, and none that cuts the network.
    pub fn has_near_reader(&self) -> bool {
        let has_room = self.length >= SHORT && self.network.is_none();
        self.mode.tells_one() || (self.mode.is_cluster() && has_room)
    }

    /// The module's arguments.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("invalidation", self.mode.invalidation().into()),
            ("max_staleness_ms", self.max_staleness.as_millis().to_string()),
            ("test_hooks", "yes".into()),
            ("query", "any".into()),
            ("wal_slot", self.slot.unwrap_or_default().into()),
        ]
    }

    /// What is set once the server runs.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = vec![];
        if !self.fill_delay.is_zero() {
            faults.push(("pgcache.test_fill_delay_ms", self.fill_delay.as_millis().to_string()));
        }
        if !self.guarded {
            faults.push(("pgcache.test_unguarded", "yes".into()));
        }
        faults
    }

    /// How old an answer may be, scheduling noise aside. Where writers invalidate, it is they who bound it.
    pub fn bound(&self) -> Nanos {
        match self.mode {
            Mode::Off => Nanos::MAX,
            Mode::Notify | Mode::Outbox | Mode::Wal | Mode::Cluster(_) => nanos(self.max_staleness + self.untold),
        }
    }
}
