//! What statistics count by a label of their own: errors, commands, and the busiest tables.

use prometheus::proto::MetricFamily;

use super::family::Family;
use crate::cache::census::Census;
use crate::plugins::overview::Overview;
use crate::plugins::stats::statistics::Statistics;
use crate::plugins::stats::table::TableStats;

/// What each of a table's figures is.
const HELP: [(&str, &str); 8] = [
    ("hits", "Reads of the table answered from the cache, by key; the ten busiest tables."),
    ("negative_hits", "Hits on rows that are known to be absent; the ten busiest tables."),
    ("misses", "Reads of the table that needed PostgreSQL, by key; the ten busiest tables."),
    ("loads", "Loads that PostgreSQL answered, by key; the ten busiest tables."),
    ("errors", "Commands that were refused, and loads that failed, by key; the ten busiest tables."),
    ("writes", "Entries that clients wrote; the ten busiest tables."),
    ("invalidations", "Entries that were invalidated, by commands and notices; the ten busiest tables."),
    ("flushes", "Times that a whole table was dropped; the ten busiest tables, and without a label all of them."),
];

/// As the page takes them.
pub fn families(statistics: &Statistics, overview: &Overview) -> Vec<MetricFamily> {
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
            family.add(&[], overview.figure("epochs") as f64);
        }
        with_tables(family, &busiest, place)
    }));
    families.extend(amounts(&busiest, &overview.census));
    families
}

/// Entries and bytes of each table.
fn amounts(tables: &[&TableStats], census: &Census) -> [MetricFamily; 2] {
    let mut entries = Family::gauge("pgcache_table_entries", "Rows of the table in the cache; the ten busiest tables.");
    let mut bytes = Family::gauge("pgcache_table_bytes", "Bytes of their keys and values; the ten busiest tables.");
    for table in tables {
        let amount = census.of_table(&table.name);
        entries.add(&[("table", &table.name)], amount.entries as f64);
        bytes.add(&[("table", &table.name)], amount.bytes as f64);
    }
    [entries.done(), bytes.done()]
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
