//! Access to the module API's functions, which the server hands over as pointers when it loads the module.

/// The function `$name` of the module API. Panics (which [`crate::server::guard`] turns into an error reply)
/// when this server does not have it: only what Redis 7.0 has may be used without asking first.
macro_rules! api {
    ($name:ident) => {{
        // Most calls stand in an unsafe block already.
        #[allow(unused_unsafe)]
        // SAFETY: the server writes these pointers once, before OnLoad, on the main thread.
        let function = unsafe { redis_module::raw::$name };
        match function {
            Some(function) => function,
            None => panic!(concat!("this server has no ", stringify!($name))),
        }
    }};
}
