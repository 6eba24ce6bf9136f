//! The module's section of INFO.

use std::ffi::CString;
use std::os::raw::c_int;

use redis_module::raw::{self, RedisModuleInfoCtx};

use super::context::Context;
use super::guard::guard;

/// Asks the server to call us for INFO.
pub(super) fn register(ctx: Context<'_>) -> bool {
    // SAFETY: a valid context during load.
    unsafe { api!(RedisModule_RegisterInfoFunc)(ctx.as_raw(), Some(on_info)) == raw::REDISMODULE_OK as c_int }
}

unsafe extern "C" fn on_info(ctx: *mut RedisModuleInfoCtx, for_crash_report: c_int) {
    // A crash may have happened inside our own state: not a time to look at it.
    if for_crash_report == 0 {
        guard("INFO", || {
            let figures = crate::engine::with(|engine| engine.figures());
            // SAFETY: a valid context for the time of this call and a C string.
            if unsafe { api!(RedisModule_InfoAddSection)(ctx, c"stats".as_ptr()) }
                != raw::REDISMODULE_OK as c_int
            {
                return;
            }
            for (name, value) in figures {
                let name = CString::new(name).unwrap_or_default();
                // SAFETY: a valid context and a C string.
                unsafe { api!(RedisModule_InfoAddFieldULongLong)(ctx, name.as_ptr(), value) };
            }
        });
    }
}
