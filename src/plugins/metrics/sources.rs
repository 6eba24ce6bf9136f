//! What is known of the sources.

use prometheus::proto::MetricFamily;

use super::family::Family;
use crate::plugins::overview::SourceOverview;

/// As the page takes them.
pub fn families(sources: &[SourceOverview]) -> Vec<MetricFamily> {
    let of = |name, help, value: fn(&SourceOverview) -> Option<f64>| {
        let mut family = Family::gauge(name, help);
        for source in sources {
            if let Some(value) = value(source) {
                family.add(&[("source", &source.name)], value);
            }
        }
        family.done()
    };
    vec![
        of("pgcache_source_up", "Whether the source answers.", |source| Some(flag(source.is_up))),
        of(
            "pgcache_source_fresh",
            "Whether its change notices can be relied on; absent with invalidation off.",
            |source| source.is_told.then(|| flag(source.is_fresh)),
        ),
        of("pgcache_source_staleness_seconds", "Time since the last sign of life of its change notices.", |source| {
            source.staleness_ms.map(|ms| ms as f64 / 1e3)
        }),
        of("pgcache_source_waiting_tasks", "Tasks that wait for a worker.", |source| Some(source.queued as f64)),
        of("pgcache_source_waiting_workers", "Workers that wait for a connection.", |source| {
            Some(source.waiting as f64)
        }),
        of("pgcache_source_failures", "Attempts to connect that failed since the last that succeeded.", |source| {
            Some(source.failures as f64)
        }),
        of("pgcache_source_watched_tables", "Watched tables that are known.", |source| Some(source.watched as f64)),
        connections(sources),
        gaps(sources),
        foreign(sources),
    ]
}

fn connections(sources: &[SourceOverview]) -> MetricFamily {
    let mut family = Family::gauge("pgcache_source_connections", "Open connections that load rows.");
    for source in sources {
        for (state, count) in [("idle", source.idle), ("in_use", source.in_use())] {
            family.add(&[("source", &source.name), ("state", state)], count as f64);
        }
    }
    family.done()
}

fn gaps(sources: &[SourceOverview]) -> MetricFamily {
    let name = "pgcache_source_gaps_total";
    let mut family = Family::counter(name, "Times that notices may have been missed, by cause.");
    for source in sources {
        for (cause, count) in &source.gaps {
            family.add(&[("source", &source.name), ("cause", cause)], *count as f64);
        }
    }
    family.done()
}

fn foreign(sources: &[SourceOverview]) -> MetricFamily {
    let name = "pgcache_foreign_notices_total";
    let mut family = Family::counter(name, "Notices that are not proven to be pgcache's and were left out.");
    for source in sources {
        family.add(&[("source", &source.name)], source.foreign_notices as f64);
    }
    family.done()
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}
