//! Plain counters, touched on the main thread only.

/// What has happened since the module was loaded.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counters {
    /// Reads answered from the cache.
    pub hits: u64,
    /// Of these, rows known to be absent.
    pub negative_hits: u64,
    /// Reads that needed PostgreSQL.
    pub misses: u64,
    /// Misses that joined a flight under way.
    pub coalesced: u64,
    /// Statements that workers ran.
    pub statements: u64,
    /// Keys that those statements asked for.
    pub keys_loaded: u64,
    /// Flights whose answer was not stored, because of an invalidation meanwhile.
    pub superseded: u64,
    /// Loads that had to see what was told before they began.
    pub guarded: u64,
    /// Of these, answers that were not stored, because a transaction was not visible yet.
    pub not_visible: u64,
    /// Entries stored by loads.
    pub fills: u64,
    /// Rows answered but not stored: too large, a replica, a pause, memory full.
    pub fills_skipped: u64,
    /// Values of another's found under a cache key, and replaced.
    pub foreign_values: u64,
    /// In a cluster: keys that were sent to another node than their entry's, because of how they are spelled.
    pub misrouted: u64,
    /// In a cluster: entries that came from another node, and were dropped.
    pub arrivals: u64,
    /// Entries written by WRITE.
    pub writes: u64,
    /// INVALIDATE commands.
    pub invalidations: u64,
    /// Entries whose time to live ended.
    pub expired: u64,
    /// Entries evicted for memory.
    pub evicted: u64,
    /// Error replies to commands that need PostgreSQL.
    pub errors: u64,
    /// Times a whole table was dropped.
    pub epochs: u64,
    /// Tags that were dropped.
    pub tags_dropped: u64,
    /// Change notices that were applied.
    pub notices: u64,
    /// Times when a change dropped entries that no unique key names.
    pub loose_drops: u64,
    /// Times when notices may have been missed.
    pub gaps: u64,
    /// Times when the definitions of tables were compared with the catalog.
    pub comparisons: u64,
    /// Reads that went past the cache because the source was suspect.
    pub bypassed: u64,
    /// Entries of earlier epochs whose memory was given back.
    pub swept: u64,
    /// Times when all keys were looked at for such entries.
    pub sweeps: u64,
    /// Entries served beyond their life, or while their source was suspect.
    pub stale_served: u64,
    /// Loads that nobody waited for: stale entries, and hot ones near their end.
    pub refreshed: u64,
}

impl Counters {
    /// Name and value of each, as INFO shows them.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("hits", self.hits),
            ("negative_hits", self.negative_hits),
            ("misses", self.misses),
            ("coalesced", self.coalesced),
            ("statements", self.statements),
            ("keys_loaded", self.keys_loaded),
            ("superseded", self.superseded),
            ("guarded", self.guarded),
            ("not_visible", self.not_visible),
            ("fills", self.fills),
            ("fills_skipped", self.fills_skipped),
            ("foreign_values", self.foreign_values),
            ("misrouted", self.misrouted),
            ("arrivals", self.arrivals),
            ("writes", self.writes),
            ("invalidations", self.invalidations),
            ("expired", self.expired),
            ("evicted", self.evicted),
            ("errors", self.errors),
            ("epochs", self.epochs),
            ("tags_dropped", self.tags_dropped),
            ("notices", self.notices),
            ("loose_drops", self.loose_drops),
            ("gaps", self.gaps),
            ("comparisons", self.comparisons),
            ("bypassed", self.bypassed),
            ("swept", self.swept),
            ("sweeps", self.sweeps),
            ("stale_served", self.stale_served),
            ("refreshed", self.refreshed),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::metrics::figures::COUNTERS;

    #[test]
    fn every_counter_has_its_metric() {
        // `errors` is told by code, `epochs` with the tables.
        let counters = Counters::default().figures().into_iter().map(|(name, _)| name);
        let counters: Vec<&str> = counters.filter(|name| !["errors", "epochs"].contains(name)).collect();
        assert_eq!(COUNTERS.map(|(name, ..)| name).to_vec(), counters);
    }
}
