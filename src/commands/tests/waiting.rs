//! Clients that wait: how many may, for how long, and what becomes of them.

use std::sync::Arc;
use std::time::Instant;

use super::client::{cache, code, fetched, flush, read, text, told, with, ID, ROW};
use crate::cache::key_change::KeyChange;
use crate::cache::{Error, ErrorKind, Timings, WaiterId};
use crate::clock::Tick;
use crate::engine::tests::cache::{other_table, row_of, table, Cache};
use crate::plugins::call::Call;

fn resolved(cache: &mut Cache) {
    cache.engine.resolved(&cache.store, 0, "t", Ok(table()), Instant::now());
}

fn codes(cache: &mut Cache) -> Vec<(u64, String)> {
    let told = told(cache).into_iter();
    told.map(|(number, reply)| (number, reply.split(' ').next().unwrap_or_default().to_owned())).collect()
}

#[test]
fn nobody_waits_in_multi() {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    cache.store.clients.is_in_multi.set(true);
    assert_eq!(text(read(&mut cache, ID)), ROW);
    assert_eq!(code(read(&mut cache, r#"{"id":2}"#)), "PGMISS");
    assert!(cache.loads().is_empty());
}

#[test]
fn so_many_clients_wait_and_no_more() {
    let mut cache = with(&["max_waiters", "2"]);
    assert_eq!(text(read(&mut cache, ID)), "waits");
    assert_eq!(text(read(&mut cache, ID)), "waits");
    assert_eq!(code(read(&mut cache, ID)), "PGBUSY");
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache).len(), 2);
    assert_eq!(text(read(&mut cache, r#"{"id":2}"#)), "waits");
}

#[test]
fn a_load_that_takes_too_long_is_given_up() {
    let mut cache = with(&["load_timeout_ms", "100"]);
    read(&mut cache, ID);
    cache.pass(99);
    assert_eq!(told(&mut cache), []);
    cache.pass(1);
    assert_eq!(codes(&mut cache), [(1, "PGTIMEOUT".into())]);
    assert!(cache.loads().is_empty());
}

#[test]
fn the_row_of_a_client_that_has_gone_is_stored_all_the_same() {
    let mut cache = cache();
    read(&mut cache, ID);
    cache.engine.client_gone(1);
    assert_eq!(told(&mut cache), [(1, "sent".into())]);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), []);
    assert_eq!(text(read(&mut cache, ID)), ROW);
}

#[test]
fn commands_wait_for_the_catalog_together_and_then_run() {
    let mut cache = Cache::new();
    assert_eq!(text(read(&mut cache, ID)), "waits");
    assert_eq!(text(read(&mut cache, r#"{"id":2}"#)), "waits");
    assert!(cache.loads().is_empty());
    resolved(&mut cache);
    assert_eq!(cache.loads().len(), 2);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
}

#[test]
fn a_table_that_does_not_exist_fails_everyone_who_asked_for_it() {
    let mut cache = Cache::new();
    read(&mut cache, ID);
    read(&mut cache, ID);
    let error = Err(Error::new(ErrorKind::NoTable, "no table"));
    cache.engine.resolved(&cache.store, 0, "t", error, Instant::now());
    assert_eq!(codes(&mut cache), [(1, "PGNOTABLE".into()), (2, "PGNOTABLE".into())]);
}

#[test]
fn a_catalog_that_takes_too_long_is_given_up() {
    let mut cache = with(&["load_timeout_ms", "100"]);
    assert_eq!(text(flush(&mut cache, &["t", "u"])), "waits");
    cache.store.pass(100);
    cache.engine.tick(&cache.store);
    assert_eq!(codes(&mut cache), [(1, "PGTIMEOUT".into())]);
    cache.engine.resolved(&cache.store, 0, "u", Ok(other_table()), Instant::now());
    assert_eq!(told(&mut cache), []);
}

#[test]
fn a_client_that_has_gone_does_not_run_its_command_once_its_table_is_known() {
    let mut cache = Cache::new();
    read(&mut cache, ID);
    cache.engine.client_gone(1);
    resolved(&mut cache);
    assert!(cache.loads().is_empty());
}

#[test]
fn a_column_that_was_added_meanwhile_is_found_by_asking_once_more() {
    let mut cache = cache();
    cache.pass(2000);
    cache.beat();
    assert_eq!(text(read(&mut cache, r#"{"z":1}"#)), "waits");
    let mut columns = table().columns;
    columns.push(crate::cache::table::Column { name: "z".into(), ..columns[0].clone() });
    let definition = crate::cache::TableDefinition { columns, ..table() };
    cache.engine.resolved(&cache.store, 0, "t", Ok(definition), Instant::now());
    assert_eq!(told(&mut cache), []);
    assert_eq!(cache.loads().len(), 1);
}

/// What is kept of a command while its client waits.
fn call() -> Call {
    Call {
        command: "pgcache.read",
        began: Tick::now(),
        arguments: vec![],
        is_write: false,
        client: 1,
        subject: None,
        timings: Timings::default(),
        resumed: None,
    }
}

#[test]
fn plugins_are_told_of_an_answer_with_the_code_of_its_error() {
    let mut cache = cache();
    read(&mut cache, ID);
    cache.engine.remember_call(WaiterId::new(1), call());
    let load = cache.loads()[0];
    cache.complete(load, Err(Error::new(ErrorKind::Busy, "")));
    told(&mut cache);
    let ended = cache.store.clients.ended.take();
    assert_eq!((ended[0].command, ended[0].error.as_deref()), ("pgcache.read", Some("PGBUSY")));
}

#[test]
fn time_that_a_command_waits_for_the_catalog_is_not_the_main_threads() {
    let mut cache = Cache::new();
    read(&mut cache, ID);
    cache.engine.remember_call(WaiterId::new(1), call());
    let began = Tick::now();
    while began.elapsed_us() < 2000 {}
    let error = Err(Error::new(ErrorKind::NoTable, "no table"));
    cache.engine.resolved(&cache.store, 0, "t", error, Instant::now());
    told(&mut cache);
    let timings = cache.store.clients.ended.take()[0].timings.expect("it has waited");
    assert!(timings.catalog_us >= 2000 && timings.main_us < timings.catalog_us, "{timings:?}");
}

#[test]
fn keys_that_change_while_the_engine_works_are_seen_to_when_it_is_done() {
    let mut cache = cache();
    read(&mut cache, ID);
    let key = cache.cache_key("t", ID);
    cache.store.clients.key_changes.borrow_mut().push_back((KeyChange::Touched, key.to_vec()));
    told(&mut cache);
    fetched(&mut cache, row_of(ROW));
    assert_eq!(told(&mut cache), [(1, ROW.into())]);
    assert!(!cache.stands("t", ID), "somebody else has written the key since the load began");
}

#[test]
fn a_queue_that_is_full_sheds_the_read_and_wakes_the_engine_to_say_so() {
    let mut cache = with(&["queue_limit", "1"]);
    read(&mut cache, ID);
    read(&mut cache, r#"{"id":2}"#);
    assert!(cache.store.is_woken.get());
    assert_eq!(codes(&mut cache), [(2, "PGBUSY".into())]);
}

#[test]
fn the_sweep_removes_what_earlier_epochs_have_left() {
    let mut cache = cache();
    for id in 1..=100 {
        let key = format!(r#"{{"id":{id}}}"#);
        cache.load("t", &key, &key);
    }
    assert_eq!(text(flush(&mut cache, &["t"])), "Integer(1)");
    cache.load("t", ID, ROW);
    cache.store.write(b"other", b"somebody's");
    assert!(cache.store.content().len() > 101);
    cache.engine.tick(&cache.store);
    while cache.store.clients.sweeps.take() {
        cache.engine.sweep_slice(&cache.store);
    }
    let left: Vec<_> = cache.store.content().into_keys().filter(|key| !key.starts_with(b"pg_cache:@")).collect();
    assert_eq!(left, [Box::from(&b"other"[..]), cache.cache_key("t", ID)]);
    assert!(Arc::strong_count(&cache.table("t").definition) > 0);
}
