//! What a master tells its replicas besides what it writes.

use super::context::Context;

/// Sends replicas `PGCACHE.ANNOUNCE record said`. The append-only file does not get it: what it says is of this moment.
pub fn announce(ctx: Context<'_>, record: &str, said: &str) {
    let (Ok(record), Ok(said)) = (std::ffi::CString::new(record), std::ffi::CString::new(said)) else {
        return;
    };
    let replicate = api!(RedisModule_Replicate);
    // SAFETY: a valid context; `A` leaves the append-only file out, `cc` announces two C strings, which live for this call.
    unsafe { replicate(ctx.as_raw(), c"PGCACHE.ANNOUNCE".as_ptr(), c"Acc".as_ptr(), record.as_ptr(), said.as_ptr()) };
}
