//! Hooks at work: when they are run.

use std::time::Duration;

use super::current::with;
use crate::plugins::EventContext;
use crate::server::{wakeup, Context};

/// How long hooks are run before other clients have their turn.
const SLICE: Duration = Duration::from_millis(1);

/// How long the last ones may take.
const LAST: Duration = Duration::from_secs(1);

/// Runs the hooks that are due, in slices. The engine must be free: they may use it.
pub fn run_due(ctx: Context<'_>) {
    let hooks = with(|engine| Some(engine.plugins().hooks.clone()));
    if hooks.is_some_and(|hooks| !hooks.run_due(ctx, SLICE)) {
        wakeup::wake();
    }
}

/// Tells the plugins that the module comes to its end, and runs what that makes due.
pub fn shut_down(ctx: Context<'_>) {
    let hooks = with(|engine| {
        engine.restore_records(ctx);
        engine.plugins().stopped(EventContext { ctx, settings: engine.settings() });
        Some(engine.plugins().hooks.clone())
    });
    if let Some(hooks) = hooks {
        hooks.run_due(ctx, LAST);
    }
}
