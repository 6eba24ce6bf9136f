//! Hooks at work: where they are saved, and when they are run.

use std::time::Duration;

use crate::engine::records::name::RecordName;
use crate::engine::{Engine, Store};
use crate::plugins::hooks::record;
use crate::server::{wakeup, Context};

/// How long hooks are run before other clients have their turn.
const SLICE: Duration = Duration::from_millis(1);

/// Runs the hooks that are due, in slices. The engine must be free: they may use it.
pub fn run_due(ctx: Context<'_>) {
    let hooks = crate::engine::with(|engine| Some(engine.plugins.hooks.clone()));
    if hooks.is_some_and(|hooks| !hooks.run_due(ctx, SLICE)) {
        wakeup::wake();
    }
}

/// Tells the plugins that the module comes to its end, and runs what that makes due.
pub fn shut_down(ctx: Context<'_>) {
    let hooks = crate::engine::with(|engine| {
        engine.restore_records(ctx);
        engine.plugins.stopped(engine.event_context(ctx));
        Some(engine.plugins.hooks.clone())
    });
    if let Some(hooks) = hooks {
        hooks.run_due(ctx, Duration::from_secs(1));
    }
}

impl Engine {
    /// The hooks were changed by a command.
    pub fn hooks_changed(&mut self, ctx: Context<'_>) {
        self.arrange_plugins();
        self.save_hooks(ctx);
    }

    /// Reads the record once, and has hooks run that waited for the end of a pause.
    pub fn keep_hooks(&mut self, ctx: Context<'_>) {
        if ctx.flags().is_loading() {
            return;
        }
        if !self.records.get(RecordName::Hooks).is_read() {
            self.read_hooks(ctx);
            self.plugins.started(self.event_context(ctx));
        }
        if self.plugins.hooks.due() > 0 {
            wakeup::wake();
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
