//! MULTIREADs that wait for several loads.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{Timings, WaiterId};
use crate::engine::loads::pending_multiread::{
    json_array, Fit, MultireadId, PendingMultiread, PendingMultireads, Slot,
};
use crate::engine::tests::host::MemoryHost;

fn row(text: &str) -> Slot {
    Slot::Row(Arc::from(text.as_bytes()))
}

fn waiting(multireads: &mut PendingMultireads<MemoryHost>, slots: Vec<Slot>, spare_bytes: usize) -> MultireadId {
    let pending = slots.iter().filter(|slot| **slot == Slot::Pending).count();
    let (waiter, user) = (WaiterId::new(1), Rc::new(""));
    multireads.add(PendingMultiread { waiter, user, slots, pending, spare_bytes, timings: Timings::default() })
}

fn fill(
    multireads: &mut PendingMultireads<MemoryHost>,
    id: MultireadId,
    index: usize,
    slot: Slot,
) -> Option<(Vec<u8>, Fit)> {
    let (multiread, fit) = multireads.fill(id, index, slot, Timings::default())?;
    Some((json_array(&multiread.slots), fit))
}

#[test]
fn it_is_answered_with_its_last_row_and_in_its_order() {
    let mut multireads = PendingMultireads::<MemoryHost>::default();
    let id = waiting(&mut multireads, vec![Slot::Pending, row("{}"), Slot::Pending], 100);
    assert_eq!(fill(&mut multireads, id, 2, row("[3]")), None);
    assert_eq!(fill(&mut multireads, id, 0, Slot::Absent), Some((b"[null,{},[3]]".to_vec(), Fit::Fits)));
}

#[test]
fn it_is_answered_once() {
    let mut multireads = PendingMultireads::<MemoryHost>::default();
    let id = waiting(&mut multireads, vec![Slot::Pending], 100);
    assert!(fill(&mut multireads, id, 0, row("{}")).is_some());
    assert_eq!(fill(&mut multireads, id, 0, row("{}")), None);
    assert!(multireads.remove(id).is_none() && multireads.asker(id).is_none());
}

#[test]
fn a_place_is_filled_once() {
    let mut multireads = PendingMultireads::<MemoryHost>::default();
    let id = waiting(&mut multireads, vec![Slot::Pending, Slot::Pending], 100);
    assert_eq!(fill(&mut multireads, id, 0, row("[1]")), None);
    assert_eq!(fill(&mut multireads, id, 0, row("[2]")), None);
    assert_eq!(fill(&mut multireads, id, 9, row("[9]")), None);
    assert_eq!(fill(&mut multireads, id, 1, row("[3]")), Some((b"[[1],[3]]".to_vec(), Fit::Fits)));
}

#[test]
fn a_reply_that_grows_too_long_ends_it() {
    let mut multireads = PendingMultireads::<MemoryHost>::default();
    let id = waiting(&mut multireads, vec![Slot::Pending, Slot::Pending, Slot::Pending], 5);
    assert_eq!(fill(&mut multireads, id, 0, row("{}")), None);
    let told = fill(&mut multireads, id, 1, row("[1,2]")).map(|(_, fit)| fit);
    assert_eq!(told, Some(Fit::TooLong));
    assert!(multireads.remove(id).is_none());
}

#[test]
fn several_do_not_mix_their_rows() {
    let mut multireads = PendingMultireads::<MemoryHost>::default();
    let one = waiting(&mut multireads, vec![Slot::Pending], 100);
    let other = waiting(&mut multireads, vec![Slot::Pending], 100);
    assert_eq!(fill(&mut multireads, other, 0, row("[2]")), Some((b"[[2]]".to_vec(), Fit::Fits)));
    assert_eq!(fill(&mut multireads, one, 0, row("[1]")), Some((b"[[1]]".to_vec(), Fit::Fits)));
}

#[test]
fn it_takes_the_longest_time_of_its_loads() {
    let mut multireads = PendingMultireads::<MemoryHost>::default();
    let id = waiting(&mut multireads, vec![Slot::Pending, Slot::Pending], 100);
    let timings = |postgres_us| Timings { postgres_us, ..Timings::default() };
    assert!(multireads.fill(id, 0, Slot::Absent, timings(7)).is_none());
    let (multiread, _) = multireads.fill(id, 1, Slot::Absent, timings(3)).expect("that was the last");
    assert_eq!(multiread.timings.postgres_us, 7);
}
