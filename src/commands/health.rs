//! `PGCACHE.HEALTH`: whether PostgreSQL can be reached, source by source. Asks nobody: it tells what is known.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::engine;
use crate::engine::sources::ActiveSource;
use crate::postgres::Condition;
use crate::server::command::{Arguments, Command, Spec};
use crate::server::context::Context;
use crate::server::reply::{Reply, Value};

/// The command.
#[derive(Debug)]
pub struct Health;

impl Command for Health {
    const SPEC: Spec = Spec {
        name: c"pgcache.health",
        flags: c"readonly allow-loading allow-stale",
        categories: c"read",
        summary: c"Tells whether the sources can be reached",
        complexity: c"O(N) for N sources",
        arguments: &[],
    };

    fn run(_: Context<'_>, _: Arguments<'_>) -> Reply {
        engine::with(|engine| {
            let sources: Vec<(bool, String, Value)> = engine.sources.iter().map(describe).collect();
            let up = sources.iter().filter(|(is_up, ..)| *is_up).count();
            let status = match up {
                0 => "unhealthy",
                _ if up == sources.len() => "healthy",
                _ => "degraded",
            };
            let sources = sources.into_iter().map(|(_, name, value)| (name, value)).collect();
            Reply::Value(Value::Map(vec![
                ("status".into(), status.into()),
                ("sources".into(), Value::Map(sources)),
            ]))
        })
    }
}

fn describe(active: &ActiveSource) -> (bool, String, Value) {
    let health = active.source.health();
    let is_up = health.condition == Condition::Up;
    let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let fields = vec![
        ("status", Value::from(status(health.condition))),
        ("since", Value::Integer(unix_ms_of(health.since))),
        ("reason", health.last_error.map_or(Value::Nil, Value::Text)),
        ("failures", number(health.failures as usize)),
        ("connections", number(health.connections as usize)),
        ("idle", number(health.idle as usize)),
        ("queued", number(active.queue.len())),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    (is_up, active.name.clone(), Value::Map(fields))
}

fn status(condition: Condition) -> &'static str {
    match condition {
        Condition::Connecting => "connecting",
        Condition::Up => "up",
        Condition::Down => "down",
    }
}

/// Since when it is so, in milliseconds since 1970.
fn unix_ms_of(since: SystemTime) -> i64 {
    since
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
