//! Walking through the keys of database 0, a few at a time.

use std::os::raw::c_void;

use redis_module::raw::{RedisModuleCtx, RedisModuleKey, RedisModuleScanCursor, RedisModuleString};

use super::context::Context;
use super::guard::guard;
use super::keyspace::Selected;
use super::text::bytes_of;

/// Where a walk is. Keys that are there from beginning to end are seen at least once.
#[derive(Debug)]
pub struct Cursor {
    raw: *mut RedisModuleScanCursor,
}

type Visitor<'v> = &'v mut dyn FnMut(&[u8], usize);

/// How many keys there are.
pub fn key_count(ctx: Context<'_>) -> u64 {
    let _selected = Selected::new(ctx);
    // SAFETY: a valid context.
    unsafe { api!(RedisModule_DbSize)(ctx.as_raw()) }
}

impl Cursor {
    /// At the beginning.
    pub fn new() -> Self {
        // SAFETY: takes nothing.
        Self { raw: unsafe { api!(RedisModule_ScanCursorCreate)() } }
    }

    /// Shows the next few keys to `visit`, each with the bytes of its value if that is a string, else with how many members it has.
    /// `visit` must not change any. Returns whether there are more.
    pub fn step(&mut self, ctx: Context<'_>, mut visit: impl FnMut(&[u8], usize)) -> bool {
        let _selected = Selected::new(ctx);
        let mut visitor: Visitor<'_> = &mut visit;
        // SAFETY: a valid context and cursor; the visitor outlives the call, within which alone it is used.
        let more = unsafe {
            api!(RedisModule_Scan)(ctx.as_raw(), self.raw, Some(on_key), std::ptr::from_mut(&mut visitor).cast())
        };
        more != 0
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { api!(RedisModule_ScanCursorDestroy)(self.raw) };
    }
}

unsafe extern "C" fn on_key(
    _: *mut RedisModuleCtx,
    key: *mut RedisModuleString,
    open: *mut RedisModuleKey,
    visitor: *mut c_void,
) {
    guard("a walk through the keys", || {
        // SAFETY: the pointer that `step` passed, and a live string for the time of this call.
        let (visitor, key) = unsafe { (visitor.cast::<Visitor<'_>>().as_mut(), bytes_of(key)) };
        // SAFETY: an open key for the time of this call; a null pointer has no bytes.
        let len = unsafe { api!(RedisModule_ValueLength)(open) };
        if let Some(visit) = visitor {
            visit(key, len);
        }
    });
}
