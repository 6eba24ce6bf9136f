//! The `log` crate's lines in the server's own log, from any thread.

use std::ffi::CString;
use std::ptr;

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::RwLock;
use redis_module::raw::{self, RedisModuleCtx};

/// A context of our own that is no client's, from a load to the unload. Whoever writes a line with it keeps it from being freed.
static DETACHED: RwLock<Detached> = RwLock::new(Detached(ptr::null_mut()));

struct Detached(*mut RedisModuleCtx);

// SAFETY: a detached context may be used for log lines from any thread, and for the rest on the main thread only.
unsafe impl Send for Detached {}
// SAFETY: as above.
unsafe impl Sync for Detached {}

struct ServerLog;

impl Log for ServerLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // rustls, tokio-postgres and r2d2 log too; what matters of theirs reaches us as an error.
        metadata.target().starts_with("pgcache") && metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            write(record.level(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Makes the server's log the target of the `log` crate.
///
/// # Safety
/// `detached` is a detached context of this module, which is given away.
pub(super) unsafe fn start(detached: *mut RedisModuleCtx) {
    DETACHED.write().0 = detached;
    // It fails when an earlier load set it: the code stays mapped, so that one still works.
    let _ = log::set_logger(&ServerLog);
    log::set_max_level(LevelFilter::Info);
}

/// Frees the context: the module ends. Background threads may still have something to say:
/// the server takes a line without a context too.
pub(super) fn stop() {
    let detached = std::mem::replace(&mut DETACHED.write().0, ptr::null_mut());
    if !detached.is_null() {
        // SAFETY: it was given to us, and nobody uses it any more.
        unsafe { api!(RedisModule_FreeThreadSafeContext)(detached) };
    }
}

fn write(level: Level, line: &str) {
    let level = match level {
        Level::Error | Level::Warn => c"warning",
        Level::Info => c"notice",
        Level::Debug | Level::Trace => c"debug",
    };
    // SAFETY: read of a pointer that is set once at load.
    let Some(log) = (unsafe { raw::RedisModule_Log }) else { return };
    let line: Vec<u8> = line.bytes().map(|byte| if byte < b' ' { b' ' } else { byte }).collect();
    let Ok(line) = CString::new(line) else { return };
    let detached = DETACHED.read();
    // SAFETY: the format is ours and takes one C string; the server's log may be written from any thread.
    unsafe { log(detached.0, level.as_ptr(), c"%s".as_ptr(), line.as_ptr()) }
}
