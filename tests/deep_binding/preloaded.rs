//! Preloaded into a server, it has modules of ours loaded with `RTLD_DEEPBIND`, as Valkey 9 loads all. Compiled by the test.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::mem::transmute;

const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;
const RTLD_DEEPBIND: c_int = 8;

type Dlopen = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;

extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The C library's own, with one more flag for modules.
///
/// # Safety
/// As that of the C library.
#[no_mangle]
pub unsafe extern "C" fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void {
    // SAFETY: the next function of this name is the C library's, which is always there.
    let next: Dlopen = unsafe { transmute(dlsym(RTLD_NEXT, c"dlopen".as_ptr())) };
    // SAFETY: the caller passes a C string or null.
    let is_module = !path.is_null() && unsafe { CStr::from_ptr(path) }.to_bytes().ends_with(b"libpgcache.so");
    // SAFETY: as the caller promises.
    unsafe { next(path, if is_module { flags | RTLD_DEEPBIND } else { flags }) }
}
