//! Tests of transactions that may not be visible yet.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const TABLE: u64 = 7;
const RELATION: u32 = 70;

fn snapshot(text: &str) -> PgSnapshot {
    text.parse().unwrap()
}

fn row(lookup_key: &[u8]) -> RowScope<'_> {
    RowScope { table: TABLE, lookup_key, concerns: &[RELATION], since: 0, is_uncertain: false }
}

/// Transaction `xid` has changed these rows.
fn changed(invisible: &mut InvisibleTransactions, xid: u64, order: u64, keys: &[&[u8]]) {
    invisible.begin(Some(xid), order);
    invisible.touch_relation(Some(RELATION));
    keys.iter().for_each(|key| invisible.touch_row(TABLE, key));
    invisible.end();
}

/// One that has told this.
fn told(all: &[(u64, &[&[u8]])]) -> InvisibleTransactions {
    let mut invisible = InvisibleTransactions::default();
    for (order, (xid, keys)) in all.iter().enumerate() {
        changed(&mut invisible, *xid, order as u64 + 1, keys);
    }
    invisible
}

fn xids(guard: Option<SnapshotGuard>) -> Vec<u64> {
    (0..1000).filter(|xid| guard.as_ref().is_some_and(|guard| !guard.holds(Some(&all_but(*xid))))).collect()
}

/// In which nothing else runs.
fn all_but(xid: u64) -> PgSnapshot {
    snapshot(&format!("{xid}:1000:{xid}"))
}

#[test]
fn a_row_is_guarded_by_those_who_changed_it() {
    let invisible = told(&[(5, &[b"a", b"b"]), (6, &[b"b"])]);
    assert_eq!(xids(invisible.guard_row(&row(b"a"))), [5]);
    assert_eq!(xids(invisible.guard_row(&row(b"b"))), [5, 6]);
    assert_eq!(invisible.guard_row(&row(b"c")), None);
    assert_eq!(invisible.guard_row(&RowScope { table: 8, ..row(b"a") }), None);
}

#[test]
fn a_row_that_nobody_can_name_is_guarded_by_any_change() {
    let invisible = told(&[(5, &[b"a"]), (6, &[b"b"])]);
    assert_eq!(xids(invisible.guard_row(&RowScope { is_uncertain: true, ..row(b"c") })), [5, 6]);
}

#[test]
fn a_table_that_became_known_later_is_guarded_by_what_was_told_before() {
    let invisible = told(&[(5, &[]), (6, &[b"a"])]);
    assert_eq!(xids(invisible.guard_row(&RowScope { since: 1, ..row(b"c") })), [5]);
    assert_eq!(xids(invisible.guard_row(&RowScope { since: 2, ..row(b"c") })), [5, 6]);
}

#[test]
fn a_table_that_was_dropped_guards_each_row() {
    let mut invisible = InvisibleTransactions::default();
    invisible.begin(Some(5), 1);
    invisible.touch_table(TABLE);
    invisible.end();
    assert_eq!(xids(invisible.guard_row(&row(b"a"))), [5]);
    assert_eq!(invisible.guard_row(&RowScope { table: 8, ..row(b"a") }), None);
}

#[test]
fn a_query_is_guarded_by_what_it_reads() {
    let invisible = told(&[(5, &[b"a"]), (6, &[])]);
    assert_eq!(xids(invisible.guard_relations([1, RELATION].into_iter())), [5, 6]);
    assert_eq!(invisible.guard_relations([1].into_iter()), None);
}

#[test]
fn what_touched_nobody_knows_what_guards_everything() {
    let mut invisible = InvisibleTransactions::default();
    invisible.begin(Some(5), 1);
    invisible.touch_relation(None);
    invisible.end();
    assert_eq!(xids(invisible.guard_row(&row(b"a"))), [5]);
    assert_eq!(xids(invisible.guard_relations([1].into_iter())), [5]);
}

#[test]
fn who_is_visible_when_told_guards_nothing() {
    let mut invisible = InvisibleTransactions::default();
    invisible.begin(None, 1);
    invisible.touch_row(TABLE, b"a");
    assert!(invisible.is_empty() && !invisible.has_told());
    invisible.look(&snapshot("9:9:"));
    changed(&mut invisible, 5, 2, &[b"a"]);
    assert!(invisible.is_empty(), "it had ended before it was told");
}

#[test]
fn what_is_touched_outside_a_transaction_is_no_transactions() {
    let mut invisible = told(&[(5, &[b"a"])]);
    invisible.touch_table(TABLE);
    assert_eq!(invisible.guard_row(&row(b"c")), None);
}

#[test]
fn who_has_ended_guards_nothing_any_more() {
    let mut invisible = told(&[(5, &[b"a"]), (6, &[b"a"])]);
    assert!(!invisible.look(&snapshot("5:9:5")));
    assert_eq!(xids(invisible.guard_row(&row(b"a"))), [5]);
    invisible.look(&snapshot("9:9:"));
    assert!(invisible.is_empty());
}

#[test]
fn a_load_teaches_where_much_is_to_be_learnt() {
    let mut invisible = told(&[(5, &[b"a"])]);
    let guard = invisible.guard_row(&row(b"a")).unwrap();
    invisible.learn(&guard, &snapshot("200:200:"));
    assert!(!invisible.is_empty(), "little");
    (6..100).for_each(|xid| changed(&mut invisible, xid, xid, &[b"b"]));
    invisible.learn(&guard, &snapshot("200:200:"));
    assert!(invisible.is_empty());
}

#[test]
fn a_load_of_another_server_teaches_nothing() {
    let mut invisible = told(&[(5, &[b"a"])]);
    let guard = invisible.guard_row(&row(b"a")).unwrap();
    invisible.change_server();
    assert!(invisible.is_empty());
    (6..100).for_each(|xid| changed(&mut invisible, xid, xid, &[b"b"]));
    invisible.learn(&guard, &snapshot("200:200:"));
    assert_eq!(xids(invisible.guard_row(&row(b"b"))).len(), 94);
}

#[test]
fn too_much_makes_blind_until_a_look_that_is_late_enough() {
    let mut invisible = InvisibleTransactions::default();
    for xid in 1..=MAX_MARKS as u64 {
        changed(&mut invisible, xid, xid, &[b"a"]);
    }
    assert!(invisible.size.0 <= MAX_MARKS && invisible.blind_after.is_some());
    let guard = invisible.guard_row(&row(b"c"));
    assert!(!guard.unwrap().holds(Some(&PgSnapshot::never())), "nothing proves anything");
    assert!(!invisible.look(&snapshot("9:9:")), "from before the last that was told");
    assert!(invisible.look(&snapshot("100001:100001:")) && invisible.is_empty());
}

/// What may happen: a transaction is told with one of four rows, ends, or PostgreSQL is looked at.
#[derive(Debug, Clone, Copy)]
enum Step {
    Told(u8),
    Ends(usize),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![(0u8..4).prop_map(Step::Told), any::<usize>().prop_map(Step::Ends), Just(Step::Look)]
}

proptest! {
    #[test]
    fn every_transaction_that_may_be_invisible_guards_what_it_touched(steps in prop::collection::vec(step(), 0..200)) {
        let (mut invisible, mut running, mut next) = (InvisibleTransactions::default(), Vec::new(), 1);
        for step in steps {
            match step {
                Step::Told(key) => {
                    changed(&mut invisible, next, next, &[&[key]]);
                    running.push((next, key));
                    next += 1;
                }
                Step::Ends(which) if !running.is_empty() => drop(running.remove(which % running.len())),
                Step::Ends(_) => {}
                Step::Look => {
                    let xmin = running.first().map_or(next, |(xid, _)| *xid);
                    let list: Vec<String> = running.iter().map(|(xid, _)| xid.to_string()).collect();
                    invisible.look(&snapshot(&format!("{xmin}:{next}:{}", list.join(","))));
                    prop_assert_eq!(invisible.size.0 >= running.len(), true);
                }
            }
            for key in 0u8..4 {
                let guarded = xids(invisible.guard_row(&row(&[key])));
                let of_key = running.iter().filter(|(_, touched)| *touched == key);
                for (xid, _) in of_key {
                    prop_assert!(guarded.contains(xid), "{} does not guard", xid);
                }
            }
        }
        invisible.look(&snapshot(&format!("{next}:{next}:")));
        prop_assert!(invisible.is_empty());
    }
}
