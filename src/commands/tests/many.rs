//! MULTIREAD: rows of the cache and of several loads in one answer.

use super::client::{cache, code, fetched, multiread, text, told, with, ID, ROW};
use crate::cache::{Error, ErrorKind};
use crate::engine::tests::cache::{no_row, row_called, row_of};

const TWO: &str = r#"{"id":2}"#;

#[test]
fn rows_that_are_all_cached_are_answered_at_once() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    cache.load("t", TWO, TWO);
    assert_eq!(text(multiread(&mut cache, r#"[{"id":2},{"id":1},{"id":2}]"#)), format!("[{TWO},{ROW},{TWO}]"));
    assert_eq!(text(multiread(&mut cache, "[]")), "[]");
}

#[test]
fn rows_come_in_the_order_asked_whatever_the_order_of_their_loads() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    assert_eq!(text(multiread(&mut cache, r#"[{"id":2},{"id":1},{"id":3}]"#)), "waits");
    let loads = cache.loads();
    cache.complete(loads[1], Ok(no_row()));
    assert_eq!(told(&mut cache), []);
    cache.complete(loads[0], Ok(row_of(TWO)));
    assert_eq!(told(&mut cache), [(1, format!("[{TWO},{ROW},null]"))]);
}

#[test]
fn a_key_that_is_asked_twice_is_loaded_once() {
    let mut cache = cache();
    multiread(&mut cache, r#"[{"id":1},{"id":1}]"#);
    assert_eq!(cache.loads().len(), 1);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, format!("[{ROW},{ROW}]"))]);
}

#[test]
fn one_load_that_fails_fails_it_once() {
    let mut cache = cache();
    multiread(&mut cache, r#"[{"id":1},{"id":2}]"#);
    let loads = cache.loads();
    cache.complete(loads[0], Err(Error::new(ErrorKind::Timeout, "late")));
    assert_eq!(told(&mut cache), [(1, "PGTIMEOUT late".into())]);
    cache.complete(loads[1], Ok(row_of(TWO)));
    assert_eq!(told(&mut cache), []);
    assert!(cache.stands("t", TWO));
}

#[test]
fn a_reply_that_grows_too_long_is_refused_once() {
    let mut cache = with(&["max_multiread_bytes", "1024"]);
    multiread(&mut cache, r#"[{"id":1},{"id":2}]"#);
    let long = format!(r#"{{"v":"{}"}}"#, "x".repeat(2000));
    let loads = cache.loads();
    cache.complete(loads[0], Ok(row_of(&long)));
    assert!(told(&mut cache)[0].1.contains("max_multiread_bytes"));
    cache.complete(loads[1], Ok(row_of(&long)));
    assert_eq!(told(&mut cache), []);
}

#[test]
fn in_multi_all_rows_have_to_be_cached() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    cache.store.clients.is_in_multi.set(true);
    assert_eq!(text(multiread(&mut cache, "[{\"id\":1}]")), format!("[{ROW}]"));
    assert_eq!(code(multiread(&mut cache, r#"[{"id":1},{"id":2}]"#)), "PGMISS");
}

#[test]
fn a_row_that_the_user_may_not_read_under_its_own_key_refuses_all() {
    let mut cache = cache();
    cache.store.clients.user.replace("bob");
    cache.store.clients.forbidden.replace(Some(br#"pg_cache:t:{"k":"a"}"#.to_vec()));
    assert_eq!(text(multiread(&mut cache, r#"[{"k":"A"},{"id":1}]"#)), "waits");
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), [(1, "NOPERM the ACL says no".into())]);
}

#[test]
fn too_many_keys_are_refused_before_any_is_read() {
    let mut cache = with(&["max_multiread_keys", "2"]);
    assert_eq!(code(multiread(&mut cache, r#"[{"id":1},{"id":2},{"id":3}]"#)), "ERR");
    assert!(cache.loads().is_empty());
}
