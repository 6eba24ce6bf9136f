//! Gaps in the change notices, and sources that fall silent.

use crate::cache::lease::LeaseStatus;
use crate::cache::Gap;
use crate::engine::Store;
use crate::workers::FeedEvent;

use super::cache::{other_table, table, unwatched, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

fn filled(settings: &[&str]) -> Cache {
    let mut cache = Cache::with(settings);
    cache.add(table());
    cache.load("t", ID, ROW);
    cache
}

fn freshness(cache: &Cache) -> LeaseStatus {
    cache.engine.freshness_of(0, (&cache.store).monotonic_ms())
}

#[test]
fn each_cause_of_a_gap_ends_what_watched_tables_held() {
    for gap in Gap::ALL {
        let mut cache = filled(&[]);
        cache.feed(FeedEvent::Gap(gap));
        assert_eq!(cache.read("t", ID), Read::Waits(2), "{}", gap.name());
        assert_eq!(
            cache.engine.counters.gaps,
            u64::from(gap != Gap::Connected),
            "the first session is none to speak of"
        );
    }
}

#[test]
fn a_gap_leaves_unwatched_tables_alone() {
    let mut cache = Cache::new();
    cache.add(unwatched());
    cache.load("t", ID, ROW);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_gap_supersedes_the_loads_of_watched_tables() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", ID);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    cache.complete_row(ROW);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn tables_that_nobody_reads_follow_a_gap_with_the_clock() {
    let mut cache = filled(&[]);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    assert_eq!(cache.engine.counters.epochs, 0);
    cache.tick();
    assert_eq!(cache.engine.counters.epochs, 1);
    cache.tick();
    assert_eq!(cache.engine.counters.epochs, 1, "once");
}

#[test]
fn many_tables_follow_a_few_at_a_time() {
    let mut cache = Cache::new();
    for oid in 1..=100 {
        let mut definition = other_table();
        (definition.oid, definition.concerns) = (oid, vec![oid]);
        definition.display = format!("t{oid}");
        cache.add(definition);
    }
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    let mut followed = vec![];
    while followed.last() != Some(&100) {
        cache.tick();
        followed.push(cache.engine.counters.epochs);
    }
    assert_eq!(followed, [32, 64, 96, 100]);
}

#[test]
fn what_is_stored_after_a_gap_is_served() {
    let mut cache = filled(&[]);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    cache.load("t", ID, ROW);
    assert_eq!(cache.read("t", ID), hit(ROW));
    cache.tick();
    assert_eq!(cache.read("t", ID), hit(ROW), "its table has followed already");
}

#[test]
fn a_source_is_suspect_once_no_heartbeat_came_back_for_max_staleness() {
    let mut cache = filled(&["max_staleness_ms", "2000"]);
    cache.pass(1999);
    assert_eq!((freshness(&cache), cache.read("t", ID)), (LeaseStatus::Live, hit(ROW)));
    cache.pass(1);
    assert_eq!((freshness(&cache), cache.read("t", ID)), (LeaseStatus::Suspect, Read::Waits(2)));
    assert_eq!(cache.engine.counters.bypassed, 1);
}

#[test]
fn what_is_loaded_from_a_suspect_source_is_not_stored() {
    let mut cache = filled(&["max_staleness_ms", "2000"]);
    cache.pass(2000);
    cache.read("t", r#"{"id":2}"#);
    cache.complete_row(ROW);
    assert!(!cache.stands("t", r#"{"id":2}"#));
}

#[test]
fn a_heartbeat_makes_a_source_live_again_with_what_it_held() {
    let mut cache = filled(&["max_staleness_ms", "2000"]);
    cache.pass(2500);
    cache.beat();
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn where_the_setting_says_so_a_suspect_source_serves_on() {
    let mut cache = filled(&["max_staleness_ms", "2000", "on_gap", "serve"]);
    cache.pass(60_000);
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn unwatched_tables_do_not_care_whether_their_source_is_suspect() {
    let mut cache = Cache::new();
    cache.add(unwatched());
    cache.load("t", ID, ROW);
    cache.pass(60_000);
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn a_session_that_opens_after_a_gap_tells_of_it() {
    let mut cache = filled(&[]);
    cache.feed(FeedEvent::Closed("lost".into()));
    assert_eq!(cache.read("t", ID), hit(ROW), "until the lease runs out");
    cache.feed(FeedEvent::Opened { gap: Some(Gap::Reconnected) });
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_session_that_opens_without_a_gap_ends_nothing() {
    let mut cache = filled(&[]);
    cache.feed(FeedEvent::Closed("lost".into()));
    cache.feed(FeedEvent::Opened { gap: None });
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn the_reason_of_a_lost_session_is_kept_until_a_heartbeat_comes_back() {
    let mut cache = filled(&[]);
    let reason = |cache: &Cache| cache.engine.freshness.leases.get(0).and_then(|known| known.reason.clone());
    cache.feed(FeedEvent::Closed("lost".into()));
    assert_eq!(reason(&cache).as_deref(), Some("lost"));
    cache.beat();
    assert_eq!(reason(&cache), None);
}

#[test]
fn definitions_that_cannot_be_compared_are_a_reason_where_there_is_no_other() {
    let mut cache = filled(&[]);
    cache.feed(FeedEvent::Closed("lost".into()));
    cache.feed(FeedEvent::Uncompared("denied".into()));
    let reason = cache.engine.freshness.leases.get(0).and_then(|known| known.reason.clone());
    assert_eq!(reason.as_deref(), Some("lost"));
}

#[test]
fn foreign_notices_are_counted() {
    let mut cache = filled(&[]);
    cache.feed(FeedEvent::Foreign(3));
    cache.feed(FeedEvent::Foreign(4));
    assert_eq!(cache.engine.freshness.leases.get(0).map(|known| known.foreign), Some(7));
    assert_eq!(cache.read("t", ID), hit(ROW), "they end nothing");
}

#[test]
fn notices_that_came_together_are_applied_one_by_one() {
    let mut cache = filled(&[]);
    let table = crate::cache::notice::Notice::Table(crate::cache::notice::Relation::Oid(1));
    cache.feed(FeedEvent::Notices { xid: None, notices: vec![table.clone(), table] });
    assert_eq!(cache.engine.counters.notices, 0, "when it is their turn");
}

#[test]
fn another_vocabulary_drops_tables_that_may_run_code() {
    let mut cache = Cache::new();
    let mut definition = table();
    definition.is_plain = false;
    cache.add(definition);
    cache.add(other_table());
    cache.load("t", ID, ROW);
    cache.load("u", ID, ROW);
    cache.feed(FeedEvent::Vocabulary(1));
    assert!(cache.stands("t", ID), "the first is no change");
    cache.feed(FeedEvent::Vocabulary(1));
    assert!(cache.stands("t", ID), "and the same is none");
    cache.feed(FeedEvent::Vocabulary(2));
    assert!(!cache.stands("t", ID) && cache.stands("u", ID));
}
