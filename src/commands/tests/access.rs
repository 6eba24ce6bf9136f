//! Access: what the ACL refuses is neither loaded nor told.

use std::time::Instant;

use super::client::{cache, code, fetched, flush, invalidate, key_of, multiread, read, text, told, write, ID, ROW};
use crate::cache::{Error, ErrorKind};
use crate::engine::tests::cache::{no_row, row_called, Cache};

/// Bob may not use cache keys that begin with `start`.
fn forbid(cache: &Cache, start: &str) {
    cache.store.clients.user.replace("bob");
    cache.store.clients.forbidden.replace(Some(start.into()));
}

#[test]
fn what_is_forbidden_is_not_loaded() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    forbid(&cache, "pg_cache:t:");
    for reply in [read(&mut cache, ID), write(&mut cache, ID, ROW), invalidate(&mut cache, ID), key_of(&mut cache, ID)]
    {
        assert_eq!(code(reply), "NOPERM");
    }
    assert_eq!(code(multiread(&mut cache, r#"[{"id":1},{"id":2}]"#)), "NOPERM");
    assert_eq!(code(flush(&mut cache, &["t"])), "NOPERM");
    assert!(cache.loads().is_empty());
    cache.store.clients.user.replace("alice");
    cache.store.clients.forbidden.replace(None);
    assert_eq!(text(read(&mut cache, ID)), ROW);
}

#[test]
fn patterns_stay_true_whatever_the_epoch() {
    let mut cache = cache();
    flush(&mut cache, &["t"]);
    forbid(&cache, r#"pg_cache:t:{"id":1}"#);
    assert_eq!(code(read(&mut cache, ID)), "NOPERM");
    assert_eq!(text(read(&mut cache, r#"{"id":2}"#)), "waits");
}

#[test]
fn a_row_that_comes_under_a_forbidden_key_is_not_shown_and_stored_all_the_same() {
    let mut cache = cache();
    forbid(&cache, r#"pg_cache:t:{"k":"a"}"#);
    assert_eq!(text(read(&mut cache, r#"{"k":"A"}"#)), "waits");
    fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
    assert_eq!(told(&mut cache), [(1, "NOPERM the ACL says no".into())]);
    assert_eq!(cache.store.bytes(br#"pg_cache:t:{"k":"a"}"#), Some(ROW.into()));
}

#[test]
fn errors_do_not_tell_what_there_is() {
    let mut cache = cache();
    forbid(&cache, "pg_cache:t:");
    for key in [r#"{"id":"x"}"#, r#"{"z":1}"#, "{"] {
        assert_eq!(code(read(&mut cache, key)), "NOPERM", "{key}");
    }
    let mut empty = Cache::new();
    forbid(&empty, "pg_cache:t:");
    read(&mut empty, ID);
    let error = Err(Error::new(ErrorKind::NoTable, "no such table"));
    empty.engine.resolved(&empty.store, 0, "t", error, Instant::now());
    assert_eq!(told(&mut empty), [(1, "NOPERM the ACL says no".into())]);
}

#[test]
fn whoever_may_not_drop_the_table_does_not_by_a_spelling_that_nobody_knows() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    // The table's prefix alone, not its rows.
    cache.store.clients.user.replace("bob");
    assert_eq!(text(invalidate(&mut cache, r#"{"k":"A"}"#)), "waits");
    cache.store.clients.forbidden.replace(Some(b"pg_cache:t:".to_vec()));
    let load = cache.loads()[0];
    cache.complete(load, Ok(no_row()));
    assert!(told(&mut cache)[0].1.starts_with("NOPERM"));
    cache.store.clients.forbidden.replace(None);
    assert_eq!(text(read(&mut cache, ID)), ROW);
}

#[test]
fn the_server_itself_may_do_everything() {
    let mut cache = cache();
    cache.store.clients.forbidden.replace(Some(b"pg_cache:".to_vec()));
    assert_eq!(text(write(&mut cache, ID, ROW)), "OK");
    assert_eq!(text(read(&mut cache, ID)), ROW);
}
