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
    /// Those that have connected since the module was loaded and are not gone, with where from, which may be empty. The main
    /// thread's alone.
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
            connected.insert(info.id, address_in(info).into());
        } else {
            connected.remove(&info.id);
        }
    });
}

fn address_in(info: &RedisModuleClientInfo) -> String {
    let bytes = info.addr.map(|byte| byte as u8);
    match CStr::from_bytes_until_nul(&bytes) {
        Ok(address) if !address.is_empty() => format!("{}:{}", address.to_string_lossy(), info.port),
        _ => String::new(),
    }
}

/// Whether a client is known to be connected. Those that were before the module was loaded are not.
pub fn is_connected(id: u64) -> bool {
    CONNECTED.with_borrow(|connected| connected.contains_key(&id))
}

/// Where a client is connected from, `address:port`; `None` where that is not known: once it is gone, for scripts, calls of
/// modules and those that were connected before the module was loaded.
pub fn address(id: u64) -> Option<String> {
    CONNECTED.with_borrow(|connected| {
        let address = connected.get(&id).filter(|address| !address.is_empty())?;
        Some(address.to_string())
    })
}

/// As whom a client is logged in; `None` once it is gone.
pub fn user(ctx: Context<'_>, id: u64) -> Option<String> {
    // SAFETY: a valid context; the server looks the id up and returns null when no client has it.
    let name = unsafe { Text::from_raw(api!(RedisModule_GetClientUserNameById)(ctx.as_raw(), id)) };
    name.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::mem::zeroed;

    use super::*;

    fn info(id: u64, address: &[u8]) -> RedisModuleClientInfo {
        // SAFETY: all-zero is a valid value of this C structure of numbers.
        let mut info: RedisModuleClientInfo = unsafe { zeroed() };
        (info.id, info.port) = (id, 6379);
        info.addr.iter_mut().zip(address).for_each(|(place, byte)| *place = *byte as _);
        info
    }

    #[test]
    fn who_has_come_is_connected_until_he_goes() {
        let connects = raw::REDISMODULE_SUBEVENT_CLIENT_CHANGE_CONNECTED;
        changed(connects, &info(7, b"10.0.0.1"));
        changed(connects, &info(8, b""));
        assert_eq!((is_connected(7), address(7).as_deref()), (true, Some("10.0.0.1:6379")));
        assert_eq!((is_connected(8), address(8)), (true, None));
        assert_eq!((is_connected(9), address(9)), (false, None));
        changed(raw::REDISMODULE_SUBEVENT_CLIENT_CHANGE_DISCONNECTED, &info(7, b"10.0.0.1"));
        assert_eq!((is_connected(7), address(7)), (false, None));
        reset();
        assert!(!is_connected(8));
    }
}
