//! Epochs of tables, and the records that bring them through restarts.

use std::time::Instant;

use crate::cache::TableDefinition;
use crate::engine::tests::memory::{Content, Role};

use super::cache::{other_table, table, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;
const RECORD: &[u8] = b"pg_cache:@epoch:t";
const EVERYTHING: &[u8] = b"pg_cache:@epoch:*";

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

fn filled() -> Cache {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    cache
}

fn flush(cache: &mut Cache) {
    let table = cache.table("t");
    cache.engine.start_epoch(&cache.store, &table);
}

/// Another run of the server, with what the first one has left.
fn restarted(before: &Cache) -> Cache {
    let mut cache = Cache::new();
    cache.store.replace(before.store.content());
    cache.add(table());
    cache
}

#[test]
fn a_table_starts_without_a_generation() {
    let mut cache = filled();
    assert_eq!(&*cache.cache_key("t", ID), b"pg_cache:t:{\"id\":1}");
    assert_eq!(cache.store.bytes(RECORD), None);
}

#[test]
fn a_flush_starts_another_one_and_records_it() {
    let mut cache = filled();
    flush(&mut cache);
    let epoch = cache.table("t").epoch.expect("it has one now");
    assert_eq!(cache.store.bytes(RECORD), Some(epoch.to_string().into_bytes()));
    let key = format!("pg_cache:t@{epoch}:{ID}");
    assert_eq!(&*cache.cache_key("t", ID), key.as_bytes());
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn generations_grow_within_one_millisecond() {
    let mut cache = filled();
    let mut last = None;
    for _ in 0..5 {
        flush(&mut cache);
        let epoch = cache.table("t").epoch;
        assert!(epoch > last);
        last = epoch;
    }
}

#[test]
fn a_flush_leaves_other_tables_alone() {
    let mut cache = filled();
    cache.add(other_table());
    cache.load("u", ID, ROW);
    flush(&mut cache);
    assert_eq!(cache.read("u", ID), hit(ROW));
}

#[test]
fn a_restart_goes_on_with_the_generation_of_the_record() {
    let mut cache = filled();
    flush(&mut cache);
    cache.load("t", ID, ROW);
    let mut again = restarted(&cache);
    assert_eq!(again.read("t", ID), hit(ROW));
}

#[test]
fn a_restart_does_not_find_what_was_flushed() {
    let mut cache = filled();
    flush(&mut cache);
    let mut again = restarted(&cache);
    assert_eq!(again.read("t", ID), Read::Waits(1));
}

#[test]
fn a_flush_of_everything_reaches_tables_that_are_not_known_yet() {
    let mut cache = filled();
    cache.add(other_table());
    cache.load("u", ID, ROW);
    assert_eq!(cache.engine.flush_all(&cache.store), 2);
    let mut again = restarted(&cache);
    again.add(other_table());
    assert_eq!((again.read("t", ID), again.read("u", ID)), (Read::Waits(1), Read::Waits(2)));
}

#[test]
fn flushes_of_everything_grow_within_one_millisecond() {
    let mut cache = filled();
    cache.engine.flush_all(&cache.store);
    let first = cache.engine.catalog.everything_epoch;
    cache.engine.flush_all(&cache.store);
    assert!(cache.engine.catalog.everything_epoch > first);
}

#[test]
fn a_record_of_the_far_future_is_somebody_elses() {
    for record in ["99999999999999", "-1", "", "1e9", "0x10", "18446744073709551616", "\u{ff}"] {
        let mut cache = Cache::new();
        cache.store.write(RECORD, record.as_bytes());
        cache.add(table());
        assert_eq!(cache.table("t").epoch, None, "{record:?}");
    }
}

#[test]
fn a_record_of_the_near_future_is_of_a_master_whose_clock_differs() {
    let mut cache = Cache::new();
    cache.store.write(RECORD, b"1700000060000");
    cache.add(table());
    assert_eq!(cache.table("t").epoch, Some(1_700_000_060_000));
    flush(&mut cache);
    assert_eq!(cache.table("t").epoch, Some(1_700_000_060_001));
}

#[test]
fn a_record_that_is_lost_is_written_again() {
    let mut cache = filled();
    flush(&mut cache);
    let record = cache.store.bytes(RECORD);
    cache.store.take(RECORD);
    cache.touched(RECORD);
    cache.tick();
    assert_eq!(cache.store.bytes(RECORD), record);
}

#[test]
fn a_record_that_somebody_else_has_written_is_put_right() {
    let mut cache = filled();
    flush(&mut cache);
    cache.engine.flush_all(&cache.store);
    cache.tick();
    for record in [RECORD, EVERYTHING] {
        let right = cache.store.bytes(record);
        cache.store.write(record, b"7");
        cache.touched(record);
        cache.tick();
        assert_eq!(cache.store.bytes(record), right);
    }
}

#[test]
fn a_record_that_a_pause_keeps_from_being_written_is_written_after_it() {
    let mut cache = filled();
    cache.set_role(Role::Paused);
    flush(&mut cache);
    cache.tick();
    assert_eq!(cache.store.bytes(RECORD), None);
    cache.store.set_role(Role::Master);
    cache.tick();
    assert!(cache.store.bytes(RECORD).is_some());
}

#[test]
fn a_record_that_finds_no_memory_is_written_when_there_is_some() {
    let mut cache = filled();
    cache.store.set_full(true);
    flush(&mut cache);
    assert_eq!(cache.store.bytes(RECORD), None);
    cache.store.set_full(false);
    cache.tick();
    assert!(cache.store.bytes(RECORD).is_some());
}

#[test]
fn a_server_that_is_flushed_has_its_records_written_again() {
    let mut cache = filled();
    flush(&mut cache);
    cache.store.replace(Content::new());
    cache.engine.keyspace_flushed();
    cache.tick();
    assert!(cache.store.bytes(RECORD).is_some());
}

#[test]
fn a_server_that_is_flushed_supersedes_all_loads() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", ID);
    cache.engine.keyspace_flushed();
    cache.complete_row(ROW);
    assert!(cache.store.content().is_empty());
}

#[test]
fn a_keyspace_that_is_swapped_in_is_of_another_time() {
    let mut cache = filled();
    let old = cache.store.content();
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    cache.store.replace(old);
    cache.engine.keyspace_replaced(&cache.store);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_data_set_that_is_loaded_is_of_another_time() {
    let mut cache = filled();
    let old = cache.store.content();
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    cache.store.replace(old);
    cache.engine.keyspace_loaded(&cache.store);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_replica_takes_the_generations_of_the_data_set_that_it_loads() {
    let mut cache = filled();
    cache.set_role(Role::Replica);
    cache.store.replace(Content::new());
    cache.store.write(RECORD, b"1700000000500");
    cache.store.write(b"pg_cache:t@1700000000500:{\"id\":1}", ROW.as_bytes());
    cache.engine.keyspace_loaded(&cache.store);
    assert_eq!(cache.table("t").epoch, Some(1_700_000_000_500));
}

#[test]
fn another_definition_starts_a_generation() {
    let mut cache = filled();
    let redefined = TableDefinition { fingerprint: 2, ..table() };
    cache.engine.redefined(&cache.store, 0, 1, Some(redefined.into()), Instant::now());
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn the_same_definition_starts_none() {
    let mut cache = filled();
    cache.engine.redefined(&cache.store, 0, 1, Some(table().into()), Instant::now());
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_definition_that_was_asked_for_earlier_than_the_last_is_out_of_date() {
    let earlier = Instant::now();
    let mut cache = filled();
    let redefined = TableDefinition { fingerprint: 2, ..table() };
    cache.engine.redefined(&cache.store, 0, 1, Some(redefined.into()), earlier);
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_relation_that_is_gone_is_forgotten() {
    let mut cache = filled();
    cache.engine.redefined(&cache.store, 0, 1, None, Instant::now());
    assert!(cache.engine.catalog.tables.find(b"t").is_none());
    assert!(cache.engine.catalog.tables.is_empty());
}

#[test]
fn a_relation_of_another_name_is_asked_for_anew() {
    let mut cache = filled();
    let renamed = TableDefinition { relation: "s".into(), display: "s".into(), ..table() };
    cache.engine.redefined(&cache.store, 0, 1, Some(renamed.into()), Instant::now());
    assert!(cache.engine.catalog.tables.find(b"t").is_none());
    assert_eq!(cache.engine.catalog.tables.by_oid(0, 1).map(|table| table.name.to_string()).as_deref(), Some("s"));
}

#[test]
fn a_relation_that_takes_the_name_of_one_that_was_dropped_is_another_one() {
    let mut cache = filled();
    cache.add(TableDefinition { oid: 8, concerns: vec![8], ..table() });
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert!(cache.engine.catalog.tables.by_oid(0, 1).is_none());
}
