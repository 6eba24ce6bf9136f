//! `PGCACHE.STATS [TABLE <table> | COMMAND <name> | RESET | HELP]`: what was done since the module was loaded or the
//! last reset, and how long it took.

use super::misused;
use crate::cache::Error;
use crate::cache::Reply;
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
        summary: c"Returns or resets figures: totals, rates, latencies, by command and by table",
        complexity: c"O(N) for N tables",
        arguments: &[
            Argument::optional(c"TABLE|COMMAND|RESET|HELP", ArgumentKind::Text),
            Argument::optional(c"name", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.STATS",
        "    Returns totals, rates, latencies, and figures of commands and of the busiest tables.",
        "PGCACHE.STATS TABLE <table>",
        "    Returns the figures of a table that has been used.",
        "PGCACHE.STATS COMMAND <name>",
        "    Returns the figures of a command, with or without the prefix pgcache.",
        "PGCACHE.STATS RESET",
        "    Begins anew, the figures of INFO and of /metrics included.",
        "PGCACHE.STATS HELP",
        "    Prints this.",
    ];

    fn run(_: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let word = arguments.get(0).map(<[u8]>::to_ascii_uppercase);
        let reply = match (word.as_deref(), arguments.get(1)) {
            (None, _) => module::with(|engine| Reply::Value(engine.stats())),
            (Some(b"TABLE"), Some(name)) => module::with(|engine| of_table(engine, name)),
            (Some(b"COMMAND"), Some(name)) => module::with(|engine| of_command(engine, name)),
            (Some(b"RESET"), None) => module::with(|engine| {
                engine.reset_figures();
                Reply::Ok
            }),
            (Some(b"HELP"), None) => Reply::lines(Stats::HELP),
            (Some(word), _) => {
                misused("STATS takes nothing, TABLE or COMMAND and a name, RESET, or HELP", word, &WORDS).into()
            }
        };
        reply.into()
    }
}

/// What may stand first.
const WORDS: [&str; 4] = ["TABLE", "COMMAND", "RESET", "HELP"];

fn of_table(engine: &Engine, spelling: &[u8]) -> Reply {
    let statistics = engine.plugins().stats.statistics();
    let by_id = engine.table_named(spelling).and_then(|table| statistics.table_by_id(table.id));
    let found = by_id.or_else(|| statistics.all_tables().iter().find(|table| table.name.as_bytes() == spelling));
    found.map_or_else(|| not_used("table"), |table| Reply::Value(report::of_table(table)))
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
