//! The environment of the server's process.

use std::ffi::{c_char, CStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

/// All variables as they stand, each a name and a value, in no order. To be called while nobody changes them: at load.
///
/// `std::env::vars_os` will not do. It reads the symbol `environ`, of which the server's program as a rule has a copy of its
/// own; but Valkey 9 and later load modules with `RTLD_DEEPBIND`, so that this library would see that of the C library,
/// which nobody has set. So the program itself is asked for its own.
pub fn variables() -> Vec<(OsString, OsString)> {
    let mut variables = Vec::new();
    let mut place = block();
    // SAFETY: the block is an array of C strings that ends with a null pointer, and nobody changes it at load.
    while let Some(text) = unsafe { entry(place) } {
        variables.extend(split(text.to_bytes()));
        place = place.wrapping_add(1);
    }
    variables
}

/// Where the array of variables begins; null where there is none.
fn block() -> *const *const c_char {
    // SAFETY: no name means the program itself, which is loaded for ever; a symbol that is not found is null. `environ` is
    // a variable that holds a pointer to the array.
    unsafe {
        let program = libc::dlopen(ptr::null(), libc::RTLD_LAZY);
        if program.is_null() {
            return ptr::null();
        }
        let environ = libc::dlsym(program, c"environ".as_ptr()).cast::<*const *const c_char>();
        libc::dlclose(program);
        environ.as_ref().copied().unwrap_or(ptr::null())
    }
}

/// The variable at `place`; `None` at the end.
///
/// # Safety
/// `place` is null, or within the array or at its end.
unsafe fn entry<'e>(place: *const *const c_char) -> Option<&'e CStr> {
    // SAFETY: as the caller promises.
    let text = unsafe { place.as_ref() }.copied().filter(|text| !text.is_null())?;
    // SAFETY: a live C string.
    Some(unsafe { CStr::from_ptr(text) })
}

/// `NAME=value` as both; `None` for what is no variable.
fn split(text: &[u8]) -> Option<(OsString, OsString)> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = text.split_at(at);
    Some((OsString::from_vec(name.into()), OsString::from_vec(value.get(1..)?.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_was_started_with_is_there() {
        let mut wanted: Vec<_> = std::env::vars_os().collect();
        let mut found = variables();
        wanted.sort();
        found.sort();
        assert!(!found.is_empty());
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_value_may_hold_anything() {
        let both = |text: &[u8]| split(text).map(|(name, value)| (name.into_vec(), value.into_vec()));
        assert_eq!(both(b"A=b=\xff"), Some((b"A".to_vec(), b"b=\xff".to_vec())));
        assert_eq!(both(b"A="), Some((b"A".to_vec(), vec![])));
        assert_eq!(both(b"nothing"), None);
    }
}
