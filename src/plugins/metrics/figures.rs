//! The figures of the cache as a whole.

use prometheus::proto::MetricFamily;

use super::family::Family;
use crate::plugins::overview::Overview;

/// The counter of STATS, its metric, and what it is.
pub const COUNTERS: [(&str, &str, &str); 28] = [
    ("hits", "pgcache_hits_total", "Reads answered from the cache, by key."),
    ("negative_hits", "pgcache_negative_hits_total", "Hits on rows that are known to be absent."),
    ("misses", "pgcache_misses_total", "Reads that needed PostgreSQL, by key."),
    ("coalesced", "pgcache_coalesced_waiters_total", "Misses that joined a load under way."),
    ("statements", "pgcache_statements_total", "Statements that loaded rows."),
    ("keys_loaded", "pgcache_loaded_keys_total", "Keys that those statements asked for."),
    ("superseded", "pgcache_superseded_flights_total", "Loads that were not stored: a change overtook them."),
    ("guarded", "pgcache_guarded_loads_total", "Loads that had to see what was told before they began."),
    (
        "not_visible",
        "pgcache_invisible_loads_total",
        "Loads that were not stored: a transaction that was told was not visible yet.",
    ),
    ("fills", "pgcache_fills_total", "Entries stored by loads."),
    (
        "fills_skipped",
        "pgcache_skipped_fills_total",
        "Rows answered but not stored: too large, no room, a replica, a pause.",
    ),
    ("foreign_values", "pgcache_foreign_values_total", "Values of others found under a cache key."),
    ("misrouted", "pgcache_misrouted_total", "Keys of a cluster that were sent to another node than their entry's."),
    ("arrivals", "pgcache_arrivals_total", "Entries that came from another node of the cluster, and were dropped."),
    ("writes", "pgcache_writes_total", "Entries written by clients."),
    ("invalidations", "pgcache_invalidations_total", "INVALIDATE commands."),
    ("expired", "pgcache_expired_entries_total", "Entries whose time to live ended."),
    ("evicted", "pgcache_evicted_entries_total", "Entries evicted for memory."),
    ("tags_dropped", "pgcache_tag_flushes_total", "Tags that were dropped."),
    ("notices", "pgcache_notices_total", "Change notices that were applied."),
    ("loose_drops", "pgcache_loose_drops_total", "Times that a change dropped entries that no unique key names."),
    ("gaps", "pgcache_gaps_total", "Times that notices may have been missed."),
    ("comparisons", "pgcache_comparisons_total", "Times that definitions were compared with the catalog."),
    ("bypassed", "pgcache_bypassed_reads_total", "Reads that went past the cache: the source was suspect."),
    ("swept", "pgcache_swept_entries_total", "Entries of earlier epochs that were removed."),
    ("sweeps", "pgcache_sweeps_total", "Times that all keys were looked at for those."),
    (
        "stale_served",
        "pgcache_stale_reads_total",
        "Entries served beyond their life, or while their source was suspect.",
    ),
    ("refreshed", "pgcache_refreshes_total", "Loads that nobody waited for."),
];

/// The same of gauges.
const GAUGES: [(&str, &str, &str); 10] = [
    ("entries", "pgcache_entries", "Rows and results of queries in the cache."),
    ("bytes", "pgcache_entries_bytes", "Bytes of their keys and values; the server needs some more for each."),
    ("outdated_entries", "pgcache_outdated_entries", "Entries of earlier epochs that are still to be removed."),
    (
        "entries_are_estimated",
        "pgcache_entries_are_estimated",
        "Whether these figures are estimates from a sample of the keys, as they are with more than 20,000 keys.",
    ),
    ("flights", "pgcache_flights", "Loads under way."),
    ("waiting_clients", "pgcache_waiting_clients", "Clients that wait for loads."),
    ("queued_tasks", "pgcache_queued_tasks", "Tasks that wait for a worker."),
    ("tables", "pgcache_tables", "Tables that are known."),
    ("queries", "pgcache_queries", "Queries that are known."),
    (
        "queries_untracked",
        "pgcache_untracked_queries",
        "Queries of which PostgreSQL does not tell all changes: their entries live by their time to live.",
    ),
];

/// As the page takes them.
pub fn families(overview: &Overview) -> Vec<MetricFamily> {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    let mut families = vec![
        Family::gauge("pgcache_build_info", "Which version of the module it is.").with(&version, 1.0).done(),
        Family::gauge("pgcache_uptime_seconds", "Time since the module was loaded.")
            .with(&[], overview.uptime_s as f64)
            .done(),
    ];
    let value = |name| overview.figure(name) as f64;
    families.extend(COUNTERS.map(|(name, metric, help)| Family::counter(metric, help).with(&[], value(name)).done()));
    families.extend(GAUGES.map(|(name, metric, help)| Family::gauge(metric, help).with(&[], value(name)).done()));
    families
}
