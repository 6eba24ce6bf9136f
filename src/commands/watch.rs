//! `PGCACHE.WATCH ADD <table> | DEL <table> | LIST | SQL <table> | HELP`: having PostgreSQL tell of changes.

use super::misused;
use crate::cache::name::TableName;
use crate::cache::{Answer, Error, Reply, Value};
use crate::module;
use crate::module::{Command, Engine, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};
use crate::workers::watch_request::Watching;

/// The command.
#[derive(Debug)]
pub struct Watch;

impl Command for Watch {
    const SPEC: Spec = Spec {
        name: c"pgcache.watch",
        flags: c"admin",
        categories: c"admin dangerous",
        accesses: &[],
        summary: c"Has PostgreSQL tell of a table's changes, removes that, lists it, or returns the SQL for it",
        complexity: c"O(N) for N partitions; PostgreSQL does the work",
        arguments: &[
            Argument::required(c"ADD|DEL|LIST|SQL|HELP", ArgumentKind::Text),
            Argument::optional(c"table", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.WATCH ADD <table>",
        "    Has PostgreSQL tell of its changes, by triggers or by the write-ahead log.",
        "PGCACHE.WATCH DEL <table>",
        "    Ends that.",
        "PGCACHE.WATCH LIST",
        "    Lists what is watched.",
        "PGCACHE.WATCH SQL <table>",
        "    Returns what ADD would run.",
        "PGCACHE.WATCH HELP",
        "    Prints this.",
    ];

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let word = arguments.required(0).to_ascii_uppercase();
        match (word.as_slice(), arguments.get(1)) {
            (b"HELP", None) => Reply::lines(Watch::HELP).into(),
            (b"LIST", None) => module::with(|engine| list(engine, ctx)).into(),
            (b"ADD", Some(table)) => on_relation(ctx, table, Watching::Add).into(),
            (b"DEL", Some(table)) => on_relation(ctx, table, Watching::Del).into(),
            (b"SQL", Some(table)) => on_relation(ctx, table, Watching::Sql).into(),
            _ => misused("WATCH takes ADD, DEL or SQL and a table, LIST, or HELP", &word, &WORDS).into(),
        }
    }
}

/// What may stand first.
const WORDS: [&str; 5] = ["ADD", "DEL", "LIST", "SQL", "HELP"];

fn list(engine: &mut Engine, ctx: Context<'_>) -> Answer {
    match engine.telling_sources() {
        sources if sources.is_empty() => Answer::Now(Reply::Value(Value::List(vec![]))),
        sources => or_error(engine.watch(ctx, &sources, &Watching::List)),
    }
}

fn on_relation(ctx: Context<'_>, table: &[u8], what: fn(String) -> Watching) -> Answer {
    module::with(|engine| {
        let asked = TableName::parse(table).and_then(|name| {
            let source = engine.sources().named(name.source())?;
            engine.watch(ctx, &[source], &what(name.relation().to_owned()))
        });
        or_error(asked)
    })
}

fn or_error(answer: Result<Answer, Error>) -> Answer {
    answer.unwrap_or_else(|error| Answer::Now(Reply::Error(error)))
}
