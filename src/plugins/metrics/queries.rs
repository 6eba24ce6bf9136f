//! The busiest queries: each named one, and all others together.

use prometheus::proto::MetricFamily;

use super::family::Family;
use super::histogram::sample;
use crate::plugins::overview::Overview;
use crate::plugins::stats::statistics::{Statistics, BUSIEST};

/// What each of a query's figures is, and whether it only grows.
const HELP: [(&str, bool, &str); 6] = [
    ("hits_total", true, "Queries answered from the cache; the ten busiest queries."),
    ("misses_total", true, "Queries that needed PostgreSQL; the ten busiest queries."),
    ("loads_total", true, "Loads of the query that PostgreSQL answered; the ten busiest queries."),
    ("errors_total", true, "Loads of the query that failed; the ten busiest queries."),
    ("entries", false, "Results of the query in the cache; the ten busiest queries."),
    ("bytes", false, "Bytes of their keys and values; the ten busiest queries."),
];

/// As the page takes them.
pub fn families(statistics: &Statistics, overview: &Overview) -> Vec<MetricFamily> {
    let busiest = statistics.queries.busiest(BUSIEST);
    let mut families: Vec<_> = HELP.into_iter().map(|(name, grows, help)| family(name, grows, help)).collect();
    let name = "pgcache_query_postgres_duration_seconds";
    let mut times = Family::histogram(name, "Time that PostgreSQL took for the query; the ten busiest queries.");
    for query in busiest {
        let labels = [("query", &*query.name)];
        for (family, (_, value)) in families.iter_mut().zip(query.figures(overview)) {
            family.add(&labels, value as f64);
        }
        times.add_histogram(&labels, sample(&query.postgres));
    }
    families.into_iter().chain([times]).map(Family::done).collect()
}

fn family(name: &str, grows: bool, help: &str) -> Family {
    let name = format!("pgcache_query_{name}");
    if grows {
        Family::counter(&name, help)
    } else {
        Family::gauge(&name, help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::stats::query::QueryStats;

    #[test]
    fn every_figure_has_its_metric() {
        let figures = QueryStats::default().figures(&Overview::default()).map(|(name, _)| name);
        assert_eq!(HELP.map(|(name, ..)| name.trim_end_matches("_total")), figures);
    }
}
