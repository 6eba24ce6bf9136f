//! The installed engine: where the server tells it of what happens.

use std::sync::Arc;

use super::current::{with, Engine};
use super::{before_command, current, hooks};
use crate::cache::info::Section;
use crate::cache::key_change::KeyChange;
use crate::cache::slot_ranges::SlotRanges;
use crate::cache::Error;
use crate::server::blocked::ClientHandle;
use crate::server::module::Module;
use crate::server::{wakeup, Context};
use crate::settings::Shared;

/// The engine as the server knows it: there from [`start`](Module::start) to [`stop`](Module::stop).
#[derive(Debug)]
pub struct Installed;

impl Module for Installed {
    fn start(&self, settings: Arc<Shared>) -> Result<(), Error> {
        current::replace(Some(Engine::start(settings, Arc::new(wakeup::wake))?));
        Ok(())
    }

    fn stop(&self) {
        if let Some(engine) = current::replace(None) {
            engine.stop();
        }
    }

    fn shut_down(&self, ctx: Context<'_>) {
        hooks::shut_down(ctx);
        with(Engine::shut_down);
    }

    /// Drains the workers' messages, runs the `before_command` plugins of commands that can go on, and runs the hooks that are queued.
    fn wakeup(&self, ctx: Context<'_>) -> bool {
        let is_done = with(|engine| engine.drain_messages(ctx));
        before_command::of_waiting(ctx);
        hooks::run_due(ctx);
        is_done
    }

    fn cron(&self, ctx: Context<'_>) {
        with(|engine| engine.tick(ctx));
    }

    fn tick_ended(&self) {
        with(Engine::call_workers);
    }

    fn may_concern(&self, key: &[u8]) -> bool {
        current::may_concern(key)
    }

    fn key_changed(&self, ctx: Context<'_>, change: KeyChange, key: &[u8]) {
        current::key_changed(ctx, change, key);
    }

    fn flushed(&self) {
        with(Engine::keyspace_flushed);
    }

    fn swapped(&self, ctx: Context<'_>) {
        with(|engine| engine.keyspace_replaced(ctx));
    }

    fn loaded(&self, ctx: Context<'_>) {
        with(|engine| engine.keyspace_loaded(ctx));
    }

    fn role_changed(&self, ctx: Context<'_>) {
        with(|engine| engine.role_changed(ctx));
    }

    /// Told in the next tick, when the replica is in the server's list.
    fn replicas_changed(&self) {
        with(Engine::announce_records_again);
    }

    fn slot_import_started(&self, slots: &SlotRanges) {
        with(|engine| engine.slot_import_started(slots));
    }

    fn slot_import_ended(&self, ctx: Context<'_>, slots: &SlotRanges) {
        with(|engine| engine.slot_import_ended(ctx, slots));
    }

    fn client_gone(&self, client: ClientHandle) {
        with(|engine| engine.client_gone(client));
    }

    fn info(&self) -> Vec<Section> {
        with(|engine| engine.report())
    }
}
