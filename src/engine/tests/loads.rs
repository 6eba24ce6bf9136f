//! Loads: who joins them, and what is stored of what they bring.

use crate::cache::{Error, ErrorKind};
use crate::engine::loads::entries::Found;
use crate::postgres::rows::load::Fetched;
use crate::settings::EventType;

use super::cache::{no_row, other_table, row_called, row_of, table, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;
const NEW: &str = r#"{"v":2}"#;

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

fn cache() -> Cache {
    let mut cache = Cache::new();
    cache.add(table());
    cache
}

fn with(settings: &[&str]) -> Cache {
    let mut cache = Cache::with(settings);
    cache.add(table());
    cache
}

#[test]
fn readers_of_one_row_share_a_load() {
    let mut cache = cache();
    for number in 1..=5 {
        assert_eq!(cache.read("t", ID), Read::Waits(number));
    }
    cache.complete_row(ROW);
    let answers: Vec<_> = (1..=5).map(|number| (number, Ok(Some(ROW.to_owned())))).collect();
    assert_eq!(cache.answers(), answers);
    assert_eq!(cache.engine.counters.coalesced, 4);
}

#[test]
fn readers_of_different_rows_do_not() {
    let mut cache = cache();
    cache.add(other_table());
    cache.read("t", ID);
    cache.read("t", r#"{"id":2}"#);
    cache.read("u", ID);
    assert_eq!(cache.loads().len(), 3);
}

#[test]
fn spellings_of_a_number_are_one_key() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    for spelling in [r#"{"id":"1"}"#, r#"{ "id" : 1 }"#, r#"{"id":"+1"}"#, r#"{"\u0069d":1}"#] {
        assert_eq!(cache.read("t", spelling), hit(ROW), "{spelling}");
    }
}

#[test]
fn a_spelling_that_postgresql_has_read_once_is_known() {
    let mut cache = cache();
    cache.read("t", r#"{"k":"A"}"#);
    let load = cache.loads()[0];
    cache.complete(load, Ok(row_called(ROW, r#"{"k":"a"}"#)));
    assert_eq!(cache.read("t", r#"{"k":"A"}"#), hit(ROW));
    assert_eq!(cache.store.content().len(), 1, "one key has one entry");
}

#[test]
fn another_spelling_gets_the_answer_that_the_row_has_already() {
    let mut cache = cache();
    for (spelling, row) in [(r#"{"k":"a"}"#, ROW), (r#"{"k":"A"}"#, NEW)] {
        cache.read("t", spelling);
        let load = cache.loads()[0];
        cache.complete(load, Ok(row_called(row, r#"{"k":"a"}"#)));
    }
    assert_eq!(cache.answers(), [(1, Ok(Some(ROW.into()))), (2, Ok(Some(ROW.into())))]);
}

#[test]
fn a_spelling_of_an_absent_row_stores_nothing_where_nobody_can_tell_its_key() {
    let mut cache = cache();
    cache.read("t", r#"{"k":"A"}"#);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    assert_eq!(cache.answers(), [(1, Ok(None))]);
    assert!(cache.store.content().is_empty());
}

#[test]
fn an_absent_row_is_remembered() {
    let mut cache = cache();
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    assert_eq!(cache.answers(), [(1, Ok(None))]);
    assert_eq!(cache.read("t", ID), Read::Absent);
    assert_eq!(cache.engine.counters.negative_hits, 1);
}

#[test]
fn an_absent_row_is_remembered_for_negative_ttl() {
    let mut cache = with(&["negative_ttl", "3", "grace", "60"]);
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    cache.pass(2999);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Absent);
    cache.pass(1);
    assert_eq!(cache.read("t", ID), Read::Waits(2), "it has no grace: once the row appears it must not stay nil");
}

#[test]
fn an_absent_row_lives_no_longer_than_a_row_would() {
    let mut cache = with(&["negative_ttl", "30", "default_ttl", "2"]);
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    cache.pass(2000);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn without_negative_ttl_an_absent_row_is_asked_for_each_time() {
    let mut cache = with(&["negative_ttl", "0"]);
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_row_lives_for_default_ttl() {
    let mut cache = with(&["default_ttl", "2"]);
    cache.load("t", ID, ROW);
    cache.pass(1999);
    assert_eq!(cache.read("t", ID), hit(ROW));
    cache.pass(1);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert_eq!(cache.engine.counters.expired, 1);
}

#[test]
fn without_default_ttl_a_row_does_not_expire() {
    let mut cache = with(&["default_ttl", "0"]);
    cache.load("t", ID, ROW);
    assert!(cache.store.content().values().all(|value| value.expires_at_ms.is_none()));
}

#[test]
fn jitter_shortens_a_life_and_never_lengthens_it() {
    let mut cache = with(&["default_ttl", "100", "ttl_jitter_percent", "10"]);
    for id in 0..50 {
        cache.load("t", &format!(r#"{{"id":{id}}}"#), ROW);
    }
    let ends: Vec<u64> = cache.store.content().values().filter_map(|value| value.expires_at_ms).collect();
    let now_ms = 1_700_000_001_000;
    assert!(ends.iter().all(|end| (now_ms + 90_000..=now_ms + 100_000).contains(end)));
    assert!(ends.iter().any(|end| *end < now_ms + 100_000));
}

#[test]
fn a_failed_load_stores_nothing_and_tells_everybody_why() {
    let mut cache = cache();
    cache.read("t", ID);
    cache.read("t", ID);
    let (load, error) = (cache.loads()[0], Error::new(ErrorKind::Down, "gone"));
    cache.complete(load, Err(error.clone()));
    assert_eq!(cache.answers(), [(1, Err(error.clone())), (2, Err(error))]);
    assert!(cache.store.content().is_empty());
}

#[test]
fn more_than_one_row_is_an_error() {
    let mut cache = cache();
    cache.read("t", r#"{"g":"x"}"#);
    let load = cache.loads()[0];
    cache.complete(load, Ok(Fetched::Ambiguous));
    let answers = cache.answers();
    assert!(matches!(&answers[..], [(1, Err(error))] if *error.kind() == ErrorKind::NotUnique));
}

#[test]
fn a_load_that_takes_too_long_is_given_up() {
    let mut cache = with(&["load_timeout_ms", "1000"]);
    cache.read("t", ID);
    cache.pass(999);
    assert_eq!(cache.answers(), []);
    cache.pass(1);
    let answers = cache.answers();
    assert!(matches!(&answers[..], [(1, Err(error))] if *error.kind() == ErrorKind::Timeout));
}

#[test]
fn what_comes_after_it_was_given_up_is_left_out() {
    let mut cache = with(&["load_timeout_ms", "1000"]);
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.pass(1000);
    cache.answers();
    cache.complete(load, Ok(row_of(ROW)));
    assert_eq!(cache.answers(), []);
    assert!(cache.store.content().is_empty());
}

#[test]
fn a_row_that_is_too_large_is_answered_and_not_stored() {
    let mut cache = with(&["max_entry_bytes", "6"]);
    cache.read("t", ID);
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(1, Ok(Some(ROW.into())))]);
    assert!(cache.store.content().is_empty());
    assert_eq!((cache.engine.counters.fills, cache.engine.counters.fills_skipped), (0, 1));
}

#[test]
fn a_row_that_finds_no_memory_is_answered_and_not_stored() {
    let mut cache = cache();
    cache.store.set_full(true);
    cache.read("t", ID);
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(1, Ok(Some(ROW.into())))]);
    assert_eq!(cache.engine.counters.fills_skipped, 1);
}

#[test]
fn what_cannot_take_the_place_of_an_entry_ends_it() {
    let mut cache = with(&["grace", "60", "default_ttl", "1"]);
    cache.load("t", ID, ROW);
    cache.pass(1500);
    cache.beat();
    assert_eq!(cache.read("t", ID), hit(ROW), "stale, and loaded anew");
    cache.store.set_full(true);
    cache.complete_row(NEW);
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_value_of_somebody_else_is_replaced() {
    let mut cache = cache();
    let key = cache.cache_key("t", ID);
    cache.store.write(&key, b"not a row");
    assert_eq!(cache.load("t", ID, ROW), Read::Waits(1));
    assert_eq!(cache.engine.counters.foreign_values, 1);
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_key_that_is_no_string_is_replaced() {
    let mut cache = cache();
    let key = cache.cache_key("t", ID);
    cache.store.write_list(&key);
    assert_eq!(cache.load("t", ID, ROW), Read::Waits(1));
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_command_that_drops_a_row_supersedes_its_load() {
    let mut cache = cache();
    cache.read("t", ID);
    assert_eq!(cache.invalidate("t", ID), Ok(()));
    cache.complete_row(ROW);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_command_that_drops_a_row_removes_its_entry() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    assert_eq!(cache.invalidate("t", ID), Ok(()));
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_row_that_a_client_writes_is_served_and_no_older_load_replaces_it() {
    let mut cache = cache();
    cache.read("t", ID);
    assert_eq!(cache.write("t", ID, NEW), Ok(()));
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(1, Ok(Some(NEW.into())))], "nobody finds an older row next");
    assert_eq!(cache.read("t", ID), hit(NEW));
    assert_eq!(cache.engine.counters.writes, 1);
}

#[test]
fn a_write_ends_what_no_unique_key_names() {
    let mut cache = cache();
    cache.load("t", r#"{"g":"x"}"#, ROW);
    assert_eq!(cache.write("t", ID, NEW), Ok(()));
    assert_eq!(cache.read("t", r#"{"g":"x"}"#), Read::Waits(2));
}

#[test]
fn a_write_that_finds_no_memory_is_refused() {
    let mut cache = cache();
    cache.store.set_full(true);
    assert!(cache.write("t", ID, NEW).is_err());
    assert_eq!(cache.engine.counters.writes, 0);
}

#[test]
fn loads_are_told_and_failures_as_well() {
    let mut cache = cache();
    cache.read("t", ID);
    cache.complete_row(ROW);
    cache.read("t", r#"{"id":2}"#);
    let load = cache.loads()[0];
    cache.complete(load, Err(Error::new(ErrorKind::Down, "gone")));
    let kinds: Vec<EventType> = cache.store.take_emitted().into_iter().map(|told| told.kind).collect();
    assert_eq!(kinds, [EventType::Load, EventType::Error]);
}

#[test]
fn an_entry_that_expires_or_is_evicted_is_told_where_somebody_listens() {
    let mut cache = with(&["default_ttl", "1"]);
    cache.load("t", ID, ROW);
    cache.pass(1000);
    assert_eq!(cache.engine.counters.expired, 1);
}

#[test]
fn a_load_is_of_no_use_to_whoever_asks_with_another_key() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    assert_eq!(cache.read("t", r#"{"k":"a"}"#), Read::Waits(2));
    assert_eq!(cache.read("t", r#"{"g":"x"}"#), Read::Waits(3));
    assert_eq!(cache.read("t", r#"{"id":1,"k":"a"}"#), Read::Waits(4));
}

#[test]
fn nothing_of_ours_is_counted_when_nobody_reads() {
    let mut cache = cache();
    let table = cache.table("t");
    let key = cache.cache_key("t", ID);
    let found = cache.engine.find_aged(&cache.store, &key, None, |_| ()).0;
    assert!(matches!(found, Found::Nothing));
    assert_eq!((cache.engine.counters.hits, cache.engine.counters.misses), (0, 0));
    assert!(cache.engine.may_serve(&cache.store, &table, &key));
}
