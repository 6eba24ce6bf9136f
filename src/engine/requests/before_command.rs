//! The `before_command` plugins of a command on a table: who they are, and what they are asked about.

use std::rc::Rc;

use crate::cache::Error;
use crate::engine::host::Host;
use crate::engine::{Caller, Engine, StoreKey, Table, TableCommand};
use crate::plugins::registry::PluginList;
use crate::plugins::subject::{Subject, SubjectKey};
use crate::settings::{EventType, Settings};

/// A command on a table that somebody may refuse.
#[derive(Debug)]
pub struct BeforeCommand {
    /// Who may.
    pub plugins: PluginList,
    /// The settings as they stand.
    pub settings: Rc<Settings>,
    /// What it is about.
    pub subject: Box<Subject>,
}

impl<H: Host> Engine<H> {
    /// Who may refuse commands, with the settings as they stand.
    pub fn before_command_plugins(&self) -> (PluginList, Rc<Settings>) {
        (PluginList::clone(self.plugins.subscribers(EventType::BeforeCommand)), Rc::clone(self.settings.get()))
    }

    /// Who may refuse this command, if anybody. Access comes first: nobody else is asked about what is forbidden.
    pub fn before_command_of(
        &mut self,
        ctx: H::Context<'_>,
        table: &Table,
        command: &dyn TableCommand<H>,
        caller: &Caller<H>,
    ) -> Result<Option<BeforeCommand>, Error> {
        if self.plugins.subscribers(EventType::BeforeCommand).is_empty() {
            return Ok(None);
        }
        let (plugins, settings) = self.before_command_plugins();
        let keys = command.keys().resolve(self, table)?;
        self.check_all(ctx, caller, command.purpose(), table, &keys)?;
        let keys = keys
            .into_iter()
            .map(|one| SubjectKey { cache_key: one.cache_key.as_bytes().into(), prefix_len: one.prefix_len });
        let subject = Subject {
            source: self.sources.name(table.source).into(),
            table: table.id,
            table_name: Rc::clone(&table.name),
            keys: keys.collect(),
        };
        Ok(Some(BeforeCommand { plugins, settings, subject: Box::new(subject) }))
    }
}
