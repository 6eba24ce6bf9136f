//! What STATS tells, and `/stats.json` with it.

use super::latency::{Latency, Percentiles};
use super::recent::Latencies;
use super::statistics::{CommandStats, Statistics, BUSIEST};
use super::table::{hit_ratio, TableStats};
use crate::cache::Value;
use crate::plugins::overview::{Overview, SourceOverview};

/// Everything, at second `now_s` of the clock by which calls are counted.
pub fn everything(statistics: &mut Statistics, overview: &Overview, now_s: u64) -> Value {
    let (last_second, last_minute) = statistics.rate.per_second(now_s);
    let figure = |name| overview.figure(name);
    let mut fields = vec![
        ("hit_ratio", Value::Double(hit_ratio(figure("hits"), figure("misses")))),
        ("keys_per_statement", Value::Double(ratio(figure("keys_loaded"), figure("statements")))),
        ("commands_last_second", Value::from(last_second)),
        ("commands_per_second_last_minute", Value::Double(last_minute)),
    ];
    fields.extend(overview.figures().map(|(name, value)| (name, Value::from(value))));
    let by_code = statistics.errors.iter().map(|(code, count)| (code.clone(), Value::from(*count)));
    let commands = statistics.commands.iter().map(|command| (command.name.to_owned(), of_command(command)));
    let tables = statistics.busiest().into_iter().map(|table| (table.name.clone(), of_table(table, overview)));
    let queries = statistics.queries.busiest(BUSIEST).into_iter();
    let queries = queries.map(|query| (query.name.clone(), query.described(overview)));
    fields.extend([
        ("errors_by_code", Value::Map(by_code.collect())),
        ("latency_us", latencies(&statistics.latencies())),
        ("commands", Value::Map(commands.collect())),
        ("busiest_tables", Value::Map(tables.collect())),
        ("busiest_queries", Value::Map(queries.collect())),
        ("applied_lsn", applied_positions(overview)),
    ]);
    Value::map(fields)
}

/// A command's figures.
pub fn of_command(command: &CommandStats) -> Value {
    let told = command.latency().percentiles();
    let mut fields = vec![("calls", Value::from(told.count)), ("errors", Value::from(command.errors))];
    fields.extend(times(&told));
    Value::map(fields)
}

/// A table's figures.
pub fn of_table(table: &TableStats, overview: &Overview) -> Value {
    let figures = table.figures().map(|(name, value)| (name, Value::from(value)));
    let amount = overview.census.of_table(&table.name);
    let further = [
        ("hit_ratio", Value::Double(hit_ratio(table.hits, table.misses))),
        ("entries", Value::from(amount.entries)),
        ("bytes", Value::from(amount.bytes)),
    ];
    Value::map(figures.into_iter().chain(further))
}

/// The names of watched tables, by source.
pub fn watched_tables(overview: &Overview) -> Value {
    let of = |source: &SourceOverview| (source.name.clone(), Value::texts(&source.watched_tables));
    Value::Map(overview.sources.iter().map(of).collect())
}

/// How far changes of each source have been applied.
fn applied_positions(overview: &Overview) -> Value {
    let of = |source: &SourceOverview| (source.name.clone(), Value::from(source.applied_lsn.as_deref()));
    Value::Map(overview.sources.iter().map(of).collect())
}

/// The commands' time, and where it went.
pub fn latencies(all: &Latencies) -> Value {
    Value::map([
        ("command", percentiles(&all.command)),
        ("queue", percentiles(&all.queue)),
        ("postgres", percentiles(&all.postgres)),
        ("catalog", percentiles(&all.catalog)),
        ("main", percentiles(&all.main)),
    ])
}

/// How many there were, and how long they took.
pub fn percentiles(latency: &Latency) -> Value {
    let told = latency.percentiles();
    let mut fields = vec![("count", Value::from(told.count))];
    fields.extend(times(&told));
    Value::map(fields)
}

fn times(told: &Percentiles) -> [(&'static str, Value); 5] {
    [
        ("average_us", Value::from(told.average_us)),
        ("p50_us", Value::from(told.p50_us)),
        ("p95_us", Value::from(told.p95_us)),
        ("p99_us", Value::from(told.p99_us)),
        ("max_us", Value::from(told.max_us)),
    ]
}

fn ratio(of: u64, per: u64) -> f64 {
    if per == 0 {
        return 0.0;
    }
    of as f64 / per as f64
}
