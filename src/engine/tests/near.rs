//! Near caches: what they are told, and in which numbers.

use serde_json::Value;

use super::cache::{table, Cache};
use crate::cache::{Notice, Relation};
use crate::engine::Store;

fn listening() -> Cache {
    let mut cache = Cache::new();
    cache.add(table());
    cache.store.has_listener.set(true);
    beat(&mut cache);
    cache.store.take_published();
    cache
}

/// A heartbeat is due.
fn beat(cache: &mut Cache) {
    cache.store.pass(250);
    let now_ms = (&cache.store).monotonic_ms();
    cache.engine.beat_near_caches(&cache.store, now_ms);
}

fn published(cache: &mut Cache) -> Vec<Value> {
    cache.engine.publish_near_messages(&cache.store);
    let messages = cache.store.take_published();
    messages.iter().map(|message| serde_json::from_str(message).expect("messages are JSON")).collect()
}

#[test]
fn messages_have_consecutive_numbers_with_the_heartbeats() {
    let mut cache = listening();
    let _ = cache.invalidate("t", r#"{"id":1}"#);
    let mut messages = published(&mut cache);
    let _ = cache.invalidate("t", r#"{"id":1}"#);
    beat(&mut cache);
    messages.extend(published(&mut cache));
    let numbers: Vec<u64> = messages.iter().map(|message| message["seq"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + 3).collect::<Vec<_>>(), "{messages:?}");
    assert!(messages[2]["sources"]["default"]["age_ms"].is_u64(), "the heartbeat comes behind what it vouches for");
}

#[test]
fn without_a_listener_nothing_is_built_and_everything_is_counted() {
    let mut cache = listening();
    cache.store.has_listener.set(false);
    beat(&mut cache);
    let _ = cache.invalidate("t", r#"{"id":1}"#);
    assert!(!cache.engine.has_near_messages() && published(&mut cache).is_empty());
    cache.store.has_listener.set(true);
    beat(&mut cache);
    let beats = published(&mut cache);
    // One heartbeat, one that nobody heard of, and this one.
    assert_eq!(beats.len(), 1);
    let before = beats[0]["seq"].as_u64().expect("a number");
    let _ = cache.invalidate("t", r#"{"id":1}"#);
    assert_eq!(published(&mut cache)[0]["seq"].as_u64(), Some(before + 1));
}

#[test]
fn a_notice_tells_of_all_keys_of_its_rows_at_once() {
    let mut cache = listening();
    let rows = vec![r#"{"id":1,"k":"a"}"#.into(), r#"{"id":2,"k":"B"}"#.into()];
    cache.told(None, &Notice::Rows { relation: Relation::Oid(1), rows });
    let messages = published(&mut cache);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let keys = serde_json::json!([r#"{"id":1}"#, r#"{"k":"a"}"#, r#"{"id":2}"#, r#"{"k":"B"}"#]);
    assert_eq!((&messages[0]["table"], &messages[0]["keys"]), (&"t".into(), &keys));
}

#[test]
fn a_heartbeat_says_why_a_source_is_not_to_be_relied_on() {
    let mut cache = listening();
    cache.store.pass(10_000);
    beat(&mut cache);
    let beat = published(&mut cache).remove(0);
    assert_eq!(beat["sources"]["default"]["suspect"], "suspect", "{beat}");
}
