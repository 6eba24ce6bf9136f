//! The `log` crate's lines in the server's own log, from any thread.

use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use redis_module::raw::{self, RedisModuleCtx};

/// A context of our own that is no client's, made at every load: that of an earlier load is dangling.
static DETACHED: AtomicPtr<RedisModuleCtx> = AtomicPtr::new(ptr::null_mut());

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

/// Makes the server's log the target of the `log` crate. `detached` stays valid until the module is unloaded.
pub(super) fn start(detached: *mut RedisModuleCtx) {
    DETACHED.store(detached, Ordering::Release);
    // It fails when an earlier load set it: the code stays mapped, so that one still works.
    let _ = log::set_logger(&ServerLog);
    log::set_max_level(LevelFilter::Info);
}

/// Lets go of the context, which ends with the module. Background threads may still have something to say:
/// the server takes a line without a context too.
pub(super) fn stop() {
    DETACHED.store(ptr::null_mut(), Ordering::Release);
}

/// The context that belongs to no client: for log lines and for starting timers.
pub(super) fn detached() -> *mut RedisModuleCtx {
    DETACHED.load(Ordering::Acquire)
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
    // SAFETY: the format is ours and takes one C string; the server's log may be written from any thread.
    unsafe { log(detached(), level.as_ptr(), c"%s".as_ptr(), line.as_ptr()) }
}
