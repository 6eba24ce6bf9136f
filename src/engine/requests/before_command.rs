//! The `before_command` plugins: they may refuse a command before it runs, and are called while the engine is free, because
//! they may run commands themselves.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::cache::Error;
use crate::engine::requests::pending_command::PendingCommand;
use crate::engine::{Caller, Engine, Table, TableCommand};
use crate::plugins::call::Args;
use crate::plugins::command_start::CommandStart;
use crate::plugins::registry::PluginList;
use crate::plugins::subject::{Subject, SubjectKey};
use crate::plugins::{call, EventContext};
use crate::server::{Arguments, Context, Spec, User};
use crate::settings::{EventType, Settings};

/// Commands whose clients wait until nobody refuses them.
pub type AwaitingPlugins = VecDeque<(PendingCommand, BeforeCommand)>;

/// A command on a table that somebody may refuse.
#[derive(Debug)]
pub struct BeforeCommand {
    guards: PluginList,
    settings: Rc<Settings>,
    /// What it is about.
    pub subject: Box<Subject>,
}

impl BeforeCommand {
    /// Asks everyone; the first error is the verdict. The engine must be free.
    pub fn ask(&self, ctx: Context<'_>, spec: &Spec, caller: &Caller, words: Args<'_>) -> Result<(), Error> {
        let asked = CommandStart {
            subject: Some(&self.subject),
            client: caller.client,
            ..CommandStart::new(ctx, spec, &caller.user, words)
        };
        ask(&self.guards, ctx, &self.settings, &asked)
    }
}

fn ask(guards: &PluginList, ctx: Context<'_>, settings: &Settings, asked: &CommandStart<'_>) -> Result<(), Error> {
    guards.iter().try_for_each(|plugin| plugin.before_command(EventContext { ctx, settings }, asked))
}

/// Asks about a command on no table. The engine must be free.
pub fn of_command(ctx: Context<'_>, spec: &Spec, arguments: Arguments<'_>) -> Result<(), Error> {
    let (guards, settings) = crate::engine::with(|engine| Some(engine.guards())).unzip();
    let (Some(guards), Some(settings)) = (guards, settings) else { return Ok(()) };
    if guards.is_empty() {
        return Ok(());
    }
    let words = || call::kept(arguments.iter());
    ask(&guards, ctx, &settings, &CommandStart::new(ctx, spec, &User::of(ctx), Args::Live(&words)))
}

/// Asks about commands whose clients wait, and goes on with them.
pub fn of_waiting(ctx: Context<'_>) {
    while let Some((pending, before_command_of)) =
        crate::engine::with(|engine| engine.requests.awaiting_plugins.pop_front())
    {
        let words = crate::engine::with(|engine| engine.requests.waiters.words(pending.waiter()));
        let Some(words) = words else { continue };
        let verdict = before_command_of.ask(ctx, pending.spec(), pending.caller(), Args::Kept(&words));
        crate::engine::with(|engine| {
            engine.resume_pending(ctx, pending, before_command_of, verdict);
            crate::engine::catch_up(engine, ctx);
        });
    }
}

impl Engine {
    fn guards(&self) -> (PluginList, Rc<Settings>) {
        (PluginList::clone(self.plugins.subscribers(EventType::BeforeCommand)), Rc::clone(self.settings.get()))
    }

    fn has_guards(&self) -> bool {
        !self.plugins.subscribers(EventType::BeforeCommand).is_empty()
    }

    /// Who may refuse this command, if anybody. Access comes first: nobody else is asked about what is forbidden.
    pub fn before_command_of(
        &mut self,
        ctx: Context<'_>,
        table: &Table,
        command: &dyn TableCommand,
        caller: &Caller,
    ) -> Result<Option<BeforeCommand>, Error> {
        if !self.has_guards() {
            return Ok(None);
        }
        let (guards, settings) = self.guards();
        let keys = command.keys().resolve(self, table)?;
        self.check_all(ctx, caller, command.spec().purpose(), table, &keys)?;
        let keys = keys
            .into_iter()
            .map(|one| SubjectKey { cache_key: one.cache_key.as_bytes().into(), prefix_len: one.prefix_len });
        let subject = Subject {
            source: self.sources.name(table.source).into(),
            table: table.id,
            table_name: Rc::clone(&table.name),
            keys: keys.collect(),
        };
        Ok(Some(BeforeCommand { guards, settings, subject: Box::new(subject) }))
    }
}
