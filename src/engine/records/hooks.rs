//! The record of the hooks.

use crate::engine::host::{Callback, Host};
use crate::engine::records::name::RecordName;
use crate::engine::{Engine, Store};
use crate::plugins::hooks::record;

impl<H: Host> Engine<H> {
    /// The hooks were changed by a command.
    pub fn hooks_changed(&mut self, ctx: H::Context<'_>) {
        self.arrange_plugins();
        self.save_hooks(ctx);
    }

    /// Reads the record once, and has hooks run that waited for the end of a pause.
    pub fn keep_hooks(&mut self, ctx: H::Context<'_>) {
        if ctx.is_loading() {
            return;
        }
        if !self.records.get(RecordName::Hooks).is_read() {
            self.read_hooks(ctx);
            ctx.emit_started(&self.plugins, self.settings.get());
        }
        if self.plugins.hooks.due() > 0 {
            ctx.wake();
        }
    }

    /// Takes over what the record says, if it is to be believed.
    pub fn read_hooks(&mut self, store: impl Store) {
        if let Some(definitions) = self.read_record(store, RecordName::Hooks, record::read) {
            self.plugins.hooks.registry_mut().replace(definitions);
            self.arrange_plugins();
        }
    }

    /// Writes the record of the hooks. That of no hooks is no record.
    pub(super) fn save_hooks(&mut self, store: impl Store) {
        let record = {
            let registry = self.plugins.hooks.registry();
            (!registry.is_empty()).then(|| record::write(&registry.all()))
        };
        self.save_record(store, RecordName::Hooks, record.as_deref());
    }
}
