//! libFuzzer's way to the target `lookup_keys`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgcache_fuzz::feed("lookup_keys", bytes));
