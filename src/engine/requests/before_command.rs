//! Vetoes: plugins that may refuse a command are asked before it runs, and while the engine is free: what they do may
//! need it.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::cache::error::Error;
use crate::plugins::asked::Asked;
use crate::plugins::call::{self, Words};
use crate::plugins::plugin::EventContext;
use crate::plugins::registry::PluginList;
use crate::plugins::subject::{Subject, SubjectKey};
use crate::server::acl::User;
use crate::server::command::{Arguments, Spec};
use crate::server::context::Context;
use crate::settings::EventType;
use crate::settings::Settings;

use crate::engine::catalog::tables::Table;
use crate::engine::requests::caller::Caller;
use crate::engine::requests::pending_command::PendingCommand;
use crate::engine::requests::table_command::TableCommand;
use crate::engine::state::Engine;

/// Commands whose clients wait until nobody refuses them.
pub type AwaitingPlugins = VecDeque<(PendingCommand, Guarded)>;

/// A command on a table that somebody may refuse.
#[derive(Debug)]
pub struct Guarded {
    guards: PluginList,
    settings: Rc<Settings>,
    /// What it is about.
    pub subject: Box<Subject>,
}

impl Guarded {
    /// Asks everyone; the first error is the verdict. The engine must be free.
    pub fn ask(&self, ctx: Context<'_>, spec: &Spec, caller: &Caller, words: Words<'_>) -> Result<(), Error> {
        let asked = Asked {
            subject: Some(&self.subject),
            client: caller.client,
            ..Asked::new(ctx, spec, &caller.user, words)
        };
        ask(&self.guards, ctx, &self.settings, &asked)
    }
}

fn ask(guards: &PluginList, ctx: Context<'_>, settings: &Settings, asked: &Asked<'_>) -> Result<(), Error> {
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
    ask(&guards, ctx, &settings, &Asked::new(ctx, spec, &User::of(ctx), Words::Live(&words)))
}

/// Asks about commands whose clients wait, and goes on with them.
pub fn of_waiting(ctx: Context<'_>) {
    while let Some((pending, guarded)) = crate::engine::with(|engine| engine.awaiting_plugins.pop_front()) {
        let words = crate::engine::with(|engine| engine.waiters.words(pending.waiter()));
        let Some(words) = words else { continue };
        let verdict = guarded.ask(ctx, pending.spec(), pending.caller(), Words::Kept(&words));
        crate::engine::with(|engine| {
            engine.resume_pending(ctx, pending, guarded, verdict);
            crate::engine::catch_up(engine, ctx);
        });
    }
}

impl Engine {
    fn guards(&self) -> (PluginList, Rc<Settings>) {
        (
            PluginList::clone(self.plugins.subscribers(EventType::BeforeCommand)),
            Rc::clone(self.settings.get()),
        )
    }

    fn has_guards(&self) -> bool {
        !self.plugins.subscribers(EventType::BeforeCommand).is_empty()
    }

    /// Who may refuse this command, if anybody. Access comes first: nobody else is asked about what is forbidden.
    pub fn guarded(
        &mut self,
        ctx: Context<'_>,
        table: &Table,
        command: &dyn TableCommand,
        caller: &Caller,
    ) -> Result<Option<Guarded>, Error> {
        if !self.has_guards() {
            return Ok(None);
        }
        let (guards, settings) = self.guards();
        let resolved_key = command.resolved_key(self, table)?;
        self.check_all(ctx, caller, command.spec().name, table, &resolved_key, command.access())?;
        let keys = resolved_key
            .into_iter()
            .map(|one| SubjectKey { cache_key: one.cache_key.as_bytes().into(), prefix_len: one.prefix_len });
        let subject = Subject {
            source: self.sources.name(table.source).into(),
            table: table.id,
            table_name: Rc::clone(&table.name),
            keys: keys.collect(),
        };
        Ok(Some(Guarded { guards, settings, subject: Box::new(subject) }))
    }
}
