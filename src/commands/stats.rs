//! `PGCACHE.STATS [TABLE <table> | COMMAND <name> | RESET | HELP]`: what was done since the module was loaded or the
//! last reset, and how long it took.

use crate::cache::error::Error;
use crate::engine::counters::Counters;
use crate::engine::{self, Engine};
use crate::plugins::stats::book::{Book, CommandStats};
use crate::plugins::stats::latency::Percentiles;
use crate::plugins::stats::table::{hit_ratio, TableStats};
use crate::server::clock::monotonic_ms;
use crate::server::command::{Argument, ArgumentKind, Arguments, Command, Spec};
use crate::server::context::Context;
use crate::server::reply::{Reply, Value};

const HELP: [&str; 10] = [
    "PGCACHE.STATS",
    "    Returns totals, rates, latencies, and figures of commands and of the busiest tables.",
    "PGCACHE.STATS TABLE <table>",
    "    Returns the figures of a table that has been used.",
    "PGCACHE.STATS COMMAND <name>",
    "    Returns the figures of a command, with or without the prefix pgcache.",
    "PGCACHE.STATS RESET",
    "    Begins anew, INFO's figures included.",
    "PGCACHE.STATS HELP",
    "    Prints this.",
];

/// The command.
#[derive(Debug)]
pub struct Stats;

impl Command for Stats {
    const SPEC: Spec = Spec {
        name: c"pgcache.stats",
        flags: c"admin allow-loading allow-stale",
        categories: c"admin dangerous",
        summary: c"Returns or resets figures: totals, rates, latencies, by command and by table",
        complexity: c"O(N) for N tables",
        arguments: &[
            Argument::optional(c"TABLE|COMMAND|RESET|HELP", ArgumentKind::Text),
            Argument::optional(c"name", ArgumentKind::Text),
        ],
    };

    fn run(_: Context<'_>, arguments: Arguments<'_>) -> Reply {
        let word = arguments.get(0).map(<[u8]>::to_ascii_uppercase);
        match (word.as_deref(), arguments.get(1)) {
            (None, _) => engine::with(|engine| Reply::Value(everything(engine))),
            (Some(b"TABLE"), Some(name)) => engine::with(|engine| of_table(engine, name)),
            (Some(b"COMMAND"), Some(name)) => engine::with(|engine| of_command(engine, name)),
            (Some(b"RESET"), None) => engine::with(|engine| {
                engine.counters = Counters::default();
                engine.plugins.stats.reset();
                Reply::Ok
            }),
            (Some(b"HELP"), None) => Reply::lines(&HELP),
            _ => Error::malformed("STATS takes nothing, TABLE or COMMAND and a name, RESET, or HELP").into(),
        }
    }
}

fn everything(engine: &Engine) -> Value {
    let mut book = engine.plugins.stats.book_mut();
    let (last_second, last_minute) = book.rate.per_second(monotonic_ms() / 1000);
    let counters = &engine.counters;
    let mut fields = vec![
        ("hit_ratio", Value::Double(hit_ratio(counters.hits, counters.misses))),
        ("keys_per_statement", Value::Double(ratio(counters.keys_loaded, counters.statements))),
        ("commands_last_second", Value::from(last_second)),
        ("commands_per_second_last_minute", Value::Double(last_minute)),
    ];
    fields.extend(engine.figures().into_iter().map(|(name, value)| (name, Value::from(value))));
    let by_code = book.errors.iter().map(|(code, count)| (code.clone(), Value::from(*count)));
    let commands = book.commands.iter().map(|command| (command.name.to_owned(), command_map(command)));
    let tables = book.busiest().into_iter().map(|table| (table.name.clone(), table_map(table)));
    fields.extend([
        ("errors_by_code", Value::Map(by_code.collect())),
        ("latency_us", latencies(&book)),
        ("commands", Value::Map(commands.collect())),
        ("busiest_tables", Value::Map(tables.collect())),
    ]);
    Value::map(fields)
}

/// Where the commands' time went.
fn latencies(book: &Book) -> Value {
    Value::map([
        ("queue", percentiles(&book.queue.percentiles())),
        ("postgres", percentiles(&book.postgres.percentiles())),
        ("main", percentiles(&book.main.percentiles())),
    ])
}

fn of_table(engine: &Engine, spelling: &[u8]) -> Reply {
    let book = engine.plugins.stats.book();
    let by_id = engine.tables.find(spelling).and_then(|table| book.tables.get(&table.id));
    let found = by_id.or_else(|| book.tables.values().find(|table| table.name.as_bytes() == spelling));
    found.map_or_else(|| not_used("table"), |table| Reply::Value(table_map(table)))
}

fn of_command(engine: &Engine, name: &[u8]) -> Reply {
    let name = name.to_ascii_lowercase();
    let book = engine.plugins.stats.book();
    let is_called = |command: &&CommandStats| {
        let full = command.name.as_bytes();
        full == name || full.strip_prefix(b"pgcache.") == Some(&name)
    };
    let found = book.commands.iter().find(is_called);
    found.map_or_else(|| not_used("command"), |command| Reply::Value(command_map(command)))
}

fn not_used(what: &str) -> Reply {
    Error::malformed(format!("no figures: the {what} is not known or has not been used since the last reset"))
        .into()
}

fn command_map(command: &CommandStats) -> Value {
    let told = command.latency.percentiles();
    let mut fields = vec![("calls", Value::from(told.count)), ("errors", Value::from(command.errors))];
    fields.extend(times(&told));
    Value::map(fields)
}

fn table_map(table: &TableStats) -> Value {
    let figures = table.figures().map(|(name, value)| (name, Value::from(value)));
    let ratio = ("hit_ratio", Value::Double(hit_ratio(table.hits, table.misses)));
    Value::map(figures.into_iter().chain([ratio]))
}

fn percentiles(told: &Percentiles) -> Value {
    let mut fields = vec![("count", Value::from(told.count))];
    fields.extend(times(told));
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
