//! READ: hits, misses, and rows that are not there.

use super::client::{cache, code, fetched, invalidate, key_of, read, text, told, with, ID, ROW};
use crate::cache::{Error, ErrorKind};
use crate::engine::tests::cache::{no_row, row_called, row_of};

#[test]
fn a_miss_waits_for_its_row_and_the_next_read_is_a_hit() {
    let mut cache = cache();
    assert_eq!(text(read(&mut cache, ID)), "waits");
    assert_eq!(told(&mut cache), []);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
    assert_eq!(text(read(&mut cache, ID)), ROW);
}

#[test]
fn all_who_miss_one_row_are_answered_once_by_one_load() {
    let mut cache = cache();
    for spelling in [ID, r#"{ "id" : 1 }"#, r#"{"id":"1"}"#] {
        assert_eq!(text(read(&mut cache, spelling)), "waits");
    }
    assert_eq!(cache.loads().len(), 1);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into()), (2, ROW.into()), (3, ROW.into())]);
    assert_eq!(told(&mut cache), []);
}

#[test]
fn a_row_that_does_not_exist_is_nil_from_postgresql_and_from_the_cache() {
    let mut cache = cache();
    read(&mut cache, ID);
    fetched(&mut cache, no_row());
    assert_eq!(told(&mut cache), [(1, "nil".into())]);
    assert_eq!(text(read(&mut cache, ID)), "nil");
}

#[test]
fn a_load_that_fails_fails_everyone_who_waited_alike() {
    let mut cache = cache();
    read(&mut cache, ID);
    read(&mut cache, ID);
    let load = cache.loads()[0];
    cache.complete(load, Err(Error::new(ErrorKind::Down, "gone")));
    let told = told(&mut cache);
    assert!(told.len() == 2 && told.iter().all(|(_, reply)| reply == "PGDOWN gone"), "{told:?}");
    assert_eq!(text(read(&mut cache, ID)), "waits");
}

#[test]
fn those_who_asked_before_an_invalidation_get_its_answer_and_it_is_not_stored() {
    let mut cache = cache();
    read(&mut cache, ID);
    assert_eq!(text(invalidate(&mut cache, ID)), "OK");
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
    assert!(!cache.stands("t", ID));
}

#[test]
fn those_who_asked_before_and_after_an_invalidation_have_loads_of_their_own_and_nobody_goes_backwards() {
    let mut cache = cache();
    read(&mut cache, ID);
    invalidate(&mut cache, ID);
    read(&mut cache, ID);
    let loads = cache.loads();
    assert_eq!(loads.len(), 2);
    let new = r#"{"id":1,"new":true}"#;
    cache.complete(loads[1], Ok(row_of(new)));
    assert_eq!(told(&mut cache), [(2, new.into())]);
    cache.complete(loads[0], Ok(row_of(ROW)));
    assert_eq!(told(&mut cache), [(1, new.into())]);
    assert_eq!(text(read(&mut cache, ID)), new);
}

#[test]
fn a_row_whose_spelling_only_postgresql_knows_stands_under_its_own_key() {
    let mut cache = cache();
    assert_eq!(text(read(&mut cache, r#"{"k":"A"}"#)), "waits");
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
    assert_eq!(text(read(&mut cache, r#"{"k":"A"}"#)), ROW);
    assert_eq!(text(key_of(&mut cache, r#"{"k":"A"}"#)), r#"pg_cache:t:{"k":"a"}"#);
}

#[test]
fn postgresql_is_asked_for_a_key_that_nobody_has_read() {
    let mut cache = cache();
    assert_eq!(text(key_of(&mut cache, r#"{"k":"A"}"#)), "waits");
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), [(1, r#"pg_cache:t:{"k":"a"}"#.into())]);
    assert_eq!(text(key_of(&mut cache, ID)), r#"pg_cache:t:{"id":1}"#);
}

#[test]
fn keys_that_are_not_understood_are_refused_without_a_load() {
    let mut cache = cache();
    for (key, wanted) in [("{", "ERR"), ("[]", "ERR"), (r#"{"z":1}"#, "PGNOCOLUMN")] {
        assert_eq!(code(read(&mut cache, key)), wanted, "{key}");
    }
    assert!(cache.loads().is_empty());
}

#[test]
fn what_is_too_large_is_answered_and_not_stored() {
    let mut cache = with(&["max_entry_bytes", "1024"]);
    let large = format!(r#"{{"id":1,"v":"{}"}}"#, "x".repeat(2000));
    read(&mut cache, ID);
    fetched(&mut cache, row_of(&large));
    assert_eq!(told(&mut cache), [(1, large)]);
    assert!(!cache.stands("t", ID));
}
