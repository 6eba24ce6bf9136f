//! The module's sections of INFO.

use std::ffi::CString;
use std::os::raw::c_int;

use redis_module::raw::{self, RedisModuleInfoCtx};

use super::context::Context;
use super::module::tell;
use crate::cache::info::{Field, Section};

/// Asks the server to call us for INFO.
pub(super) fn register(ctx: Context<'_>) -> bool {
    // SAFETY: a valid context during load.
    unsafe { api!(RedisModule_RegisterInfoFunc)(ctx.as_raw(), Some(on_info)) == raw::REDISMODULE_OK as c_int }
}

unsafe extern "C" fn on_info(ctx: *mut RedisModuleInfoCtx, for_crash_report: c_int) {
    // A crash may have happened inside our own state: not a time to look at it.
    if for_crash_report == 0 {
        tell("INFO", |module| module.info().iter().for_each(|section| add_section(ctx, section)));
    }
}

fn add_section(ctx: *mut RedisModuleInfoCtx, section: &Section) {
    let name = c_string(section.name);
    // SAFETY: a valid context for the time of this call and a C string.
    let is_asked_for = unsafe { api!(RedisModule_InfoAddSection)(ctx, name.as_ptr()) };
    if is_asked_for == raw::REDISMODULE_OK as c_int {
        section.fields.iter().for_each(|(name, field)| add_field(ctx, name, field));
    }
}

fn add_field(ctx: *mut RedisModuleInfoCtx, name: &str, field: &Field) {
    let name = c_string(name);
    match field {
        Field::Number(value) => {
            // SAFETY: a valid context and a C string.
            unsafe { api!(RedisModule_InfoAddFieldULongLong)(ctx, name.as_ptr(), *value) };
        }
        Field::Text(value) => {
            let value = c_string(value);
            // SAFETY: a valid context and two C strings, which the server copies.
            unsafe { api!(RedisModule_InfoAddFieldCString)(ctx, name.as_ptr(), value.as_ptr()) };
        }
        Field::Dict(fields) => {
            // SAFETY: a valid context and a C string.
            unsafe { api!(RedisModule_InfoBeginDictField)(ctx, name.as_ptr()) };
            fields.iter().for_each(|(name, field)| add_field(ctx, name, field));
            // SAFETY: a valid context in which a dict was begun.
            unsafe { api!(RedisModule_InfoEndDictField)(ctx) };
        }
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
