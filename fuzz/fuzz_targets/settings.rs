//! libFuzzer's way to the target `settings`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgcache_fuzz::feed("settings", bytes));
