//! What statistics count by a label of their own: errors, commands, and the busiest tables.

use prometheus::proto::MetricFamily;

use super::family::Family;
use crate::plugins::stats::statistics::Statistics;
use crate::plugins::stats::table::TableStats;

/// What each of a table's figures is.
const HELP: [(&str, &str); 8] = [
    ("hits", "Reads of the table answered from the cache, by key; the ten busiest tables."),
    ("negative_hits", "Hits on rows that are known to be absent; the ten busiest tables."),
    ("misses", "Reads of the table that needed PostgreSQL, by key; the ten busiest tables."),
    ("loads", "Loads that PostgreSQL answered, by key; the ten busiest tables."),
    ("errors", "Loads that failed, by key; the ten busiest tables."),
    ("writes", "Entries that clients wrote; the ten busiest tables."),
    ("invalidations", "Entries that were invalidated, by commands and notices; the ten busiest tables."),
    ("flushes", "Times that a whole table was dropped; the ten busiest tables, and without a label all of them."),
];

/// As the page takes them. Of all tables together so many were dropped: `flushes`.
pub fn families(statistics: &Statistics, flushes: u64) -> Vec<MetricFamily> {
    let mut errors = Family::counter("pgcache_errors_total", "Commands answered with an error, by its code.");
    for (code, count) in &statistics.errors {
        errors.add(&[("code", code)], *count as f64);
    }
    let mut commands = Family::counter("pgcache_command_errors_total", "Commands answered with an error.");
    for command in &statistics.commands {
        commands.add(&[("command", command.name)], command.errors as f64);
    }
    let busiest = statistics.busiest();
    let mut families = vec![errors.done(), commands.done()];
    families.extend(HELP.into_iter().enumerate().map(|(place, (name, help))| {
        let mut family = Family::counter(&format!("pgcache_table_{name}_total"), help);
        if name == "flushes" {
            family.add(&[], flushes as f64);
        }
        with_tables(family, &busiest, place)
    }));
    families
}

/// With what each table has at that place among its figures.
fn with_tables(mut family: Family, tables: &[&TableStats], place: usize) -> MetricFamily {
    for table in tables {
        if let Some((_, value)) = table.figures().get(place) {
            family.add(&[("table", &table.name)], *value as f64);
        }
    }
    family.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_its_metric() {
        assert_eq!(HELP.map(|(name, _)| name), TableStats::default().figures().map(|(name, _)| name));
    }
}
