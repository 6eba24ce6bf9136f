//! `PGCACHE.HEALTH`: whether PostgreSQL can be reached, source by source. Asks nobody: it tells what is known.

use crate::cache::Reply;
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

    fn run(_: Context<'_>, _: Arguments<'_>) -> Outcome {
        module::with(|engine| Reply::Value(health::described(&engine.overview()))).into()
    }
}
