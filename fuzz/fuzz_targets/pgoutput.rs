//! The messages of the write-ahead log's stream: any bytes are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgcache::cdc::feed::pgoutput::Message;

fuzz_target!(|bytes: &[u8]| {
    let _ = Message::parse(bytes);
});
