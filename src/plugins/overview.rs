//! The overview: the cache and its sources at one moment, as plain data that any thread may read.

use std::sync::Arc;

use crate::cache::census::Census;

/// The cache.
#[derive(Debug, Default, Clone)]
pub struct Overview {
    /// When that was, in milliseconds since 1970.
    pub at_ms: u64,
    /// For how long the module has been loaded, in seconds.
    pub uptime_s: u64,
    /// What has happened since the last reset, by name.
    pub counters: Vec<(&'static str, u64)>,
    /// What there is now, by name.
    pub gauges: Vec<(&'static str, u64)>,
    /// Entries and bytes, by table and by query.
    pub census: Arc<Census>,
    /// What is wrong with the records of hooks and queries, a text each.
    pub complaints: Vec<String>,
    /// What is risky about the settings, a text each.
    pub warnings: Vec<String>,
    /// Where near caches listen; `None` for a moment after the start.
    pub near_channel: Option<String>,
    /// Its sources.
    pub sources: Vec<SourceOverview>,
}

impl Overview {
    /// The counters and then the gauges.
    pub fn figures(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counters.iter().chain(&self.gauges).copied()
    }

    /// One of them; 0 for an unknown name.
    pub fn figure(&self, name: &str) -> u64 {
        self.figures().find(|(known, _)| *known == name).map_or(0, |(_, value)| value)
    }
}

/// One source: what it is connected to, its connections, and what is known of its change notices.
#[derive(Debug, Default, Clone)]
pub struct SourceOverview {
    /// Its name.
    pub name: String,
    /// Whether it answers: the word of HEALTH.
    pub status: &'static str,
    /// Whether it answers.
    pub is_up: bool,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Why the last attempt to connect failed, if it did.
    pub reason: Option<String>,
    /// What hits do from now on; `None` while they are answered as always.
    pub hits: Option<String>,
    /// Where it is: `db1:5432`, or the path of a Unix socket.
    pub address: String,
    /// The database.
    pub database: String,
    /// The role whose rights count.
    pub role: String,
    /// PostgreSQL's version; as the next three, `None` until something has answered.
    pub server_version: Option<String>,
    /// The version of TLS, or `off`.
    pub tls: Option<&'static str>,
    /// Whether a pooler stands in between.
    pub has_pooler: Option<bool>,
    /// Whether the role is a superuser.
    pub is_superuser: Option<bool>,
    /// How many attempts have failed since the last that succeeded.
    pub failures: u64,
    /// Open connections.
    pub connections: u64,
    /// Those of them that nobody uses.
    pub idle: u64,
    /// Workers that have something to do and no connection: it is being opened, or others have taken them all.
    pub waiting: u64,
    /// Tasks that wait for a worker.
    pub queued: u64,
    /// How changes are told: the word of HEALTH.
    pub invalidation: &'static str,
    /// Whether they are told at all.
    pub is_told: bool,
    /// How far the notices can be relied on: the word of HEALTH.
    pub freshness: &'static str,
    /// Whether they can be.
    pub is_fresh: bool,
    /// Why not, as far as it is known.
    pub freshness_reason: Option<String>,
    /// How many watched tables are known here.
    pub watched: u64,
    /// The names of some of them, sorted.
    pub watched_tables: Vec<String>,
    /// How old the last sign of life of the notices is, in milliseconds; `None` when there was none, or none is expected.
    pub staleness_ms: Option<u64>,
    /// The position in the write-ahead log up to which all changes were applied here, as PostgreSQL writes it; `None`: nobody knows.
    pub applied_lsn: Option<String>,
    /// How old it may become: `max_staleness_ms`.
    pub lease_ms: u64,
    /// How often notices may have been missed, by cause.
    pub gaps: Vec<(&'static str, u64)>,
    /// Notices that are not proven to be ours and were left out.
    pub foreign_notices: u64,
}

impl SourceOverview {
    /// Connections at work.
    pub fn in_use(&self) -> u64 {
        self.connections.saturating_sub(self.idle)
    }

    /// Whether tables are watched whose changes may not be told.
    pub fn is_in_doubt(&self) -> bool {
        self.watched > 0 && !self.is_fresh
    }
}
