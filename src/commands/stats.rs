//! `PGCACHE.STATS [TABLE <table> | QUERY <name> | COMMAND <name> | KEYS [TABLE <table>] [count] | RESET | HELP]`: what was
//! done since the module was loaded or the last reset, and how long it took.

use super::{misused, top_keys};
use crate::cache::{Error, Reply};
use crate::module;
use crate::module::{Command, Engine, Outcome};
use crate::plugins::stats::report;
use crate::plugins::stats::statistics::CommandStats;
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Stats;

impl Command for Stats {
    const SPEC: Spec = Spec {
        name: c"pgcache.stats",
        flags: c"admin allow-loading allow-stale",
        categories: c"admin dangerous",
        accesses: &[],
        summary: c"Returns or resets figures: totals, rates, latencies, by command, by table and by query",
        complexity: c"O(N) for N tables",
        arguments: &[
            Argument::optional(c"TABLE|QUERY|COMMAND|KEYS|RESET|HELP", ArgumentKind::Text),
            Argument::many(c"name|TABLE|count", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.STATS",
        "    Returns totals, rates, latencies, and figures of commands and of the busiest tables and queries.",
        "PGCACHE.STATS TABLE <table>",
        "    Returns the figures of a table that has been used.",
        "PGCACHE.STATS QUERY <name>",
        "    Returns the figures of a defined query that has been asked; <source>:<name> where that is not the default source.",
        "PGCACHE.STATS COMMAND <name>",
        "    Returns the figures of a command, with or without the prefix pgcache.",
        "PGCACHE.STATS KEYS [TABLE <table>] [count]",
        "    Returns the keys that are hit most (10), from a sample of the hits that begins with the first call: ask again.",
        "PGCACHE.STATS RESET",
        "    Begins anew, the figures of INFO and of /metrics included.",
        "PGCACHE.STATS HELP",
        "    Prints this.",
    ];

    fn run(_: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        module::with(|engine| run(engine, &arguments.all())).into()
    }
}

fn run(engine: &mut Engine, words: &[&[u8]]) -> Reply {
    let Some((first, rest)) = words.split_first() else { return Reply::Value(engine.stats()) };
    match (first.to_ascii_uppercase().as_slice(), rest) {
        (b"TABLE", [name]) => of_table(engine, name),
        (b"QUERY", [name]) => of_query(engine, name),
        (b"COMMAND", [name]) => of_command(engine, name),
        (b"KEYS", words) => top_keys::run(engine, words).unwrap_or_else(Reply::Error),
        (b"RESET", []) => {
            engine.reset_figures();
            Reply::Ok
        }
        (b"HELP", []) => Reply::lines(Stats::HELP),
        _ => misused("STATS takes nothing, TABLE, QUERY or COMMAND and a name, KEYS, RESET, or HELP", first, &WORDS)
            .into(),
    }
}

/// What may stand first.
const WORDS: [&str; 6] = ["TABLE", "QUERY", "COMMAND", "KEYS", "RESET", "HELP"];

fn of_table(engine: &Engine, spelling: &[u8]) -> Reply {
    let statistics = engine.plugins().stats.statistics();
    let by_id = engine.table_named(spelling).and_then(|table| statistics.table_by_id(table.id));
    let found = by_id.or_else(|| statistics.all_tables().iter().find(|table| table.name.as_bytes() == spelling));
    found.map_or_else(|| not_used("table"), |table| Reply::Value(report::of_table(table, &engine.overview())))
}

fn of_query(engine: &Engine, name: &[u8]) -> Reply {
    let statistics = engine.plugins().stats.statistics();
    let found = statistics.queries.named(name);
    found.map_or_else(|| not_used("query"), |query| Reply::Value(query.described(&engine.overview())))
}

fn of_command(engine: &Engine, name: &[u8]) -> Reply {
    let name = name.to_ascii_lowercase();
    let statistics = engine.plugins().stats.statistics();
    let is_called = |command: &&CommandStats| {
        let full = command.name.as_bytes();
        full == name || full.strip_prefix(b"pgcache.") == Some(&name)
    };
    let found = statistics.commands.iter().find(is_called);
    found.map_or_else(|| not_used("command"), |command| Reply::Value(report::of_command(command)))
}

fn not_used(what: &str) -> Reply {
    Error::malformed(format!("no figures: the {what} is not known or has not been used since the last reset")).into()
}
