//! WRITE, INVALIDATE and FLUSH: in which order with loads, and in pauses.

use std::time::Instant;

use super::client::{cache, code, fetched, flush, invalidate, read, text, told, write, ID, ROW};
use crate::cache::{Error, ErrorKind};
use crate::engine::tests::cache::{no_row, other_table, row_called, row_of, table, Cache};
use crate::engine::tests::memory::Role;

const MINE: &str = r#"{"id":1,"mine":true}"#;

#[test]
fn a_load_that_began_before_a_write_does_not_take_its_place() {
    let mut cache = cache();
    read(&mut cache, ID);
    assert_eq!(text(write(&mut cache, ID, MINE)), "OK");
    fetched(&mut cache, row_of(ROW));
    told(&mut cache);
    assert_eq!(text(read(&mut cache, ID)), MINE);
}

#[test]
fn a_write_under_a_spelling_that_only_postgresql_knows_goes_to_the_rows_own_key() {
    let mut cache = cache();
    assert_eq!(text(write(&mut cache, r#"{"k":"A"}"#, MINE)), "waits");
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), [(1, "OK".into())]);
    assert_eq!(cache.store.bytes(br#"pg_cache:t:{"k":"a"}"#), Some(MINE.into()));
}

#[test]
fn a_write_of_a_row_that_has_no_one_spelling_is_refused() {
    let mut cache = cache();
    write(&mut cache, r#"{"k":"A"}"#, MINE);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    let told = told(&mut cache);
    assert!(told[0].1.starts_with("PGBADVALUE"), "{told:?}");
}

#[test]
fn an_invalidation_drops_the_rows_own_key() {
    let mut cache = cache();
    cache.load("t", r#"{"k":"a"}"#, ROW);
    cache.store.write(br#"pg_cache:t:{"k":"a"}"#, ROW.as_bytes());
    assert_eq!(text(invalidate(&mut cache, r#"{"k":"A"}"#)), "waits");
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), [(1, "OK".into())]);
    assert_eq!(cache.store.bytes(br#"pg_cache:t:{"k":"a"}"#), None);
}

#[test]
fn an_invalidation_that_postgresql_cannot_help_with_drops_the_table() {
    for outcome in [Ok(no_row()), Err(Error::new(ErrorKind::Down, ""))] {
        let mut cache = cache();
        cache.load("t", ID, ROW);
        invalidate(&mut cache, r#"{"k":"A"}"#);
        let load = cache.loads()[0];
        cache.complete(load, outcome);
        assert_eq!(told(&mut cache), [(1, "OK".into())]);
        assert_eq!(text(read(&mut cache, ID)), "waits");
    }
}

#[test]
fn an_invalidation_that_may_not_wait_drops_the_table() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    cache.store.clients.is_in_multi.set(true);
    assert_eq!(text(invalidate(&mut cache, r#"{"k":"A"}"#)), "OK");
    assert_eq!(code(read(&mut cache, ID)), "PGMISS");
}

#[test]
fn a_write_that_has_waited_for_postgresql_is_deferred_until_a_pause_ends() {
    let mut cache = cache();
    write(&mut cache, r#"{"k":"A"}"#, MINE);
    cache.set_role(Role::Paused);
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), []);
    cache.engine.tick(&cache.store);
    assert_eq!(told(&mut cache), []);
    cache.set_role(Role::Master);
    cache.engine.tick(&cache.store);
    assert_eq!(told(&mut cache), [(1, "OK".into())]);
    assert_eq!(cache.store.bytes(br#"pg_cache:t:{"k":"a"}"#), Some(MINE.into()));
}

#[test]
fn a_write_that_has_waited_for_the_catalog_is_deferred_until_a_pause_ends() {
    let mut cache = Cache::new();
    assert_eq!(text(write(&mut cache, ID, MINE)), "waits");
    cache.set_role(Role::Paused);
    cache.engine.resolved(&cache.store, 0, "t", Ok(table()), Instant::now());
    assert_eq!(told(&mut cache), []);
    assert_eq!(cache.store.bytes(br#"pg_cache:t:{"id":1}"#), None);
    cache.set_role(Role::Master);
    cache.engine.tick(&cache.store);
    assert_eq!(told(&mut cache), [(1, "OK".into())]);
    assert!(cache.stands("t", ID));
}

#[test]
fn a_read_that_has_waited_for_the_catalog_goes_on_in_a_pause() {
    let mut cache = Cache::new();
    read(&mut cache, ID);
    cache.set_role(Role::Paused);
    cache.engine.resolved(&cache.store, 0, "t", Ok(table()), Instant::now());
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_write_on_a_replica_is_refused_and_a_read_is_read_through() {
    let mut cache = cache();
    cache.set_role(Role::Replica);
    assert_eq!(code(write(&mut cache, ID, MINE)), "READONLY");
    read(&mut cache, ID);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_write_that_memory_is_too_full_for_is_refused_and_ends_what_stood_there() {
    let mut cache = cache();
    cache.store.set_full(true);
    assert_eq!(code(write(&mut cache, ID, MINE)), "ERR");
    assert!(!cache.stands("t", ID));
}

#[test]
fn tables_are_dropped_all_or_none_once_all_are_known() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    assert_eq!(text(flush(&mut cache, &["t", "u"])), "waits");
    assert_eq!(text(read(&mut cache, ID)), ROW);
    cache.engine.resolved(&cache.store, 0, "u", Ok(other_table()), Instant::now());
    assert_eq!(told(&mut cache), [(1, "Integer(2)".into())]);
    assert_eq!(text(read(&mut cache, ID)), "waits");
}

#[test]
fn no_table_is_dropped_where_one_does_not_exist() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    flush(&mut cache, &["t", "u"]);
    let error = Err(Error::new(ErrorKind::NoTable, ""));
    cache.engine.resolved(&cache.store, 0, "u", error, Instant::now());
    assert!(told(&mut cache)[0].1.starts_with("PGNOTABLE"));
    assert_eq!(text(read(&mut cache, ID)), ROW);
}
