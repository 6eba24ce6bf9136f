//! The oracle on histories made by hand: what it must find and what it must let pass.

use super::clock::{Nanos, MILLISECOND};
use super::history::{Acknowledgement, Answer, Change, History, Read, Reshape};
use super::key::Key;
use super::noise::Noise;
use super::oracle::{judge, Verdict};
use super::row::Row;
use super::violation::Violation;

const KEY: Key = Key::Id(7);
const BOUND: Nanos = 100;

fn row(version: u32) -> Row {
    Row { id: 7, email: 3, version }
}

fn version(version: u32) -> Answer {
    Answer::Row(row(version))
}

/// Version 1 from the beginning; 2 was committed from 10 to 12, and so on.
fn versions(count: u32) -> History {
    let mut history = History::default();
    history.reshapes.push(Reshape { number: 0, shape: None, began: 0, returned: 0 });
    commit(&mut history, Some(1), 0, 0);
    for version in 2..=count {
        let began = u64::from(version - 1) * 10;
        commit(&mut history, Some(version), began, began + 2);
    }
    history
}

fn commit(history: &mut History, version: Option<u32>, began: Nanos, returned: Nanos) {
    history.changes.push(Change { key: KEY, state: version.map(row), began, returned, slack: 0 });
}

fn read(history: &mut History, reader: u16, answer: Answer, invoked: Nanos, returned: Nanos) {
    history.reads.push(Read { key: KEY, answer, shape: None, node: 0, invoked, returned, reader });
}

fn verdict(history: &History) -> Verdict {
    judge(history, &Noise::default(), BOUND)
}

/// Judges, and expects so many of this violation and none of another kind but `also`.
fn expect(history: &History, violation: Violation, count: usize, also: &[Violation]) {
    let violations = verdict(history).violations;
    assert_eq!(violations.count(violation), count, "{:?}", violations.lines());
    let others = violations.kinds().filter(|kind| *kind != violation && !also.contains(kind)).count();
    assert_eq!(others, 0, "{:?}", violations.lines());
}

fn expect_clean(history: &History) {
    let violations = verdict(history).violations;
    assert!(violations.is_empty(), "{:?}", violations.lines());
}

#[test]
fn a_clean_history_passes() {
    let mut history = versions(5);
    read(&mut history, 0, version(1), 1, 2);
    // While a commit is under way both versions may be seen.
    read(&mut history, 0, version(2), 10, 11);
    read(&mut history, 1, version(1), 10, 11);
    read(&mut history, 0, version(5), 50, 51);
    let verdict = verdict(&history);
    assert!(verdict.violations.is_empty());
    assert_eq!((verdict.reads, verdict.stale.count()), (4, 0));
}

#[test]
fn what_one_node_of_a_cluster_has_answered_only_that_node_may_not_take_back() {
    let mut history = versions(3);
    read(&mut history, 0, version(3), 30, 31);
    read(&mut history, 0, version(2), 32, 33);
    history.reads[1].node = 1;
    expect_clean(&history);
    history.reads[1].node = 0;
    expect(&history, Violation::OlderThanSeen, 1, &[Violation::Backwards]);
}

#[test]
fn a_change_that_may_be_told_later_counts_from_then_on() {
    let mut history = versions(2);
    // Version 2 was committed at 12.
    history.changes[1].slack = 50;
    read(&mut history, 0, version(1), 60, 61);
    assert_eq!(verdict(&history).stale.count(), 0);
    read(&mut history, 0, version(1), 70, 71);
    assert_eq!(verdict(&history).stale.max(), 8.0 / MILLISECOND as f64);
    // A commit that waits brings the ones before it into the log.
    commit(&mut history, Some(3), 20, 22);
    assert_eq!(verdict(&history).stale.max(), 48.0 / MILLISECOND as f64);
}

#[test]
fn staleness_is_the_time_since_the_first_newer_commit_returned() {
    let mut history = versions(5);
    // Version 2 was replaced at 22, 3 at 32 and so on.
    read(&mut history, 0, version(2), 52, 60);
    let noise = Noise::default();
    let verdict = judge(&history, &noise, BOUND);
    assert!(verdict.violations.is_empty());
    assert_eq!(verdict.stale.max(), 30.0 / MILLISECOND as f64);
}

#[test]
fn a_read_under_way_when_the_commit_returns_is_not_stale() {
    let mut history = versions(2);
    read(&mut history, 0, version(1), 12, 500);
    assert_eq!(verdict(&history).stale.count(), 0);
}

#[test]
fn too_stale_is_found() {
    let mut history = versions(2);
    read(&mut history, 0, version(1), 112, 113);
    expect_clean(&history);
    read(&mut history, 0, version(1), 113, 114);
    expect(&history, Violation::TooStale, 1, &[]);
}

#[test]
fn scheduling_noise_is_allowed_for() {
    let mut history = versions(2);
    read(&mut history, 0, version(1), 150, 151);
    let mut noise = Noise::default();
    noise.add(5, 20); // 8 of it after the commit
    noise.add(60, 95);
    noise.add(140, 170); // 10 of it before the read
    let late = judge(&history, &noise, BOUND);
    assert!(late.violations.is_empty(), "{:?}", late.violations.lines());
    assert_eq!(late.stale.max(), 138.0 / MILLISECOND as f64);
    assert_eq!(late.beyond_noise.max(), 85.0 / MILLISECOND as f64);
    expect(&history, Violation::TooStale, 1, &[]);
}

#[test]
fn older_than_what_other_readers_were_answered_is_found() {
    let mut history = versions(3);
    read(&mut history, 0, version(2), 14, 15);
    read(&mut history, 0, version(2), 16, 17);
    read(&mut history, 1, version(1), 18, 19);
    expect(&history, Violation::OlderThanSeen, 1, &[]);
}

#[test]
fn older_than_what_one_load_may_have_answered_is_found() {
    let mut history = versions(3);
    read(&mut history, 0, version(2), 14, 18);
    read(&mut history, 1, version(2), 16, 18);
    read(&mut history, 0, version(1), 19, 20);
    expect(&history, Violation::OlderThanSeen, 1, &[Violation::Backwards]);
}

#[test]
fn two_reads_at_the_same_time_may_see_different_versions() {
    let mut history = versions(3);
    read(&mut history, 0, version(2), 14, 20);
    read(&mut history, 1, version(1), 15, 30);
    read(&mut history, 2, version(1), 20, 30);
    expect_clean(&history);
}

#[test]
fn backwards_for_one_reader_is_found() {
    let mut history = versions(3);
    read(&mut history, 1, version(2), 14, 15);
    read(&mut history, 0, version(2), 16, 17);
    read(&mut history, 0, version(1), 18, 19);
    expect(&history, Violation::Backwards, 1, &[Violation::OlderThanSeen]);
}

#[test]
fn older_than_an_acknowledged_change_is_found() {
    let mut history = versions(2);
    history.acknowledgements.push(Acknowledgement { key: KEY, sent: 13, returned: 20 });
    read(&mut history, 0, version(1), 20, 25);
    expect_clean(&history);
    read(&mut history, 1, version(1), 21, 25);
    expect(&history, Violation::OlderThanAcknowledged, 1, &[]);
}

#[test]
fn an_acknowledgement_covers_only_what_was_committed_before_it_was_sent() {
    let mut history = versions(2);
    history.acknowledgements.push(Acknowledgement { key: KEY, sent: 11, returned: 20 });
    read(&mut history, 0, version(1), 21, 25);
    expect_clean(&history);
}

#[test]
fn a_torn_row_is_found() {
    let mut history = versions(1);
    read(&mut history, 0, Answer::Torn("{}".into()), 1, 2);
    expect(&history, Violation::Torn, 1, &[]);
}

#[test]
fn a_row_of_another_key_is_found() {
    let mut history = versions(1);
    read(&mut history, 0, Answer::Row(Row { id: 8, ..row(1) }), 1, 2);
    expect(&history, Violation::Torn, 1, &[]);
}

#[test]
fn a_version_that_never_was_is_found() {
    let mut history = versions(2);
    read(&mut history, 0, version(9), 14, 15);
    expect(&history, Violation::Invented, 1, &[]);
}

#[test]
fn a_version_with_another_address_is_found() {
    let mut history = versions(2);
    read(&mut history, 0, Answer::Row(Row { email: 4, ..row(2) }), 14, 15);
    expect(&history, Violation::Invented, 1, &[]);
}

#[test]
fn a_version_before_its_commit_was_sent_is_found() {
    let mut history = versions(2);
    read(&mut history, 0, version(2), 8, 9);
    expect(&history, Violation::Invented, 1, &[]);
}

#[test]
fn nil_for_a_row_that_always_was_there_is_found() {
    let mut history = versions(2);
    read(&mut history, 0, Answer::Nil, 14, 15);
    expect(&history, Violation::Invented, 1, &[]);
}

/// Deleted from 20 to 22, inserted again from 30 to 32.
fn reinserted() -> History {
    let mut history = versions(2);
    commit(&mut history, None, 20, 22);
    commit(&mut history, Some(3), 30, 32);
    history
}

#[test]
fn nil_after_an_insert_is_found() {
    let mut history = reinserted();
    read(&mut history, 0, Answer::Nil, 25, 26);
    read(&mut history, 0, Answer::Nil, 132, 133);
    expect_clean(&history);
    assert_eq!(verdict(&history).stale_nils, 1);
    read(&mut history, 0, Answer::Nil, 133, 134);
    expect(&history, Violation::NilTooStale, 1, &[]);
}

#[test]
fn nil_after_the_new_row_was_seen_is_found() {
    let mut history = reinserted();
    read(&mut history, 0, version(3), 33, 34);
    read(&mut history, 0, version(3), 35, 36);
    read(&mut history, 1, Answer::Nil, 37, 38);
    expect(&history, Violation::OlderThanSeen, 1, &[]);
}

#[test]
fn a_deleted_row_after_nil_is_found() {
    let mut history = reinserted();
    read(&mut history, 0, Answer::Nil, 23, 24);
    read(&mut history, 0, Answer::Nil, 25, 26);
    read(&mut history, 0, version(2), 27, 28);
    expect(&history, Violation::Backwards, 1, &[Violation::OlderThanSeen]);
}

#[test]
fn nil_is_the_last_absence_that_fits_for_its_age_and_the_first_for_its_order() {
    let mut history = reinserted();
    commit(&mut history, None, 40, 42);
    commit(&mut history, Some(4), 50, 52);
    // It may be the second absence, so it is fresh; it may be the first one, so that version 3 may follow.
    read(&mut history, 0, Answer::Nil, 43, 44);
    read(&mut history, 1, version(3), 45, 46);
    expect_clean(&history);
    // But not after version 3 was answered: then it is the second one, and version 3 is older.
    read(&mut history, 0, Answer::Nil, 47, 48);
    read(&mut history, 0, Answer::Nil, 49, 50);
    read(&mut history, 2, version(3), 51, 52);
    expect(&history, Violation::OlderThanSeen, 1, &[]);
}

#[test]
fn an_old_definition_is_found() {
    let mut history = versions(1);
    history.reshapes.push(Reshape { number: 1, shape: Some(1), began: 10, returned: 12 });
    read(&mut history, 0, version(1), 112, 113);
    expect_clean(&history);
    read(&mut history, 0, version(1), 113, 114);
    expect(&history, Violation::DefinitionTooStale, 1, &[]);
}

#[test]
#[should_panic(expected = "the history is none")]
fn changes_of_one_key_that_overlap_have_no_order() {
    let mut history = versions(2);
    commit(&mut history, Some(3), 11, 13);
    read(&mut history, 0, version(1), 1, 2);
    verdict(&history);
}
