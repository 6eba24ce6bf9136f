//! The `before_command` plugins: they may refuse a command before it runs, and are called while the engine is free, because
//! they may run commands themselves.

use super::current::with;
use super::host::Server;
use crate::cache::{Error, Purpose};
use crate::engine::requests::before_command::BeforeCommand;
use crate::engine::Caller;
use crate::plugins::call::Args;
use crate::plugins::command_start::CommandStart;
use crate::plugins::registry::PluginList;
use crate::plugins::{call, EventContext};
use crate::server::{Arguments, Context, Spec, User};
use crate::settings::Settings;

/// Asks about a command on no table.
pub fn of_command(ctx: Context<'_>, spec: &Spec, arguments: Arguments<'_>) -> Result<(), Error> {
    let (plugins, settings) = with(|engine| Some(engine.before_command_plugins())).unzip();
    let (Some(plugins), Some(settings)) = (plugins, settings) else { return Ok(()) };
    if plugins.is_empty() {
        return Ok(());
    }
    let words = || call::kept(arguments.iter());
    ask(
        &plugins,
        ctx,
        &settings,
        &CommandStart::new(ctx, spec.name(), spec.is_write(), &User::of(ctx), Args::Live(&words)),
    )
}

/// Asks about a command on a table. The first error is the verdict.
pub fn of_table_command(
    ctx: Context<'_>,
    before: &BeforeCommand,
    purpose: Purpose,
    caller: &Caller<Server>,
    words: Args<'_>,
) -> Result<(), Error> {
    let asked = CommandStart {
        subject: Some(&before.subject),
        client: caller.client,
        ..CommandStart::new(ctx, purpose.name(), purpose.is_write(), &caller.user, words)
    };
    ask(&before.plugins, ctx, &before.settings, &asked)
}

/// Asks about commands whose clients wait, and goes on with them.
pub fn of_waiting(ctx: Context<'_>) {
    while let Some((pending, before)) = with(|engine| engine.next_awaiting_plugins()) {
        let Some(words) = with(|engine| engine.words_of(&pending)) else { continue };
        let verdict = of_table_command(ctx, &before, pending.purpose(), pending.caller(), Args::Kept(&words));
        with(|engine| engine.resume_pending(ctx, pending, before, verdict));
    }
}

fn ask(plugins: &PluginList, ctx: Context<'_>, settings: &Settings, asked: &CommandStart<'_>) -> Result<(), Error> {
    plugins.iter().try_for_each(|plugin| plugin.before_command(EventContext { ctx, settings }, asked))
}
