//! The largest block of memory that is asked for: no length that a stranger claims may become memory.

use std::os::raw::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Once;

use redis_module::raw;

/// No input makes a block that is larger: inputs have a few kilobytes.
const LARGEST: usize = 4 << 20;

static ASKED: AtomicUsize = AtomicUsize::new(0);
static INSTALLED: Once = Once::new();

/// Runs `step`.
///
/// # Panics
/// A larger block was asked for meanwhile, on whatever thread.
pub fn check(step: impl FnOnce()) {
    INSTALLED.call_once(install);
    ASKED.store(0, Ordering::Relaxed);
    step();
    let asked = ASKED.load(Ordering::Relaxed);
    assert!(asked <= LARGEST, "{asked} bytes of memory were asked for at once");
}

/// Hands the module an allocator, as a server does. It is the one that has been in use so far, and only counts.
fn install() {
    // SAFETY: a word is written that is read by the module's allocator alone; blocks of before are the same allocator's.
    unsafe {
        raw::RedisModule_Free = Some(free);
        raw::RedisModule_Realloc = Some(realloc);
        raw::RedisModule_Calloc = Some(calloc);
        raw::RedisModule_Alloc = Some(alloc);
    }
}

fn note(size: usize) {
    ASKED.fetch_max(size, Ordering::Relaxed);
}

unsafe extern "C" fn alloc(size: usize) -> *mut c_void {
    note(size);
    // SAFETY: it takes any size.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    note(count.saturating_mul(size));
    // SAFETY: it takes any size.
    unsafe { libc::calloc(count, size) }
}

unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    note(size);
    // SAFETY: the caller vouches for the block.
    unsafe { libc::realloc(block, size) }
}

unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: the caller vouches for the block.
    unsafe { libc::free(block) }
}
