//! Notices that come before their transaction is visible: what is loaded meanwhile is answered and not stored.

use crate::cache::{Error, ErrorKind, Gap, Notice, PgSnapshot, Relation, TableDefinition};
use crate::workers::FeedEvent;

use super::cache::{other_table, row_called, row_of, table, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const OTHER: &str = r#"{"id":2}"#;
const CHANGE: &str = r#"{"id":1,"k":"a"}"#;
const OLD: &str = r#"{"v":1}"#;
const NEW: &str = r#"{"v":2}"#;

/// Transaction 7 has ended; it runs.
const SEEN: Option<&str> = Some("9:9:");
const UNSEEN: Option<&str> = Some("7:9:7");

fn cache() -> Cache {
    let mut cache = Cache::with(&["invalidation", "wal"]);
    cache.add(table());
    cache
}

fn snapshot(text: &str) -> PgSnapshot {
    text.parse().expect("it is one")
}

fn rows(oid: u32, rows: &[&str]) -> Notice {
    Notice::Rows { relation: Relation::Oid(oid), rows: rows.iter().map(|row| (*row).into()).collect() }
}

/// A cache that was told that transaction 7 has changed row 1.
fn told() -> Cache {
    let mut cache = cache();
    cache.told(Some(7), &rows(1, &[CHANGE]));
    cache
}

/// Whether a row of `t` that is read now is stored, when PostgreSQL shows `seen` before it is loaded.
fn is_stored(cache: &mut Cache, key: &str, seen: Option<&str>) -> bool {
    is_stored_in(cache, "t", key, seen)
}

fn is_stored_in(cache: &mut Cache, name: &str, key: &str, seen: Option<&str>) -> bool {
    assert!(matches!(cache.read(name, key), Read::Waits(_)), "nothing stands there");
    let load = *cache.loads().last().expect("it is loaded");
    cache.complete_seeing(load, Ok(row_called(OLD, key)), seen.map(snapshot));
    assert_eq!(cache.answers().len(), 1, "it is answered in any case");
    cache.stands(name, key)
}

#[test]
fn a_row_that_was_read_without_its_change_is_answered_and_not_stored() {
    let mut cache = told();
    assert!(!is_stored(&mut cache, ID, UNSEEN));
    assert!(!is_stored(&mut cache, ID, None), "nobody has looked");
    assert!(is_stored(&mut cache, ID, SEEN));
    assert_eq!((cache.engine.counters.guarded, cache.engine.counters.not_visible), (3, 2));
}

#[test]
fn another_row_is_stored_without_a_look() {
    let mut cache = told();
    assert!(is_stored(&mut cache, OTHER, None));
    assert_eq!(cache.engine.counters.guarded, 0);
}

#[test]
fn a_change_that_is_visible_when_it_is_told_guards_nothing() {
    let mut cache = cache();
    cache.told(None, &rows(1, &[CHANGE]));
    assert!(is_stored(&mut cache, ID, None));
}

#[test]
fn a_row_that_only_postgresql_can_name_is_guarded_by_any_change_of_its_table() {
    let mut cache = told();
    assert!(!is_stored(&mut cache, r#"{"k":"z"}"#, UNSEEN));
    assert!(is_stored(&mut cache, r#"{"k":"z"}"#, SEEN));
}

#[test]
fn a_row_that_no_unique_key_names_is_guarded_by_any_change_of_its_table() {
    let mut cache = told();
    assert!(!is_stored(&mut cache, r#"{"g":"z"}"#, UNSEEN));
    assert!(is_stored(&mut cache, r#"{"g":"z"}"#, SEEN));
}

#[test]
fn each_row_is_guarded_by_a_drop_of_its_table() {
    for notice in [Notice::Table(Relation::Oid(1)), rows(1, &["{}"]), Notice::Definitions(vec![1])] {
        let mut cache = cache();
        cache.told(Some(7), &notice);
        assert!(!is_stored(&mut cache, OTHER, UNSEEN), "{notice:?}");
        assert!(is_stored(&mut cache, OTHER, SEEN), "{notice:?}");
    }
}

#[test]
fn each_row_of_a_table_that_becomes_known_is_guarded_by_what_was_told_before() {
    let mut cache = cache();
    cache.told(Some(7), &rows(2, &[CHANGE]));
    cache.add(other_table());
    assert!(!is_stored_in(&mut cache, "u", OTHER, UNSEEN));
    cache.told(Some(8), &rows(2, &[CHANGE]));
    assert!(is_stored_in(&mut cache, "u", OTHER, Some("8:9:8")), "by now its rows are named");
}

#[test]
fn each_row_of_a_table_that_becomes_another_is_guarded_by_what_was_told_before() {
    let mut cache = told();
    cache.add(TableDefinition { fingerprint: 5, ..table() });
    assert!(!is_stored(&mut cache, OTHER, UNSEEN));
    assert!(is_stored(&mut cache, OTHER, SEEN));
}

#[test]
fn a_relation_that_a_table_reads_from_guards_it() {
    let mut cache = cache();
    cache.add(TableDefinition { concerns: vec![2, 9], ..other_table() });
    cache.told(Some(7), &rows(9, &[CHANGE]));
    assert!(!is_stored_in(&mut cache, "u", ID, UNSEEN));
    assert!(is_stored_in(&mut cache, "u", ID, SEEN));
}

#[test]
fn the_look_of_the_feed_ends_it() {
    let mut cache = told();
    cache.feed(FeedEvent::Snapshot(snapshot("7:9:7")));
    assert!(!is_stored(&mut cache, ID, None));
    cache.feed(FeedEvent::Snapshot(snapshot("9:9:")));
    assert!(is_stored(&mut cache, ID, None));
}

#[test]
fn a_load_that_a_further_change_overtakes_is_not_stored_whatever_it_saw() {
    let mut cache = told();
    cache.read("t", ID);
    cache.told(Some(8), &rows(1, &[CHANGE]));
    let load = cache.loads()[0];
    cache.complete_seeing(load, Ok(row_of(OLD)), Some(snapshot("9:9:")));
    assert!(!cache.stands("t", ID));
    assert_eq!(cache.engine.counters.not_visible, 0);
}

/// They may know of the change already, if it became visible after the load had read.
#[test]
fn who_joins_a_load_that_saw_too_little_is_answered_by_the_next_one() {
    let mut cache = told();
    cache.read("t", ID);
    assert_eq!((cache.read("t", ID), cache.read("t", ID)), (Read::Waits(2), Read::Waits(3)));
    let load = cache.loads()[0];
    cache.complete_seeing(load, Ok(row_of(OLD)), Some(snapshot("7:9:7")));
    assert_eq!(cache.answers(), [(1, Ok(Some(OLD.into())))]);
    let next = cache.loads()[0];
    cache.complete_seeing(next, Ok(row_of(NEW)), Some(snapshot("9:9:")));
    assert_eq!(cache.answers(), [(2, Ok(Some(NEW.into()))), (3, Ok(Some(NEW.into())))]);
    assert_eq!(cache.read("t", ID), Read::Hit(NEW.into()));
}

#[test]
fn nobody_waits_for_more_than_two_loads() {
    let mut cache = told();
    cache.read("t", ID);
    cache.read("t", ID);
    let mut answered = 0;
    for loads in 1..=5 {
        let load = cache.loads()[0];
        assert_eq!(cache.read("t", ID), Read::Waits(loads + 2));
        cache.complete_seeing(load, Ok(row_of(OLD)), Some(snapshot("7:9:7")));
        answered += cache.answers().len() as u64;
        assert_eq!(answered, if loads == 1 { 1 } else { loads + 1 }, "all but those who joined this load");
    }
}

#[test]
fn who_joins_a_load_that_saw_enough_is_answered_with_it() {
    let mut cache = told();
    cache.read("t", ID);
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete_seeing(load, Ok(row_of(NEW)), Some(snapshot("9:9:")));
    assert_eq!(cache.answers().len(), 2);
    assert!(cache.stands("t", ID) && cache.loads().is_empty());
}

#[test]
fn a_failed_load_proves_nothing() {
    let mut cache = told();
    cache.read("t", ID);
    let load = cache.loads()[0];
    cache.complete(load, Err(Error::new(ErrorKind::Down, "no")));
    assert_eq!(cache.answers().len(), 1);
    assert_eq!(cache.engine.counters.guarded, 0);
    assert!(!is_stored(&mut cache, ID, UNSEEN));
}

#[test]
fn a_gap_leaves_what_was_told_and_may_be_invisible() {
    for gap in [FeedEvent::Gap(Gap::Recreated), FeedEvent::Opened { gap: Some(Gap::Reconnected) }] {
        let mut cache = told();
        cache.feed(gap);
        assert!(!is_stored(&mut cache, ID, UNSEEN));
    }
}

#[test]
fn transactions_of_another_server_guard_nothing() {
    let mut cache = told();
    cache.feed(FeedEvent::Opened { gap: Some(Gap::FailedOver) });
    assert!(is_stored(&mut cache, ID, None));
}

#[test]
fn after_lost_notices_nothing_is_stored_until_the_feed_has_looked() {
    let mut cache = cache();
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    assert!(!is_stored(&mut cache, OTHER, SEEN));
    cache.feed(FeedEvent::Snapshot(snapshot("7:9:7")));
    assert!(is_stored(&mut cache, OTHER, None));
}

#[test]
fn what_ran_when_notices_were_lost_is_a_gap_when_it_ends() {
    let mut cache = cache();
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    cache.feed(FeedEvent::Snapshot(snapshot("6:9:6,7")));
    assert!(is_stored(&mut cache, OTHER, None));
    cache.told(Some(6), &rows(1, &[CHANGE]));
    cache.feed(FeedEvent::Snapshot(snapshot("7:9:7")));
    assert!(cache.stands("t", OTHER), "that one was told");
    cache.feed(FeedEvent::Snapshot(snapshot("9:9:")));
    assert!(!cache.stands("t", OTHER));
}

#[test]
fn a_feed_whose_changes_are_visible_may_lose_notices_without_a_look() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    assert!(is_stored(&mut cache, ID, None));
}

#[test]
fn what_is_told_to_a_replica_guards_it_once_it_is_a_master() {
    use super::memory::Role;
    let mut cache = cache();
    cache.set_role(Role::Replica);
    cache.told(Some(7), &rows(1, &[CHANGE]));
    cache.set_role(Role::Master);
    assert!(!is_stored(&mut cache, ID, UNSEEN));
    assert!(is_stored(&mut cache, ID, SEEN));
}

#[test]
fn a_refresh_that_saw_too_little_leaves_what_stands() {
    let settings = ["invalidation", "wal", "default_ttl", "10", "grace", "60", "refresh_ahead_percent", "90"];
    let mut cache = Cache::with(&settings);
    cache.add(table());
    cache.load("t", ID, OLD);
    cache.pass(3000);
    cache.told(Some(7), &Notice::Table(Relation::Oid(2)));
    cache.told(Some(8), &rows(1, &[r#"{"id":2,"k":"b"}"#]));
    assert_eq!(cache.read("t", ID), Read::Waits(2), "its source is suspect by now");
    cache.beat();
    assert_eq!(cache.read("t", ID), Read::Hit(OLD.into()));
}
