//! `PGCACHE.HEALTH`: whether PostgreSQL can be reached, source by source. Asks nobody: it tells what is known.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cache::lease::Freshness;
use crate::engine;
use crate::engine::Engine;
use crate::postgres::Condition;
use crate::server::command::{Arguments, Command, Spec};
use crate::server::context::Context;
use crate::server::reply::{Reply, Value};
use crate::workers::mail::SourceIndex;

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
            let all: Vec<usize> = (0..engine.freshness.len()).collect();
            let up = all.iter().filter(|source| is_up(engine, **source)).count();
            let status = match up {
                0 => "unhealthy",
                _ if up == all.len() && !all.iter().any(|source| is_in_doubt(engine, *source)) => "healthy",
                _ => "degraded",
            };
            let sources = all.into_iter().filter_map(|source| describe(engine, source)).collect();
            Reply::Value(Value::Map(vec![
                ("status".into(), status.into()),
                ("sources".into(), Value::Map(sources)),
            ]))
        })
    }
}

fn is_up(engine: &Engine, source: SourceIndex) -> bool {
    engine.sources.get(source).is_some_and(|active| active.source.health().condition == Condition::Up)
}

/// Whether tables are watched whose changes may not be told.
fn is_in_doubt(engine: &Engine, source: SourceIndex) -> bool {
    engine.watched(source) > 0 && engine.freshness_of(source) != Freshness::Live
}

fn describe(engine: &Engine, source: SourceIndex) -> Option<(String, Value)> {
    let active = engine.sources.get(source)?;
    let health = active.source.health();
    let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mut fields = vec![
        ("status", Value::from(health.condition.name())),
        ("since", Value::Integer(unix_ms_of(health.since))),
        ("reason", health.last_error.map_or(Value::Nil, Value::Text)),
        ("failures", number(health.failures as usize)),
        ("connections", number(health.connections as usize)),
        ("idle", number(health.idle as usize)),
        ("queued", number(active.queue.len())),
    ];
    fields.extend(notices(engine, source));
    Some((active.name.clone(), Value::map(fields)))
}

/// What is known of the source's change notices.
fn notices(engine: &Engine, source: SourceIndex) -> Vec<(&'static str, Value)> {
    let Some(known) = engine.freshness.get(source) else { return vec![] };
    let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    let gaps = known.lease.counts().map(|(gap, number)| (gap.name().to_owned(), count(number)));
    vec![
        ("invalidation", Value::from(known.mode.name())),
        ("freshness", Value::from(engine.freshness_name(source))),
        ("freshness_reason", known.reason.clone().map_or(Value::Nil, Value::Text)),
        ("watched", count(engine.watched(source) as u64)),
        ("gaps", Value::Map(gaps.collect())),
    ]
}

/// Since when it is so, in milliseconds since 1970.
fn unix_ms_of(since: SystemTime) -> i64 {
    since
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
