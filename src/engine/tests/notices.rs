//! Change notices: what they name is not served again.

use crate::cache::{Notice, Relation, TableDefinition};
use crate::engine::tests::memory::Role;
use crate::settings::EventType;

use super::cache::{other_table, row_called, row_of, table, unwatched, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;
const NEW: &str = r#"{"v":2}"#;
const CHANGE: &str = r#"{"id":1,"k":"a"}"#;

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

/// A cache that holds row 1 of `t`.
fn filled() -> Cache {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", ID, ROW);
    assert_eq!(cache.read("t", ID), hit(ROW));
    cache
}

#[test]
fn a_row_is_served_until_a_notice_names_it() {
    let mut cache = filled();
    cache.changed(1, &[CHANGE]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn what_a_notice_does_not_name_is_served_on() {
    let mut cache = filled();
    cache.changed(1, &[r#"{"id":2,"k":"b"}"#]);
    assert_eq!(cache.read("t", ID), hit(ROW));
}

#[test]
fn each_unique_key_of_a_row_is_dropped() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", r#"{"k":"a"}"#);
    let load = cache.loads()[0];
    cache.complete(load, Ok(row_called(ROW, r#"{"k":"a"}"#)));
    cache.answers();
    assert_eq!(cache.read("t", r#"{"k":"a"}"#), hit(ROW));
    cache.changed(1, &[CHANGE]);
    assert_eq!(cache.read("t", r#"{"k":"a"}"#), Read::Waits(2));
}

#[test]
fn one_notice_names_many_rows() {
    let mut cache = filled();
    cache.load("t", r#"{"id":2}"#, ROW);
    cache.changed(1, &[r#"{"id":2,"k":"b"}"#, CHANGE]);
    assert!(!cache.stands("t", ID) && !cache.stands("t", r#"{"id":2}"#));
}

#[test]
fn a_notice_without_keys_drops_the_table() {
    let mut cache = filled();
    cache.notice(&Notice::Table(Relation::Oid(1)));
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert_eq!(cache.engine.counters.epochs, 1);
}

#[test]
fn a_notice_of_another_relation_drops_nothing() {
    let mut cache = filled();
    cache.notice(&Notice::Table(Relation::Oid(9)));
    cache.changed(9, &[CHANGE]);
    assert_eq!(cache.read("t", ID), hit(ROW));
    assert_eq!(cache.engine.counters.notices, 2);
}

#[test]
fn a_relation_that_a_table_reads_from_concerns_it() {
    let mut cache = Cache::new();
    cache.add(TableDefinition { concerns: vec![1, 7], ..table() });
    cache.load("t", ID, ROW);
    cache.changed(7, &[CHANGE]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn tables_of_one_source_do_not_share_notices() {
    let mut cache = filled();
    cache.add(other_table());
    cache.load("u", ID, ROW);
    cache.changed(1, &[CHANGE]);
    assert!(!cache.stands("t", ID) && cache.stands("u", ID));
}

#[test]
fn a_row_that_cannot_be_read_drops_the_table() {
    for row in ["", "{", "[]", "{\"id\":1,\"id\":2}", "null", "\u{0}"] {
        let mut cache = filled();
        cache.changed(1, &[row]);
        assert_eq!(cache.read("t", ID), Read::Waits(2), "{row:?}");
    }
}

#[test]
fn a_row_that_lacks_a_unique_key_drops_the_table() {
    let mut cache = filled();
    cache.changed(1, &[r#"{"id":2}"#]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_null_is_in_no_unique_key_and_drops_no_table() {
    let mut cache = filled();
    cache.changed(1, &[r#"{"id":2,"k":null}"#]);
    assert_eq!(cache.read("t", ID), hit(ROW));
    cache.changed(1, &[r#"{"id":1,"k":null}"#]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_trigger_of_others_is_not_trusted_with_texts_that_only_postgresql_spells() {
    let mut cache = filled();
    let rows = vec![r#"{"id":2,"k":"b"}"#.into()];
    cache.notice(&Notice::Rows { relation: Relation::Name("t".into()), rows });
    assert_eq!(cache.read("t", ID), Read::Waits(2), "all of the table");
}

#[test]
fn a_trigger_of_others_names_rows_by_plain_keys() {
    let mut cache = Cache::new();
    cache.add(TableDefinition { unique_keys: vec![vec![0]], named_keys: vec![vec![0]], ..table() });
    cache.load("t", ID, ROW);
    cache.load("t", r#"{"id":2}"#, ROW);
    let rows = vec![r#"{"id":2,"k":"b","v":3}"#.into()];
    cache.notice(&Notice::Rows { relation: Relation::Name("t".into()), rows });
    assert!(cache.stands("t", ID) && !cache.stands("t", r#"{"id":2}"#));
}

#[test]
fn a_name_means_the_tables_of_that_name_in_any_schema() {
    let mut cache = filled();
    let elsewhere = TableDefinition { schema: "s".into(), display: "s.t".into(), ..other_table() };
    cache.add(TableDefinition { relation: "t".into(), ..elsewhere });
    cache.load("s.t", ID, ROW);
    cache.notice(&Notice::Table(Relation::Name("t".into())));
    assert!(!cache.stands("t", ID) && !cache.stands("s.t", ID));
}

#[test]
fn entries_that_no_unique_key_names_end_with_any_change_of_the_table() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", r#"{"g":"x"}"#, ROW);
    assert_eq!(cache.read("t", r#"{"g":"x"}"#), hit(ROW));
    cache.changed(1, &[r#"{"id":9,"k":"z"}"#]);
    assert_eq!(cache.read("t", r#"{"g":"x"}"#), Read::Waits(2));
    assert_eq!((cache.engine.counters.loose_drops, cache.engine.counters.epochs), (1, 0));
}

#[test]
fn entries_under_a_unique_key_that_changes_do_not_name_end_with_any_change_of_the_table() {
    let mut cache = Cache::new();
    cache.add(TableDefinition { named_keys: vec![vec![1]], ..table() });
    cache.load("t", ID, ROW);
    assert_eq!(cache.read("t", ID), hit(ROW));
    cache.changed(1, &[r#"{"k":"z"}"#]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert_eq!((cache.engine.counters.loose_drops, cache.engine.counters.epochs), (1, 0));
}

#[test]
fn what_a_client_writes_under_a_key_that_changes_do_not_name_stands_until_the_next_change() {
    let mut cache = Cache::new();
    cache.add(TableDefinition { named_keys: vec![vec![1]], ..table() });
    cache.load("t", ID, ROW);
    cache.write("t", ID, r#"{"id":1,"v":2}"#).expect("it is written");
    assert_eq!(cache.read("t", ID), hit(r#"{"id":1,"v":2}"#));
    cache.changed(1, &[r#"{"k":"z"}"#]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_change_ends_such_entries_only_where_there_may_be_some() {
    let mut cache = filled();
    cache.changed(1, &[r#"{"id":9,"k":"z"}"#]);
    assert_eq!(cache.engine.counters.loose_drops, 0);
}

#[test]
fn a_load_that_began_before_a_notice_is_not_stored() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", ID);
    cache.changed(1, &[CHANGE]);
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(1, Ok(Some(ROW.into())))]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn a_load_whose_own_key_nobody_knows_yet_is_not_stored_after_any_notice_of_its_table() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", r#"{"k":"A"}"#);
    cache.changed(1, &[CHANGE]);
    let load = cache.loads()[0];
    cache.complete(load, Ok(row_called(ROW, r#"{"k":"a"}"#)));
    cache.answers();
    assert_eq!(cache.read("t", r#"{"k":"A"}"#), Read::Waits(2));
}

#[test]
fn a_load_of_another_row_is_stored_after_a_notice() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", r#"{"id":2}"#);
    cache.changed(1, &[CHANGE]);
    cache.complete_row(ROW);
    assert!(cache.stands("t", r#"{"id":2}"#));
}

#[test]
fn who_waits_for_a_superseded_load_gets_what_the_next_one_brings() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", ID);
    cache.changed(1, &[CHANGE]);
    cache.read("t", ID);
    let loads = cache.loads();
    cache.complete(loads[0], Ok(row_of(ROW)));
    assert_eq!(cache.answers(), []);
    cache.complete(loads[1], Ok(row_of(NEW)));
    assert_eq!(cache.answers(), [(1, Ok(Some(NEW.into()))), (2, Ok(Some(NEW.into())))]);
}

#[test]
fn who_waits_for_a_superseded_load_gets_what_was_stored_meanwhile() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", ID);
    cache.changed(1, &[CHANGE]);
    cache.read("t", ID);
    let loads = cache.loads();
    cache.complete(loads[1], Ok(row_of(NEW)));
    cache.complete(loads[0], Ok(row_of(ROW)));
    assert_eq!(cache.answers(), [(2, Ok(Some(NEW.into()))), (1, Ok(Some(NEW.into())))]);
    assert_eq!(cache.read("t", ID), hit(NEW));
}

#[test]
fn an_unwatched_table_lives_by_its_time_and_listens_all_the_same() {
    let mut cache = Cache::new();
    cache.add(unwatched());
    cache.load("t", ID, ROW);
    assert_eq!(cache.read("t", ID), hit(ROW));
    cache.changed(1, &[CHANGE]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
}

#[test]
fn each_row_that_is_dropped_is_told_with_its_reason() {
    let mut cache = filled();
    let key = cache.cache_key("t", ID);
    cache.store.take_emitted();
    cache.changed(1, &[CHANGE]);
    let told = cache.store.take_emitted();
    assert!(told.iter().all(|told| told.kind == EventType::Invalidate));
    assert!(told.iter().any(|told| told.cache_key == key && told.reason.as_deref() == Some("notice")));
}

#[test]
fn a_table_that_is_dropped_is_told() {
    let mut cache = filled();
    cache.store.take_emitted();
    cache.notice(&Notice::Table(Relation::Oid(1)));
    let kinds: Vec<EventType> = cache.store.take_emitted().into_iter().map(|told| told.kind).collect();
    assert_eq!(kinds, [EventType::TableFlush]);
}

#[test]
fn definitions_that_change_drop_the_tables_that_they_concern() {
    let mut cache = filled();
    cache.add(other_table());
    cache.load("u", ID, ROW);
    cache.notice(&Notice::Definitions(vec![1]));
    assert!(!cache.stands("t", ID) && cache.stands("u", ID));
}

#[test]
fn what_a_pause_keeps_from_being_removed_is_not_served() {
    let mut cache = filled();
    cache.set_role(Role::Paused);
    cache.changed(1, &[CHANGE]);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert!(cache.stands("t", ID), "nothing is written in a pause");
}

#[test]
fn the_end_of_a_pause_removes_it() {
    let mut cache = filled();
    cache.set_role(Role::Paused);
    cache.changed(1, &[CHANGE]);
    cache.store.set_role(Role::Master);
    cache.tick();
    assert!(!cache.stands("t", ID));
    assert!(cache.engine.freshness.pending_invalidations.is_empty());
}

#[test]
fn a_row_in_doubt_does_not_keep_another_one_from_being_served() {
    let mut cache = filled();
    cache.load("t", r#"{"id":2}"#, ROW);
    cache.set_role(Role::Paused);
    cache.changed(1, &[CHANGE]);
    assert_eq!(cache.read("t", r#"{"id":2}"#), hit(ROW));
}
