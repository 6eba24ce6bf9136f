//! Masters that become replicas, and the other way round.

use crate::cache::{Gap, Lsn, Notice, Relation};
use crate::engine::tests::memory::Role;
use crate::engine::Store;
use crate::workers::FeedEvent;

use super::cache::{table, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;
const CHANGE: &str = r#"{"id":1,"k":"a"}"#;
const RECORD: &[u8] = b"pg_cache:@epoch:t";

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

/// A replica that holds row 1 of `t`, as its master has stored it.
fn replica() -> Cache {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.set_role(Role::Replica);
    cache
}

#[test]
fn a_gap_that_tables_have_not_followed_outlives_the_end_of_mastership() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    cache.set_role(Role::Replica);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_flush_that_tables_have_not_followed_does_so_too() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.engine.flush_all(&cache.store);
    cache.set_role(Role::Replica);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

/// A master that is to follow the master before it, which has announced `epoch`.
fn demoted(cache: &mut Cache, epoch: u64) {
    cache.set_role(Role::Replica);
    cache.store.write(RECORD, epoch.to_string().as_bytes());
    cache.touched(RECORD);
}

#[test]
fn no_epoch_is_used_twice_although_another_masters_was_lower() {
    let mut cache = replica();
    let ahead = 1_700_000_100_000;
    demoted(&mut cache, ahead);
    cache.set_role(Role::Master);
    cache.load("t", ID, ROW);
    assert_eq!(cache.read("t", ID), hit(ROW));
    demoted(&mut cache, ahead);
    cache.set_role(Role::Master);
    assert!(matches!(cache.read("t", ID), Read::Waits(_)), "what stood under the epoch before is found again");
}

#[test]
fn an_epoch_is_recorded_before_anything_is_stored_under_it() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.set_role(Role::Paused);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    cache.read("t", ID);
    cache.store.set_role(Role::Master);
    assert_eq!(cache.store.bytes(RECORD), None);
    cache.complete_row(ROW);
    let epoch = cache.table("t").epoch.expect("the gap has started one");
    assert_eq!(cache.store.bytes(RECORD), Some(epoch.to_string().into_bytes()));
    assert!(cache.stands("t", ID));
}

#[test]
fn a_replica_serves_what_its_master_has_stored() {
    assert_eq!(replica().read("t", ID), hit(ROW));
}

#[test]
fn a_replica_answers_from_postgresql_and_stores_nothing() {
    let mut cache = replica();
    cache.read("t", r#"{"id":2}"#);
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(2, Ok(Some(ROW.into())))]);
    assert!(!cache.stands("t", r#"{"id":2}"#));
    assert_eq!(cache.engine.counters.fills_skipped, 1);
}

#[test]
fn a_replica_refuses_writes() {
    let mut cache = replica();
    assert!(cache.invalidate("t", ID).is_err() && cache.write("t", ID, ROW).is_err());
    assert!(cache.stands("t", ID));
}

#[test]
fn a_replica_does_not_serve_what_a_notice_has_named_while_its_master_still_holds_it() {
    let mut cache = replica();
    cache.changed(1, &[CHANGE]);
    assert!(cache.stands("t", ID));
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn what_a_master_stores_before_its_word_may_be_older_than_a_notice() {
    let mut cache = replica();
    cache.changed(1, &[CHANGE]);
    let key = cache.cache_key("t", ID);
    cache.store.write(&key, ROW.as_bytes());
    cache.touched(&key);
    cache.pass(60_000);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn what_a_master_stores_after_its_word_is_served() {
    let mut cache = replica();
    cache.changed(1, &[CHANGE]);
    cache.await_masters_word();
    let key = cache.cache_key("t", ID);
    cache.store.write(&key, b"{\"v\":2}");
    cache.touched(&key);
    assert_eq!(cache.read("t", ID), hit("{\"v\":2}"));
}

#[test]
fn a_masters_word_counts_for_what_was_told_before_the_heartbeat_that_it_has_reached() {
    let mut cache = replica();
    cache.pass(10);
    cache.beat_at(Some(Lsn(7)));
    cache.changed(1, &[CHANGE]);
    cache.masters_word(Lsn(7));
    assert_eq!(cache.read("t", ID), Read::Waits(2), "the heartbeat was sent before the change was told");
    cache.pass(10);
    cache.beat_at(Some(Lsn(9)));
    assert!(!cache.engine.freshness.pending_invalidations.is_empty());
    cache.masters_word(Lsn(8));
    assert!(!cache.engine.freshness.pending_invalidations.is_empty());
    cache.masters_word(Lsn(9));
    assert!(cache.engine.freshness.pending_invalidations.is_empty());
}

/// What a master tells its replicas in a tick of its clock.
fn announced(cache: &mut Cache) -> Vec<String> {
    cache.pass(1000);
    cache.engine.announce_records(&cache.store, (&cache.store).monotonic_ms());
    cache.store.take_announced().into_iter().map(|(subject, said)| format!("{subject} {said}")).collect()
}

#[test]
fn a_master_says_how_far_it_has_applied_changes_once_for_each_heartbeat() {
    let mut cache = Cache::new();
    cache.beat_at(Some(Lsn(7)));
    assert_eq!(announced(&mut cache), ["progress @0/7 default"]);
    assert_eq!(announced(&mut cache), [""; 0]);
}

#[test]
fn a_master_says_nothing_before_all_that_it_was_told_is_removed() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    cache.set_role(Role::Paused);
    cache.changed(1, &[CHANGE]);
    cache.beat_at(Some(Lsn(7)));
    assert_eq!(announced(&mut cache), [""; 0]);
    cache.store.set_role(Role::Master);
    assert_eq!(announced(&mut cache), ["progress @0/7 default"]);
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_gap_takes_back_what_a_master_has_not_said() {
    let mut cache = Cache::new();
    cache.beat_at(Some(Lsn(7)));
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    assert_eq!(announced(&mut cache), [""; 0]);
}

#[test]
fn too_many_rows_to_remember_in_a_pause_drop_all_watched_tables() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", r#"{"id":100001}"#, ROW);
    cache.set_role(Role::Paused);
    for id in 0..=100_001 {
        cache.changed(1, &[&format!(r#"{{"id":{id},"k":null}}"#)]);
    }
    cache.store.set_role(Role::Master);
    cache.tick();
    assert!(matches!(cache.read("t", r#"{"id":100001}"#), Read::Waits(_)));
}

#[test]
fn what_another_master_has_said_does_not_count() {
    let mut cache = replica();
    cache.masters_word(Lsn(9));
    cache.set_role(Role::Replica);
    cache.changed(1, &[CHANGE]);
    cache.pass(10);
    cache.beat_at(Some(Lsn(9)));
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_replica_does_not_start_generations() {
    let mut cache = replica();
    cache.notice(&Notice::Table(Relation::Oid(1)));
    assert_eq!(cache.table("t").epoch, None);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_replica_follows_its_masters_record() {
    let mut cache = replica();
    cache.store.write(RECORD, b"1700000005000");
    cache.touched(RECORD);
    assert_eq!(cache.table("t").epoch, Some(1_700_000_005_000));
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_table_in_doubt_is_served_again_after_its_masters_word() {
    let mut cache = replica();
    cache.notice(&Notice::Table(Relation::Oid(1)));
    cache.store.write(RECORD, b"1700000005000");
    cache.touched(RECORD);
    cache.store.write(b"pg_cache:t@1700000005000:{\"id\":1}", ROW.as_bytes());
    cache.pass(60_000);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2), "the master may not have heard the notice");
    cache.masters_word(Lsn::default());
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_table_in_doubt_stays_so_without_its_masters_word() {
    let mut cache = replica();
    cache.pass(3000);
    cache.notice(&Notice::Table(Relation::Oid(1)));
    cache.pass(60_000);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_gap_on_a_replica_puts_its_source_in_doubt_until_its_master_has_spoken() {
    let mut cache = replica();
    cache.feed(FeedEvent::Gap(Gap::Reconnected));
    cache.pass(60_000);
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Waits(2), "the link may have stood still all the time");
    cache.masters_word(Lsn::default());
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_replica_that_becomes_a_master_starts_anew() {
    let mut cache = replica();
    cache.changed(1, &[CHANGE]);
    cache.set_role(Role::Master);
    assert!(cache.engine.freshness.pending_invalidations.is_empty());
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert_eq!(cache.engine.counters.gaps, 1);
}

#[test]
fn loads_that_began_in_another_role_are_not_stored() {
    let mut cache = replica();
    cache.read("t", r#"{"id":2}"#);
    cache.set_role(Role::Master);
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(2, Ok(Some(ROW.into())))]);
    assert!(!cache.stands("t", r#"{"id":2}"#));
}

#[test]
fn too_many_doubts_put_the_whole_source_in_doubt() {
    let mut cache = replica();
    cache.load("t", r#"{"id":200001}"#, ROW);
    for id in 0..=100_000 {
        cache.changed(1, &[&format!(r#"{{"id":{id},"k":null}}"#)]);
    }
    cache.store.write(b"pg_cache:t:{\"id\":200001}", ROW.as_bytes());
    assert!(matches!(cache.read("t", r#"{"id":200001}"#), Read::Waits(_)));
}
