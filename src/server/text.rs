//! A string of the server's, owned.

use std::ptr::{self, NonNull};
use std::slice;

use redis_module::raw::RedisModuleString;

/// A reference to a server string, released on drop. Its count is not atomic: it stays on the main thread,
/// which the raw pointer (not `Send`) sees to.
#[derive(Debug)]
pub struct Text {
    raw: NonNull<RedisModuleString>,
}

impl Text {
    /// A new server string with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        // SAFETY: pointer and length are those of a live slice; no context means no automatic release.
        let raw = unsafe { api!(RedisModule_CreateString)(ptr::null_mut(), bytes.as_ptr().cast(), bytes.len()) };
        Self { raw: NonNull::new(raw).expect("the server's allocator never returns null") }
    }

    /// Takes over a reference that the server handed out; `None` for a null pointer.
    ///
    /// # Safety
    /// `raw` is null or a reference that the caller may give away.
    pub(super) unsafe fn from_raw(raw: *mut RedisModuleString) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw })
    }

    /// The pointer, for calls that only borrow it.
    pub(super) fn as_raw(&self) -> *mut RedisModuleString {
        self.raw.as_ptr()
    }

    /// Gives the reference to the server.
    pub(super) fn into_raw(self) -> *mut RedisModuleString {
        let raw = self.as_raw();
        std::mem::forget(self);
        raw
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the string lives at least as long as this reference to it.
        unsafe { bytes_of(self.as_raw()) }
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        Self::new(self.as_bytes())
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // SAFETY: this reference is ours to release, once.
        unsafe { api!(RedisModule_FreeString)(ptr::null_mut(), self.as_raw()) }
    }
}

/// The bytes of a server string.
///
/// # Safety
/// `raw` is a live server string that is not changed for as long as `'a`.
pub(super) unsafe fn bytes_of<'a>(raw: *const RedisModuleString) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: the caller vouches for `raw`; the server returns a pointer to `len` bytes.
    unsafe {
        let start = api!(RedisModule_StringPtrLen)(raw, &mut len);
        slice::from_raw_parts(start.cast(), len)
    }
}
