//! libFuzzer's way to the target `replies`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgcache_fuzz::feed("replies", bytes));
