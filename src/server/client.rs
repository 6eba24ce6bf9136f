//! Clients, by the id that the server gave them.
//!
//! Not every client is connected: scripts and calls of modules have clients of their own. Where those are looked up by
//! their id, Redis and Valkey 8 find nobody; Valkey 9 finds them, and ends when it is asked for their address. So who is
//! connected is known from what the server tells of those who come and go.

use std::cell::RefCell;
use std::ffi::CStr;

use foldhash::{HashMap, HashMapExt};
use redis_module::raw::{self, RedisModuleClientInfo};

use super::context::Context;
use super::text::Text;

thread_local! {
    /// Those that have connected since the module was loaded and are not gone, with where from. The main thread's alone.
    static CONNECTED: RefCell<HashMap<u64, Box<str>>> = RefCell::new(HashMap::new());
}

/// Nobody is known to be connected: clients came and went while the module was not loaded.
pub(super) fn reset() {
    CONNECTED.with_borrow_mut(HashMap::clear);
}

/// The server's event: a client has come or gone.
pub(super) fn changed(subevent: u64, info: &RedisModuleClientInfo) {
    CONNECTED.with_borrow_mut(|connected| {
        if subevent == raw::REDISMODULE_SUBEVENT_CLIENT_CHANGE_CONNECTED {
            // SAFETY: the server has written a C string that fits its array.
            let address = unsafe { CStr::from_ptr(info.addr.as_ptr()) }.to_string_lossy();
            connected.insert(info.id, format!("{address}:{}", info.port).into());
        } else {
            connected.remove(&info.id);
        }
    });
}

/// Whether a client is known to be connected. Those that were before the module was loaded are not.
pub fn is_connected(id: u64) -> bool {
    CONNECTED.with_borrow(|connected| connected.contains_key(&id))
}

/// Where a client is connected from, `address:port`; `None` where that is not known: once it is gone, for scripts, calls of
/// modules and those that were connected before the module was loaded.
pub fn address(id: u64) -> Option<String> {
    CONNECTED.with_borrow(|connected| connected.get(&id).map(|address| address.as_ref().to_owned()))
}

/// As whom a client is logged in; `None` once it is gone.
pub fn user(ctx: Context<'_>, id: u64) -> Option<String> {
    // SAFETY: a valid context; the server looks the id up and returns null when no client has it.
    let name = unsafe { Text::from_raw(api!(RedisModule_GetClientUserNameById)(ctx.as_raw(), id)) };
    name.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
}
