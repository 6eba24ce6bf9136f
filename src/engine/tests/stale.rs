//! Grace: entries that are served beyond their life, and loaded anew without anybody waiting.

use crate::cache::{Error, ErrorKind};
use crate::engine::tests::memory::Role;

use super::cache::{no_row, row_of, table, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;
const NEW: &str = r#"{"v":2}"#;

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

/// A cache whose row 1 has outlived its life of a second.
fn outlived() -> Cache {
    let mut cache = Cache::with(&["default_ttl", "1", "grace", "10"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(1200);
    cache
}

fn fail(cache: &mut Cache, kind: ErrorKind) {
    let load = cache.loads()[0];
    cache.complete(load, Err(Error::new(kind, "no")));
}

#[test]
fn an_entry_is_served_within_its_grace_and_loaded_anew() {
    let mut cache = outlived();
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert_eq!((cache.engine.counters.stale_served, cache.engine.counters.refreshed), (1, 1));
    cache.complete_row(NEW);
    assert_eq!(cache.read("t", ID), hit(NEW));
    assert_eq!(cache.engine.counters.stale_served, 1);
}

/// A cache with grace whose row 1 is not sure any more: its source has fallen silent.
fn suspect() -> Cache {
    let mut cache = Cache::with(&["default_ttl", "60", "grace", "60"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(2000);
    cache
}

#[test]
fn nobody_who_was_told_of_a_newer_row_is_shown_the_entry_again_when_the_next_load_fails() {
    for newer in [row_of(NEW), no_row()] {
        let mut cache = suspect();
        assert_eq!(cache.read("t", ID), Read::Waits(2));
        let load = cache.loads()[0];
        cache.complete(load, Ok(newer));
        cache.answers();
        assert_eq!(cache.read("t", ID), Read::Waits(3));
        fail(&mut cache, ErrorKind::Down);
        assert!(cache.answers()[0].1.is_err());
    }
}

#[test]
fn an_entry_that_a_load_has_confirmed_is_shown_when_the_next_load_fails() {
    let mut cache = suspect();
    cache.read("t", ID);
    cache.complete_row(ROW);
    cache.answers();
    cache.read("t", ID);
    fail(&mut cache, ErrorKind::Down);
    assert_eq!(cache.answers(), [(3, Ok(Some(ROW.into())))]);
}

#[test]
fn one_refresh_is_under_way_at_a_time() {
    let mut cache = outlived();
    for _ in 0..5 {
        assert_eq!(cache.read("t", ID), hit(ROW));
    }
    assert_eq!(cache.loads().len(), 1);
}

#[test]
fn an_entry_ends_with_its_grace() {
    let mut cache = outlived();
    cache.pass(9800);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_notice_ends_an_entry_in_its_grace() {
    let mut cache = outlived();
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_refresh_that_fails_leaves_the_entry_and_is_not_tried_again_at_once() {
    let mut cache = outlived();
    cache.read("t", ID);
    fail(&mut cache, ErrorKind::Down);
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert!(cache.loads().is_empty());
    cache.pass(1500);
    cache.beat();
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert_eq!(cache.loads().len(), 1);
}

#[test]
fn a_refresh_that_is_refused_ends_the_entry() {
    for kind in [ErrorKind::Denied, ErrorKind::NoTable, ErrorKind::Postgres("42501".into())] {
        let mut cache = outlived();
        cache.read("t", ID);
        fail(&mut cache, kind.clone());
        assert!(!cache.stands("t", ID), "{kind:?}");
    }
}

#[test]
fn a_refresh_that_finds_no_row_ends_the_entry() {
    let mut cache = outlived();
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    assert_eq!(cache.read("t", ID), Read::Absent);
}

#[test]
fn who_finds_no_entry_does_not_wait_for_a_refresh() {
    let mut cache = outlived();
    cache.read("t", ID);
    let key = cache.cache_key("t", ID);
    cache.store.take(&key);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    let loads = cache.loads();
    assert_eq!(loads.len(), 2);
    cache.complete(loads[0], Ok(row_of(ROW)));
    assert_eq!(cache.answers(), []);
    cache.complete(loads[1], Ok(row_of(NEW)));
    assert_eq!(cache.answers(), [(2, Ok(Some(NEW.into())))]);
    assert_eq!(cache.read("t", ID), hit(NEW), "what the refresh brought does not replace it");
}

#[test]
fn a_replica_does_not_refresh() {
    let mut cache = outlived();
    cache.set_role(Role::Replica);
    cache.beat();
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert!(cache.loads().is_empty());
}

#[test]
fn in_a_pause_nothing_is_refreshed() {
    let mut cache = outlived();
    cache.store.set_role(Role::Paused);
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert!(cache.loads().is_empty());
}

#[test]
fn an_entry_that_is_read_near_its_end_is_loaded_ahead() {
    let mut cache = Cache::with(&["default_ttl", "10", "refresh_ahead_percent", "20"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(7900);
    cache.beat();
    cache.read("t", ID);
    assert!(cache.loads().is_empty());
    cache.pass(200);
    cache.beat();
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert_eq!((cache.loads().len(), cache.engine.counters.stale_served), (1, 0));
}

#[test]
fn a_row_of_a_suspect_source_answers_for_a_load_that_fails() {
    let mut cache = Cache::with(&["grace", "10"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(2500);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    fail(&mut cache, ErrorKind::Down);
    assert_eq!(cache.answers(), [(2, Ok(Some(ROW.into())))]);
    assert_eq!(cache.engine.counters.stale_served, 1);
}

#[test]
fn it_does_not_answer_for_a_refusal() {
    let mut cache = Cache::with(&["grace", "10"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(2500);
    cache.read("t", ID);
    fail(&mut cache, ErrorKind::Denied);
    assert!(matches!(&cache.answers()[..], [(2, Err(_))]));
}

#[test]
fn it_does_not_answer_once_its_source_has_been_suspect_for_longer_than_the_grace() {
    let mut cache = Cache::with(&["grace", "10"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(12_001);
    cache.read("t", ID);
    fail(&mut cache, ErrorKind::Down);
    assert!(matches!(&cache.answers()[..], [(2, Err(_))]));
}

#[test]
fn it_does_not_answer_after_a_notice_has_named_it() {
    let mut cache = Cache::with(&["grace", "10"]);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(2500);
    cache.read("t", ID);
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    fail(&mut cache, ErrorKind::Down);
    assert!(matches!(&cache.answers()[..], [(2, Err(_))]));
}

#[test]
fn without_grace_nothing_answers_for_a_load_that_fails() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.pass(2500);
    cache.read("t", ID);
    fail(&mut cache, ErrorKind::Down);
    assert!(matches!(&cache.answers()[..], [(2, Err(_))]));
}
