//! Hooks at work: where they are saved, and when they are run.

use std::time::Duration;

use crate::plugins::hooks::record;
use crate::server::context::Context;
use crate::server::wakeup;

use crate::engine::state::Engine;
use crate::engine::store::Store;

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
    /// Writes the records that somebody else has changed: with MODULE UNLOAD this is the last time.
    fn restore_records(&mut self, ctx: Context<'_>) {
        if self.hook_record.is_due() {
            self.save_hooks(ctx);
        }
        self.restore_definitions(ctx);
    }

    /// The hooks were changed by a command.
    pub fn hooks_changed(&mut self, ctx: Context<'_>) {
        self.arrange_plugins();
        self.save_hooks(ctx);
    }

    /// Reads the record once, and writes it when it is due.
    pub fn keep_hooks(&mut self, ctx: Context<'_>) {
        if ctx.flags().is_loading() {
            return;
        }
        if !self.hook_record.is_read() {
            self.read_hooks(ctx);
            self.plugins.started(self.event_context(ctx));
        }
        if self.hook_record.is_due() {
            self.save_hooks(ctx);
        }
        // Those that waited for the end of a pause.
        if self.plugins.hooks.due() > 0 {
            wakeup::wake();
        }
    }

    /// Somebody else has changed a key. On a replica that may have been what its master has announced; on a master nobody
    /// else writes it.
    pub fn hook_key_changed(&mut self, store: impl Store, key: &[u8]) {
        if key != self.hook_key() {
            return;
        }
        if store.is_replica() {
            if self.hook_record.is_vouched() {
                self.read_hooks(store);
            }
        } else {
            self.hook_record.touched(store, &store.key(key));
        }
    }

    /// Where the record stands.
    pub fn hook_key(&self) -> Vec<u8> {
        format!("{}@hooks", self.settings.get().cache_prefix).into_bytes()
    }

    /// Takes over what the record says, if it is to be believed.
    pub fn read_hooks(&mut self, store: impl Store) {
        let key = store.key(&self.hook_key());
        if let Some(definitions) = self.hook_record.read(store, &key, &mut self.signing, record::read) {
            self.plugins.hooks.registry_mut().replace(definitions);
            self.arrange_plugins();
        }
    }

    /// The record of no hooks is no record. That there is none replicas are told at once: later nobody would know that there was something.
    fn save_hooks(&mut self, store: impl Store) {
        let key = store.key(&self.hook_key());
        let record = {
            let registry = self.plugins.hooks.registry();
            (!registry.is_empty()).then(|| record::write(&registry.all()))
        };
        self.hook_record.save(store, &key, &mut self.signing, record.as_deref());
        if record.is_none() {
            self.announce_news(store);
        }
    }
}
