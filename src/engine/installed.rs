//! The installed engine: where commands find it, and where the server tells it of what happens.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::cache::info::Section;
use crate::cache::key_change::KeyChange;
use crate::cache::Error;
use crate::engine::records::hooks;
use crate::engine::requests::before_command;
use crate::engine::Engine;
use crate::server::blocked::ClientHandle;
use crate::server::module::Module;
use crate::server::{wakeup, Context};
use crate::settings::Shared;

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
    /// Keyspace changes that came while the engine was at work, such as an entry found expired by our own
    /// read: handled when it is done.
    static LATER: RefCell<VecDeque<(KeyChange, Vec<u8>)>> = const { RefCell::new(VecDeque::new()) };
}

/// Runs `work` with the engine, on the main thread. Must not be called from inside itself; without an engine
/// (before load and after unload) the result is the type's default.
pub fn with<T: Default>(work: impl FnOnce(&mut Engine) -> T) -> T {
    ENGINE.with_borrow_mut(|engine| {
        let Some(engine) = engine else { return T::default() };
        engine.refresh_settings();
        work(engine)
    })
}

/// Handles the keyspace changes that our own work caused, and tells of the clients that it has answered.
pub(crate) fn catch_up(engine: &mut Engine, ctx: Context<'_>) {
    engine.emit_answered(ctx);
    take_later(engine, ctx);
}

fn take_later(engine: &mut Engine, ctx: Context<'_>) {
    while let Some((change, key)) = LATER.with_borrow_mut(VecDeque::pop_front) {
        engine.key_changed(ctx, change, &key);
    }
}

/// The engine as the server knows it: there from [`start`](Module::start) to [`stop`](Module::stop).
#[derive(Debug)]
pub struct Installed;

impl Module for Installed {
    fn start(&self, settings: Arc<Shared>) -> Result<(), Error> {
        ENGINE.set(Some(Engine::start(settings, Arc::new(wakeup::wake))?));
        Ok(())
    }

    fn stop(&self) {
        if let Some(engine) = ENGINE.take() {
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

    /// While the engine is at work nobody can tell, and [`key_changed`](Self::key_changed) looks later.
    fn may_concern(&self, key: &[u8]) -> bool {
        ENGINE.with(|engine| match engine.try_borrow() {
            Ok(engine) => engine.as_ref().is_some_and(|engine| engine.concerns(key)),
            Err(_) => true,
        })
    }

    fn key_changed(&self, ctx: Context<'_>, change: KeyChange, key: &[u8]) {
        ENGINE.with(|engine| match engine.try_borrow_mut() {
            Ok(mut engine) => {
                if let Some(engine) = engine.as_mut() {
                    take_later(engine, ctx);
                    engine.key_changed(ctx, change, key);
                }
            }
            Err(_) => LATER.with_borrow_mut(|later| later.push_back((change, key.to_vec()))),
        });
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
        with(|engine| engine.records.announce_again());
    }

    fn client_gone(&self, client: ClientHandle) {
        with(|engine| engine.requests.waiters.forget(client));
    }

    fn info(&self) -> Vec<Section> {
        with(|engine| engine.report())
    }
}
