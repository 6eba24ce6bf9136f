//! The engine at work: where commands and callbacks find it.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::host::Server;
use crate::cache::key_change::KeyChange;
use crate::engine;
use crate::server::{wakeup, Context};

/// The engine of this server.
pub type Engine = engine::Engine<Server>;

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
        let result = work(engine);
        wake_for_near_caches(engine);
        result
    })
}

/// Near caches are told at the next wake-up, which comes in the next turn of the event loop.
fn wake_for_near_caches(engine: &Engine) {
    if engine.has_near_messages() {
        wakeup::wake();
    }
}

/// A change that came while the engine was at work.
pub fn take_key_change() -> Option<(KeyChange, Vec<u8>)> {
    LATER.with_borrow_mut(VecDeque::pop_front)
}

/// Puts the engine in its place, or takes it out.
pub fn replace(engine: Option<Engine>) -> Option<Engine> {
    ENGINE.replace(engine)
}

/// Whether a change of `key` may matter. While the engine is at work nobody can tell, and [`key_changed`] looks later.
pub fn may_concern(key: &[u8]) -> bool {
    ENGINE.with(|engine| match engine.try_borrow() {
        Ok(engine) => engine.as_ref().is_some_and(|engine| engine.concerns(key)),
        Err(_) => true,
    })
}

/// Tells the engine of a change, now or when it has done its work.
pub fn key_changed(ctx: Context<'_>, change: KeyChange, key: &[u8]) {
    ENGINE.with(|engine| match engine.try_borrow_mut() {
        Ok(mut engine) => {
            if let Some(engine) = engine.as_mut() {
                engine.take_key_changes(ctx);
                engine.key_changed(ctx, change, key);
                wake_for_near_caches(engine);
            }
        }
        Err(_) => LATER.with_borrow_mut(|later| later.push_back((change, key.to_vec()))),
    });
}
