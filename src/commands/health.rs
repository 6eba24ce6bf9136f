//! `PGCACHE.HEALTH`: whether PostgreSQL can be reached, source by source. Asks nobody: it tells what is known.

use crate::cache::{Reply, Value};
use crate::module;
use crate::module::{Command, Outcome};
use crate::plugins::health;
use crate::server::{Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Health;

impl Command for Health {
    const SPEC: Spec = Spec {
        name: c"pgcache.health",
        flags: c"readonly allow-loading allow-stale",
        categories: c"read",
        accesses: &[],
        summary: c"Tells what each source is connected to, whether it can be reached, and what is risky",
        complexity: c"O(N) for N sources",
        arguments: &[],
    };

    fn run(ctx: Context<'_>, _: Arguments<'_>) -> Outcome {
        module::with(|engine| {
            let near_channel = engine.near_channel(ctx).map_or(Value::Nil, Value::Text);
            let fields = health::described(&engine.overview()).into_iter();
            Reply::Value(Value::map(fields.chain([("near_channel", near_channel)])))
        })
        .into()
    }
}
