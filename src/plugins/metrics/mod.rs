//! Metrics for Prometheus: `/metrics`.

pub mod commands;
pub mod family;
pub mod figures;
pub mod histogram;
pub mod queries;
pub mod sources;
pub mod tables;

use std::sync::Arc;

use prometheus::proto::MetricFamily;
use prometheus::TextEncoder;

use super::page::{Page, Report};
use super::plugin::Plugin;
use super::stats::Stats;
use crate::settings::{EventTypes, PluginName, Settings};
use family::Family;

/// The media type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page that shows what [`Stats`] counts, and everything else.
#[derive(Debug, Clone)]
pub struct Metrics {
    stats: Stats,
}

impl Metrics {
    /// With what `stats` counts.
    pub fn of(stats: Stats) -> Self {
        Self { stats }
    }
}

impl Plugin for Metrics {
    fn name(&self) -> PluginName {
        PluginName::Metrics
    }

    fn subscribes_to(&self, _: &Settings) -> EventTypes {
        EventTypes::empty()
    }

    fn pages(&self, report: &Report) -> Vec<Page> {
        let (overview, further) = (Arc::clone(&report.overview), Arc::clone(&report.metrics));
        let durations = commands::families(&self.stats.statistics());
        let tables = tables::families(&self.stats.statistics(), &overview);
        let queries = queries::families(&self.stats.statistics(), &overview);
        vec![Page::new("/metrics", TEXT, move |age| {
            let mut families = figures::families(&overview);
            families.extend_from_slice(&durations);
            families.extend(sources::families(&overview.sources));
            families.extend_from_slice(&tables);
            families.extend_from_slice(&queries);
            families.extend_from_slice(&further);
            let help = "Time since the figures were taken: more than a few seconds mean that the server is stuck.";
            families.push(Family::gauge("pgcache_snapshot_age_seconds", help).with(&[], age.as_secs_f64()).done());
            text(families)
        })]
    }
}

/// The text of these metrics. A family without samples has none.
fn text(mut families: Vec<MetricFamily>) -> String {
    families.retain(|family| !family.get_metric().is_empty());
    // Every family has a name and samples of its own type, so that nothing can fail.
    TextEncoder::new().encode_to_string(&families).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::timings::Timings;
    use crate::plugins::call::{Args, CommandEnd};
    use crate::plugins::event::Event;
    use crate::plugins::overview::{Overview, SourceOverview};
    use crate::settings::EventType;

    /// A page with a hostile table on it.
    fn page() -> String {
        let stats = Stats::default();
        let table = Some((1, "\"a\\\n\"b"));
        (0..3).for_each(|_| stats.count(&Event { table, ..Event::new(EventType::Hit) }));
        let metrics = Metrics::of(stats.clone());
        let timings = Some(Timings { queue_us: 10, postgres_us: 20, catalog_us: 30, main_us: 40 });
        let call = CommandEnd {
            command: "pgcache.read",
            is_write: false,
            subject: None,
            client: 1,
            at_s: 0,
            duration_us: 1000,
            timings,
            error: Some("PGDOWN"),
            arguments: Args::Kept(&[]),
        };
        stats.ended(&call);
        let source = SourceOverview {
            name: "default".into(),
            is_up: true,
            connections: 3,
            idle: 1,
            gaps: vec![("connected", 1)],
            ..SourceOverview::default()
        };
        let overview =
            Overview { counters: vec![("hits", 3), ("epochs", 7)], sources: vec![source], ..Overview::default() };
        let report = Report { overview: Arc::new(overview), metrics: Arc::new([]) };
        metrics.pages(&report).first().unwrap().text(Duration::from_millis(1500))
    }

    #[test]
    fn the_text_holds_every_kind_of_metric() {
        let page = page();
        for line in [
            "# TYPE pgcache_hits_total counter",
            "pgcache_hits_total 3",
            "pgcache_table_hits_total{table=\"\\\"a\\\\\\n\\\"b\"} 3",
            "pgcache_table_flushes_total 7",
            "pgcache_tag_flushes_total 0",
            "pgcache_errors_total{code=\"PGDOWN\"} 1",
            "pgcache_command_errors_total{command=\"pgcache.read\"} 1",
            "pgcache_command_duration_seconds_bucket{command=\"pgcache.read\",le=\"0.001\"} 1",
            "pgcache_command_duration_seconds_bucket{command=\"pgcache.read\",le=\"0.0005\"} 0",
            "pgcache_command_duration_seconds_bucket{command=\"pgcache.read\",le=\"+Inf\"} 1",
            "pgcache_command_duration_seconds_sum{command=\"pgcache.read\"} 0.001",
            "pgcache_queue_duration_seconds_count 1",
            "pgcache_catalog_duration_seconds_sum 0.00003",
            "pgcache_main_thread_duration_seconds_sum 0.00004",
            "pgcache_source_up{source=\"default\"} 1",
            "pgcache_source_connections{source=\"default\",state=\"in_use\"} 2",
            "pgcache_source_gaps_total{source=\"default\",cause=\"connected\"} 1",
            "pgcache_foreign_notices_total{source=\"default\"} 0",
            "pgcache_snapshot_age_seconds 1.5",
        ] {
            assert!(page.lines().any(|known| known == line), "no {line} in\n{page}");
        }
    }

    #[test]
    fn a_source_without_notices_has_no_metrics_of_them() {
        let page = page();
        assert!(!page.contains("pgcache_source_fresh") && !page.contains("pgcache_source_staleness"), "{page}");
    }

    #[test]
    fn every_metric_stands_once() {
        let page = page();
        let types: Vec<&str> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let distinct: std::collections::BTreeSet<&str> = types.iter().copied().collect();
        assert!(types.len() == distinct.len() && types.len() > 20, "{page}");
    }
}
