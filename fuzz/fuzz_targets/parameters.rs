//! libFuzzer's way to the target `parameters`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgcache_fuzz::feed("parameters", bytes));
