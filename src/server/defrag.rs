//! Defragmentation: the module has nothing to defragment, and no server need be told so.

use std::convert::Infallible;
use std::os::raw::c_int;

use redis_module::raw;

/// Stands among the module's data types, which the crate makes before it registers for defragmentation. Where the server has no
/// such call (Redis before 8, Valkey), the crate would log a warning at each start.
#[derive(Debug)]
pub struct NoDefrag;

impl NoDefrag {
    /// Makes no data type.
    ///
    /// # Errors
    /// None.
    pub fn create_data_type(&self, _: *mut raw::RedisModuleCtx) -> Result<(), Infallible> {
        // SAFETY: called once at each load, on the server's main thread and before any thread of ours.
        unsafe {
            let known = raw::RedisModule_RegisterDefragCallbacks;
            raw::RedisModule_RegisterDefragCallbacks = known.or(Some(register_nothing));
        }
        Ok(())
    }
}

unsafe extern "C" fn register_nothing(
    _: *mut raw::RedisModuleCtx,
    _: raw::RedisModuleDefragFunc,
    _: raw::RedisModuleDefragFunc,
) -> c_int {
    raw::REDISMODULE_OK as c_int
}
