//! The cache at work, on the server's main thread, which owns the truth: tables, flights, waiters. No locks.
//!
//! Workers bring rows and notices as messages; [`Engine::take_mail`] applies them in the order they came.

pub mod access;
pub mod announcements;
pub mod ask;
pub mod caller;
pub mod counters;
pub mod doubts;
pub mod drops;
pub mod entries;
pub mod epochs;
pub mod events;
pub mod freshness;
pub mod gather;
pub mod hooks;
pub mod landing;
pub mod listening;
pub mod lookup;
pub mod loose;
pub mod mutations;
pub mod notices;
pub mod on_table;
mod overtaken;
pub mod overview;
pub mod parked;
pub mod queries;
pub mod record;
pub mod refresh;
pub mod report;
pub mod resolve;
pub mod rows;
pub mod signing;
pub mod sources;
pub mod standing;
pub mod state;
pub mod suspect;
pub mod sweep;
pub mod tables;
pub mod ticket;
pub mod veto;
pub mod watches;

use std::cell::RefCell;
use std::collections::VecDeque;

pub use state::Engine;

use crate::server::context::Context;
use crate::server::notifications::Change;

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
    /// Keyspace changes that came while the engine was at work, such as an entry found expired by our own
    /// read: handled when it is done.
    static LATER: RefCell<VecDeque<(Change, Vec<u8>)>> = const { RefCell::new(VecDeque::new()) };
}

/// Puts the engine in its place. From now on commands and events find it.
pub fn install(engine: Engine) {
    ENGINE.set(Some(engine));
}

/// Takes the engine out and ends its threads.
pub fn uninstall() {
    if let Some(engine) = ENGINE.take() {
        engine.stop();
    }
}

/// Runs `work` with the engine, on the main thread. Must not be called from inside itself; without an engine
/// (before load and after unload) the result is the type's default.
pub fn with<T: Default>(work: impl FnOnce(&mut Engine) -> T) -> T {
    ENGINE.with_borrow_mut(|engine| {
        let Some(engine) = engine else { return T::default() };
        engine.follow_settings();
        work(engine)
    })
}

/// Whether a change of `key` may be about the cache. Every write of every application is asked about; while the engine is at
/// work nobody can tell, and [`keyspace_changed`] looks later.
pub fn may_concern(key: &[u8]) -> bool {
    ENGINE.with(|engine| match engine.try_borrow() {
        Ok(engine) => engine.as_ref().is_some_and(|engine| engine.concerns(key)),
        Err(_) => true,
    })
}

/// Somebody else's command, expiry or eviction changed `key` of database 0.
pub fn keyspace_changed(ctx: Context<'_>, change: Change, key: &[u8]) {
    ENGINE.with(|engine| match engine.try_borrow_mut() {
        Ok(mut engine) => {
            if let Some(engine) = engine.as_mut() {
                while let Some((change, key)) = LATER.with_borrow_mut(VecDeque::pop_front) {
                    engine.key_changed(ctx, change, &key);
                }
                engine.key_changed(ctx, change, key);
            }
        }
        Err(_) => LATER.with_borrow_mut(|later| later.push_back((change, key.to_vec()))),
    });
}

/// A turn of the main thread, rung for by the bell: takes the workers' mail, asks those who may refuse what it brought,
/// and runs the hooks that are due. Returns whether all is done.
pub fn turn(ctx: Context<'_>) -> bool {
    let is_done = with(|engine| engine.take_mail(ctx));
    veto::of_waiting(ctx);
    hooks::run_due(ctx);
    is_done
}

/// Handles the keyspace changes that our own work caused, and tells of the clients that it has answered.
pub(crate) fn catch_up(engine: &mut Engine, ctx: Context<'_>) {
    engine.tell_answered(ctx);
    while let Some((change, key)) = LATER.with_borrow_mut(VecDeque::pop_front) {
        engine.key_changed(ctx, change, &key);
    }
}
