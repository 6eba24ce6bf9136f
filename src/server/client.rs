//! Clients, by the id that the server gave them.

use std::ffi::CStr;
use std::mem::zeroed;
use std::os::raw::c_int;

use redis_module::raw::{self, RedisModuleClientInfo};

use super::context::Context;
use super::text::Text;

/// Where a client is connected from, `address:port`; `None` once it is gone, and for scripts.
pub fn address(_: Context<'_>, id: u64) -> Option<String> {
    // SAFETY: all-zero is a valid value of this C structure of numbers.
    let mut info: RedisModuleClientInfo = unsafe { zeroed() };
    info.version = u64::from(raw::REDISMODULE_CLIENTINFO_VERSION);
    // SAFETY: a live structure of the version that it says; the context shows that this is the main thread.
    let status = unsafe { api!(RedisModule_GetClientInfoById)((&raw mut info).cast(), id) };
    if status != raw::REDISMODULE_OK as c_int {
        return None;
    }
    // SAFETY: the server has written a C string that fits its array.
    let address = unsafe { CStr::from_ptr(info.addr.as_ptr()) }.to_string_lossy();
    (!address.is_empty()).then(|| format!("{address}:{}", info.port))
}

/// As whom a client is logged in; `None` once it is gone.
pub fn user(ctx: Context<'_>, id: u64) -> Option<String> {
    // SAFETY: a valid context; the server looks the id up and returns null when no client has it.
    let name = unsafe { Text::from_raw(api!(RedisModule_GetClientUserNameById)(ctx.as_raw(), id)) };
    name.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
}
