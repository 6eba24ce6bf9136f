//! The figures that STATS, HEALTH, INFO and the HTTP endpoint show.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cache::lease::LeaseStatus;
use crate::cache::Value;
use crate::clock::{monotonic_ms, unix_ms};
use crate::engine::catalog::sources::ActiveSource;
use crate::engine::host::Host;
use crate::engine::overview::counters::Counters;
use crate::engine::Engine;
use crate::plugins::health::Verdict;
use crate::plugins::overview::{Overview, SourceOverview};
use crate::postgres::{Condition, HealthReport, Server};
use crate::settings::Invalidation;
use crate::workers::SourceIndex;

/// How often the HTTP endpoint is told how things stand.
const PUBLISH_INTERVAL_MS: u64 = 1000;

impl<H: Host> Engine<H> {
    /// How things stand.
    pub fn overview(&self) -> Overview {
        let sources = self.sources.iter().enumerate();
        Overview {
            at_ms: unix_ms(),
            uptime_s: monotonic_ms().saturating_sub(self.started_ms) / 1000,
            counters: self.counters.figures(),
            gauges: self.gauges(),
            census: Arc::clone(self.counting.latest()),
            complaints: self.records.complaints(),
            warnings: self.settings.get().warnings(),
            near_channel: self.near.channel(),
            sources: sources.map(|(index, source)| self.overview_of(index, source)).collect(),
        }
    }

    /// Begins anew with everything that STATS tells.
    pub fn reset_figures(&mut self) {
        self.counters = Counters::default();
        self.plugins.reset();
    }

    /// A command has invalidated a row.
    pub fn count_invalidation(&mut self) {
        self.counters.invalidations += 1;
    }

    /// What STATS tells.
    pub fn stats(&self) -> Value {
        self.plugins.stats.report(&self.overview())
    }

    /// The `count` keys with the most hits, of `table` if that is given; from now on hits are sampled for a minute.
    pub fn top_keys(&mut self, table: Option<&str>, count: usize) -> Value {
        let now_ms = monotonic_ms();
        if self.plugins.top_keys.ask(now_ms) {
            self.arrange_plugins();
        }
        self.plugins.top_keys.described(now_ms, table, count)
    }

    /// Does what the figures need now and then.
    pub fn keep_figures(&mut self, store: H::Context<'_>, now_ms: u64) {
        if self.plugins.top_keys.tick(now_ms) {
            self.arrange_plugins();
        }
        self.count_entries(store, now_ms);
        self.publish(now_ms);
    }

    /// Tells the HTTP endpoint how things stand, if there is one and a second has passed since it was told.
    pub fn publish(&mut self, now_ms: u64) {
        let Some(endpoint) = &self.endpoint else { return };
        if now_ms < self.publish_ms {
            return;
        }
        self.publish_ms = now_ms + PUBLISH_INTERVAL_MS;
        let overview = self.overview();
        let verdict = Verdict::of(&overview);
        endpoint.cell().publish(verdict, self.plugins.pages(overview));
    }

    fn gauges(&self) -> Vec<(&'static str, u64)> {
        let census = self.counting.latest();
        vec![
            ("entries", census.all.entries),
            ("bytes", census.all.bytes),
            ("outdated_entries", census.outdated.entries),
            ("entries_are_estimated", census.is_estimate.into()),
            ("flights", self.loads.flights.len() as u64),
            ("waiting_clients", self.requests.waiters.len() as u64),
            ("queued_tasks", self.sources.queued() as u64),
            ("rejected_records", self.records.rejected()),
            ("tables", self.catalog.tables.len() as u64),
            ("queries", self.queries.known().count() as u64),
            (
                "queries_untracked",
                self.queries.known().filter(|query| !query.is_tracked(&self.catalog.tables)).count() as u64,
            ),
        ]
    }

    fn overview_of(&self, index: SourceIndex, active: &ActiveSource) -> SourceOverview {
        let overview = SourceOverview {
            name: active.name.clone(),
            queued: active.queue.len() as u64,
            ..active.health().map(of_health).unwrap_or_default()
        };
        let overview = SourceOverview {
            hits: self.hits_of(index, active, overview.status == Condition::Down.name(), monotonic_ms()),
            ..with_identity(active, overview)
        };
        self.with_notices(index, overview)
    }

    /// Why all of a source is read through although its notices are live.
    fn awaited_removal(&self, index: SourceIndex) -> Option<String> {
        const WHY: &str =
            "rows are read through until this replica's master, or the end of a pause, has removed what is out of date";
        self.freshness.pending_invalidations.cover_source(index).then(|| WHY.into())
    }

    /// Adds what is known of the source's change notices.
    fn with_notices(&self, index: SourceIndex, overview: SourceOverview) -> SourceOverview {
        let Some(known) = self.freshness.leases.get(index) else { return overview };
        let is_told = known.mode != Invalidation::Off;
        SourceOverview {
            invalidation: known.mode.name(),
            is_told,
            freshness: self.freshness_name(index, monotonic_ms()),
            is_fresh: self.freshness_of(index, monotonic_ms()) == LeaseStatus::Live,
            freshness_reason: known.reason.clone().or_else(|| self.awaited_removal(index)),
            watched: self.watched(index) as u64,
            watched_tables: self.watched_names(index),
            staleness_ms: known.lease.staleness_ms(monotonic_ms()).filter(|_| is_told),
            applied_lsn: known.applied.map(|lsn| lsn.to_string()),
            lease_ms: self.settings.get().max_staleness.as_millis() as u64,
            gaps: known.lease.counts().map(|(gap, count)| (gap.name(), count)).collect(),
            foreign_notices: known.foreign,
            ..overview
        }
    }
}

/// Adds what a source is connected to.
fn with_identity(active: &ActiveSource, overview: SourceOverview) -> SourceOverview {
    let Some(identity) = active.identity() else { return overview };
    let server = identity.server.as_ref();
    SourceOverview {
        address: identity.address.clone(),
        database: identity.database.clone(),
        role: identity.role.clone(),
        server_version: server.map(|server| server.version.clone()),
        tls: server.map(Server::tls_name),
        has_pooler: server.map(|server| server.has_pooler),
        is_superuser: server.map(|server| server.is_superuser),
        ..overview
    }
}

/// What is known of a source's connections.
fn of_health(health: HealthReport) -> SourceOverview {
    SourceOverview {
        status: health.condition.name(),
        is_up: health.condition == Condition::Up,
        since_ms: unix_ms_of(health.since),
        reason: health.last_error,
        failures: health.failures.into(),
        connections: health.connections.into(),
        idle: health.idle.into(),
        waiting: health.waiting.into(),
        ..SourceOverview::default()
    }
}

/// Since when it is so, in milliseconds since 1970.
fn unix_ms_of(since: SystemTime) -> u64 {
    since.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
