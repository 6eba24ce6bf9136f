//! libFuzzer's way to the target `table_names`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgcache_fuzz::feed("table_names", bytes));
