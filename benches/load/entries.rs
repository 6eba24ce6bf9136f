//! Entries in bulk: put there as the plain strings that they are, or taken away without a word to the module.

use crate::support::client::encoded;
use crate::support::{Client, Reply};

/// How many are sent at once.
const BATCH: usize = 1000;

/// Stores `value` under each of `keys`, for an hour.
pub fn fill(client: &mut Client, keys: impl Iterator<Item = String>, value: &str) {
    let mut keys = keys.peekable();
    while keys.peek().is_some() {
        let mut bytes = Vec::with_capacity(BATCH * (value.len() + 100));
        let mut sent = 0;
        for key in keys.by_ref().take(BATCH) {
            bytes.extend(encoded(&["SET", &key, value, "EX", "3600"]));
            sent += 1;
        }
        client.send_raw(&bytes);
        for _ in 0..sent {
            assert_eq!(client.receive(), Reply::Simple("OK".into()));
        }
    }
}

/// Removes every key that starts with `prefix`: no new generation begins, and nothing is left to be swept.
pub fn clear(client: &mut Client, prefix: &str) {
    let pattern = format!("{prefix}*");
    let mut cursor = "0".to_owned();
    loop {
        let reply = client.call(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "5000"]);
        let Reply::Array(parts) = reply else { panic!("SCAN: {reply:?}") };
        let [next, Reply::Array(keys)] = &parts[..] else { panic!("SCAN: {parts:?}") };
        if !keys.is_empty() {
            let command: Vec<String> = ["UNLINK".to_owned()].into_iter().chain(keys.iter().map(Reply::text)).collect();
            client.call(&command);
        }
        cursor = next.text();
        if cursor == "0" {
            return;
        }
    }
}
