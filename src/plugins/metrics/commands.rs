//! How long commands took, and where their time went.

use prometheus::proto::MetricFamily;

use super::family::Family;
use super::histogram::sample;
use crate::plugins::stats::statistics::Statistics;

/// The histograms of all commands since the last reset.
pub fn families(statistics: &Statistics) -> Vec<MetricFamily> {
    let name = "pgcache_command_duration_seconds";
    let mut commands = Family::histogram(name, "Time from a command's arrival to its answer.");
    for command in &statistics.commands {
        commands.add_histogram(&[("command", command.name)], sample(&command.latency()));
    }
    let one = |name, help, latency| Family::histogram(name, help).with_histogram(&[], sample(latency)).done();
    vec![
        commands.done(),
        one("pgcache_queue_duration_seconds", "Time that commands with a load waited for a worker.", &statistics.queue),
        one(
            "pgcache_postgres_duration_seconds",
            "Time that commands with a load waited for PostgreSQL.",
            &statistics.postgres,
        ),
        one(
            "pgcache_catalog_duration_seconds",
            "Time that commands waited for what PostgreSQL says of a table or a query, or for PGCACHE.WATCH.",
            &statistics.catalog,
        ),
        one("pgcache_main_thread_duration_seconds", "The main thread's work for every command.", &statistics.main()),
    ]
}
