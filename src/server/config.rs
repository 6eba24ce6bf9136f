//! The settings as the server's own configuration: `CONFIG GET` and `CONFIG SET pgcache.*`.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_longlong, c_void};
use std::ptr;
use std::sync::Arc;

use redis_module::raw::{self, RedisModuleString};

use super::config_file;
use super::context::Context;
use super::guard::guard;
use super::text::{bytes_of, Text};
use crate::settings::{ConfigName, Definition, Shared, ValueKind};

thread_local! {
    /// The settings that CONFIG reads and writes, on the main thread.
    static SHARED: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
    /// The text that the last CONFIG GET of a string returned: the server reads it after we have returned.
    static SHOWN: RefCell<Option<Text>> = const { RefCell::new(None) };
}

/// Registers every setting that may be shown, and takes over what the server's configuration says.
pub(super) fn register(ctx: Context<'_>, shared: &Arc<Shared>) -> Result<(), String> {
    SHARED.set(Some(Arc::clone(shared)));
    let settings = shared.get();
    let names = settings.config_names(&config_file::names(ctx)).map_err(|error| error.to_string())?;
    for ConfigName { name, definition } in names {
        if !register_one(ctx, &name, definition, &settings.show(&name)) {
            return Err(format!("the server refused the setting {name}"));
        }
    }
    // SAFETY: a valid context during load.
    let status = unsafe { api!(RedisModule_LoadConfigs)(ctx.as_raw()) };
    if status == raw::REDISMODULE_OK as c_int {
        Ok(())
    } else {
        Err("a pgcache.* line of the configuration is not valid".into())
    }
}

fn register_one(ctx: Context<'_>, name: &str, definition: &Definition, value: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    let Ok(text) = CString::new(value) else { return false };
    let flags = flags_of(definition);
    // SAFETY: a valid context during load, C strings that the server copies, callbacks that live for ever.
    let status = unsafe {
        match definition.kind {
            ValueKind::Integer { min, max } => api!(RedisModule_RegisterNumericConfig)(
                ctx.as_raw(),
                name.as_ptr(),
                value.parse().unwrap_or(min),
                flags,
                min,
                max,
                Some(get_number),
                Some(set_number),
                None,
                ptr::null_mut(),
            ),
            _ => api!(RedisModule_RegisterStringConfig)(
                ctx.as_raw(),
                name.as_ptr(),
                text.as_ptr(),
                flags,
                Some(get_text),
                Some(set_text),
                None,
                ptr::null_mut(),
            ),
        }
    };
    status == raw::REDISMODULE_OK as c_int
}

/// A password is registered only to be refused, in words of ours: about what it does not know the server ends, and Redis 8 logs it
/// with its value.
fn flags_of(definition: &Definition) -> u32 {
    match (definition.is_secret(), definition.runtime) {
        (true, _) => {
            raw::REDISMODULE_CONFIG_IMMUTABLE | raw::REDISMODULE_CONFIG_SENSITIVE | raw::REDISMODULE_CONFIG_HIDDEN
        }
        (false, true) => raw::REDISMODULE_CONFIG_DEFAULT,
        (false, false) => raw::REDISMODULE_CONFIG_IMMUTABLE,
    }
}

/// The setting's name without the module's.
fn name_of(name: *const c_char) -> String {
    // SAFETY: the server passes the name that we registered.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    name.rsplit('.').next().unwrap_or_default().to_owned()
}

fn shown(name: *const c_char) -> String {
    SHARED.with_borrow(|shared| shared.as_ref().map(|shared| shared.get().show(&name_of(name))).unwrap_or_default())
}

fn set(name: *const c_char, value: &str, error: *mut *mut RedisModuleString) -> c_int {
    let result = guard("CONFIG SET", || {
        SHARED.with_borrow(|shared| match shared {
            Some(shared) => shared.set(&name_of(name), value).map_err(|error| error.to_string()),
            None => Err("the module is not loaded".into()),
        })
    });
    match result.unwrap_or_else(|| Err("internal error, see the server's log".into())) {
        Ok(()) => raw::REDISMODULE_OK as c_int,
        Err(reason) => {
            if !error.is_null() {
                // SAFETY: the server takes over the string.
                unsafe { *error = Text::new(reason.as_bytes()).into_raw() };
            }
            raw::REDISMODULE_ERR as c_int
        }
    }
}

unsafe extern "C" fn get_number(name: *const c_char, _: *mut c_void) -> c_longlong {
    guard("CONFIG GET", || shown(name).parse().unwrap_or_default()).unwrap_or_default()
}

unsafe extern "C" fn set_number(
    name: *const c_char,
    value: c_longlong,
    _: *mut c_void,
    error: *mut *mut RedisModuleString,
) -> c_int {
    set(name, &value.to_string(), error)
}

unsafe extern "C" fn get_text(name: *const c_char, _: *mut c_void) -> *mut RedisModuleString {
    let text = guard("CONFIG GET", || shown(name)).unwrap_or_default();
    let text = Text::new(text.as_bytes());
    let raw = text.as_raw();
    SHOWN.set(Some(text));
    raw
}

unsafe extern "C" fn set_text(
    name: *const c_char,
    value: *mut RedisModuleString,
    _: *mut c_void,
    error: *mut *mut RedisModuleString,
) -> c_int {
    // SAFETY: the server passes a live string.
    let value = String::from_utf8_lossy(unsafe { bytes_of(value) }).into_owned();
    // CONFIG GET hands it out again: what is no plain text never gets in.
    if value.chars().any(char::is_control) || value.contains('\u{fffd}') {
        return set(name, "\0", error);
    }
    set(name, &value, error)
}
