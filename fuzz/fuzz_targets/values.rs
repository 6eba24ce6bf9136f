//! libFuzzer's way to the target `values`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgcache_fuzz::feed("values", bytes));
