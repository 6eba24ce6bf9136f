//! MINLSN and BARRIER: who is answered by an entry, who waits for a load, and when all changes have been applied.

use std::time::{Duration, Instant};

use super::client::{cache, code, fetched, read, read_from, text, told, with, ID, ROW};
use crate::cache::{Answer, Error, ErrorKind, Gap, Lsn};
use crate::clock::beginning;
use crate::commands::multiread::ReadRows;
use crate::commands::read_words::ReadWords;
use crate::engine::tests::cache::{no_row, row_called, row_of, unwatched, Cache};
use crate::engine::tests::memory::Role;
use crate::workers::FeedEvent;

const NEW: &str = r#"{"id":1,"v":2}"#;
const KEYS: &str = r#"{"id":1,"k":"a"}"#;

/// A cache that holds the row as it was, and has applied all changes up to position 10.
fn holding() -> Cache {
    let mut cache = cache();
    cache.load("t", ID, ROW);
    cache.beat_at(Some(Lsn(10)));
    cache
}

#[test]
fn an_entry_answers_once_all_changes_up_to_the_position_were_applied() {
    let mut cache = holding();
    assert_eq!(text(read_from(&mut cache, ID, 10)), ROW);
    assert_eq!(text(read_from(&mut cache, ID, 11)), "waits");
    cache.feed(FeedEvent::Applied(Lsn(11)));
    assert_eq!(text(read_from(&mut cache, ID, 11)), ROW);
    cache.beat_at(Some(Lsn(4)));
    assert_eq!(text(read_from(&mut cache, ID, 11)), ROW, "positions go forward");
}

#[test]
fn what_is_loaded_for_a_position_takes_the_place_of_the_entry() {
    let mut cache = holding();
    read_from(&mut cache, ID, 11);
    assert_eq!(text(read(&mut cache, ID)), ROW, "others need not wait");
    fetched(&mut cache, row_of(NEW));
    assert_eq!(told(&mut cache), [(1, NEW.into())]);
    assert_eq!(text(read(&mut cache, ID)), NEW);
}

#[test]
fn nobody_waits_for_a_load_that_began_before_his_change() {
    let mut cache = cache();
    read(&mut cache, ID);
    read_from(&mut cache, ID, 11);
    let loads = cache.loads();
    cache.complete(loads[0], Ok(row_of(ROW)));
    assert_eq!(told(&mut cache), [], "who asked before waits for what the newer load brings");
    cache.complete(loads[1], Ok(row_of(NEW)));
    assert_eq!(told(&mut cache), [(2, NEW.into()), (1, NEW.into())]);
    assert_eq!(text(read(&mut cache, ID)), NEW);
}

#[test]
fn a_gap_a_lost_session_or_silence_vouches_for_nothing() {
    for event in [FeedEvent::Gap(Gap::FailedOver), FeedEvent::Closed("lost".into())] {
        let mut cache = holding();
        cache.feed(event);
        assert_eq!(text(read_from(&mut cache, ID, 1)), "waits");
    }
    let mut cache = with(&["on_gap", "serve"]);
    cache.load("t", ID, ROW);
    cache.beat_at(Some(Lsn(10)));
    cache.pass(2000);
    assert_eq!((text(read(&mut cache, ID)), text(read_from(&mut cache, ID, 1))), (ROW.into(), "waits".into()));
}

#[test]
fn nobody_vouches_for_a_table_that_is_not_watched() {
    let mut cache = Cache::new();
    cache.add(unwatched());
    cache.load("t", ID, ROW);
    cache.beat_at(Some(Lsn(10)));
    assert_eq!(text(read_from(&mut cache, ID, 1)), "waits");
    fetched(&mut cache, row_of(NEW));
    assert_eq!(told(&mut cache), [(1, NEW.into())]);
    assert_eq!(text(read(&mut cache, ID)), NEW, "it is stored all the same");
}

#[test]
fn an_entry_under_the_rows_own_key_is_not_told_to_who_has_named_a_position() {
    for (brought, wanted, left) in
        [(row_called(NEW, r#"{"k":"a"}"#), NEW, "waits"), (row_called(ROW, r#"{"k":"a"}"#), ROW, ROW)]
    {
        let mut cache = cache();
        read(&mut cache, r#"{"k":"a"}"#);
        fetched(&mut cache, row_called(ROW, r#"{"k":"a"}"#));
        told(&mut cache);
        assert_eq!(text(read(&mut cache, r#"{"k":"a"}"#)), ROW);
        read_from(&mut cache, r#"{"k":"A"}"#, 11);
        read(&mut cache, r#"{"k":"A"}"#);
        fetched(&mut cache, brought);
        assert_eq!(told(&mut cache), [(2, wanted.into()), (3, ROW.into())], "others are told what all are told");
        assert_eq!(text(read(&mut cache, r#"{"k":"a"}"#)), left, "nobody reads backwards");
    }
}

#[test]
fn a_row_that_does_not_exist_any_more_is_told_and_remembered() {
    let mut cache = holding();
    read_from(&mut cache, ID, 11);
    fetched(&mut cache, no_row());
    assert_eq!(told(&mut cache), [(1, "nil".into())]);
    assert_eq!(text(read(&mut cache, ID)), "nil");
}

#[test]
fn an_entry_does_not_stand_in_for_a_load_that_fails() {
    let mut cache = with(&["grace", "60"]);
    cache.load("t", ID, ROW);
    cache.pass(2500);
    read_from(&mut cache, ID, 11);
    read(&mut cache, ID);
    let load = cache.loads()[0];
    cache.complete(load, Err(Error::new(ErrorKind::Down, "gone")));
    let mut told = told(&mut cache);
    told.sort_unstable();
    assert_eq!(told, [(1, "PGDOWN gone".into()), (2, ROW.into())]);
}

#[test]
fn a_replica_reads_through_what_contradicts_its_masters_entry() {
    let mut cache = holding();
    cache.set_role(Role::Replica);
    cache.beat_at(Some(Lsn(10)));
    assert_eq!(text(read(&mut cache, ID)), ROW);
    read_from(&mut cache, ID, 11);
    fetched(&mut cache, row_of(NEW));
    assert_eq!(told(&mut cache), [(1, NEW.into())]);
    assert_eq!(text(read(&mut cache, ID)), "waits", "the entry of before is still there");
}

#[test]
fn nobody_waits_for_a_position_in_multi() {
    let mut cache = holding();
    cache.store.clients.is_in_multi.set(true);
    assert_eq!(text(read_from(&mut cache, ID, 10)), ROW);
    assert_eq!(code(read_from(&mut cache, ID, 11)), "PGMISS");
}

#[test]
fn a_multiread_loads_all_rows_that_the_position_is_ahead_of() {
    let mut cache = holding();
    let keys = r#"[{"id":1},{"id":2}]"#;
    let words = ReadWords { ttl: None, min_lsn: Some(Lsn(11)) };
    cache.run("t", &ReadRows { keys: keys.as_bytes().into(), words });
    let loads = cache.loads();
    cache.complete(loads[0], Ok(row_of(NEW)));
    cache.complete(loads[1], Ok(no_row()));
    assert_eq!(told(&mut cache), [(1, format!("[{NEW},null]"))]);
}

/// A client sends BARRIER. Returns what it is answered at once.
fn barrier(cache: &mut Cache, timeout_ms: Option<u64>) -> String {
    match cache.engine.barrier(&cache.store, 0, timeout_ms) {
        Ok(Answer::Blocked(_)) => "waits".into(),
        Ok(Answer::Now(reply)) => text(Some(reply)),
        Err(error) => error.to_string(),
    }
}

/// A heartbeat comes back that was sent so much later than now, or earlier.
fn beat(cache: &mut Cache, is_later: bool) {
    let hour = Duration::from_secs(3600);
    let sent = if is_later { Instant::now() + hour } else { beginning() };
    cache.feed(FeedEvent::Beat { sent, lsn: None, progress: None });
}

#[test]
fn a_barrier_is_passed_by_a_heartbeat_that_was_sent_after_it_began() {
    let mut cache = holding();
    assert_eq!(barrier(&mut cache, None), "waits");
    assert_eq!(barrier(&mut cache, None), "waits");
    beat(&mut cache, false);
    cache.feed(FeedEvent::Applied(Lsn(u64::MAX)));
    assert_eq!(told(&mut cache), []);
    cache.changed(1, &[KEYS]);
    beat(&mut cache, true);
    let told = told(&mut cache);
    assert!(told.len() == 2 && told.iter().all(|(_, reply)| reply.starts_with("Integer(")), "{told:?}");
    assert_eq!(text(read(&mut cache, ID)), "waits", "what was told before it was applied");
}

#[test]
fn a_barrier_asks_for_a_heartbeat_at_once() {
    let mut cache = holding();
    barrier(&mut cache, None);
    let known = &cache.engine.sources().get(0).expect("there is one").known;
    assert!(known.beat.take());
}

#[test]
fn a_barrier_that_is_not_passed_in_time_is_given_up() {
    let mut cache = with(&["load_timeout_ms", "100"]);
    barrier(&mut cache, Some(50));
    barrier(&mut cache, None);
    cache.pass(50);
    cache.engine.tick(&cache.store);
    assert_eq!(told(&mut cache)[0].1.split(' ').next(), Some("PGTIMEOUT"));
    cache.pass(50);
    cache.engine.tick(&cache.store);
    assert_eq!(told(&mut cache)[0].1.split(' ').next(), Some("PGTIMEOUT"));
    beat(&mut cache, true);
    assert_eq!(told(&mut cache), []);
}

#[test]
fn nobody_passes_a_barrier_of_a_source_that_tells_nothing_or_in_multi() {
    assert!(barrier(&mut with(&["invalidation", "off"]), None).contains("invalidation is off"));
    let mut cache = holding();
    cache.store.clients.is_in_multi.set(true);
    assert!(barrier(&mut cache, None).starts_with("PGMISS PGCACHE.BARRIER waits"));
}
