//! MULTIREADs that wait for several loads.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::spent::Spent;
use crate::engine::loads::pending_multiread::{json_array, Fit, Gather, GatherId, Gathers, Slot};
use crate::server::acl::User;
use crate::server::blocked::WaiterId;

fn row(text: &str) -> Slot {
    Slot::Row(Arc::from(text.as_bytes()))
}

fn waiting(gathers: &mut Gathers, slots: Vec<Slot>, spare_bytes: usize) -> GatherId {
    let pending = slots.iter().filter(|slot| **slot == Slot::Pending).count();
    let (waiter, user) = (WaiterId::made_up(1), Rc::new(User::server()));
    gathers.add(Gather { waiter, user, slots, pending, spare_bytes, spent: Spent::default() })
}

fn fill(gathers: &mut Gathers, id: GatherId, index: usize, slot: Slot) -> Option<(Vec<u8>, Fit)> {
    let (gather, fit) = gathers.fill(id, index, slot, Spent::default())?;
    Some((json_array(&gather.slots), fit))
}

#[test]
fn it_is_answered_with_its_last_row_and_in_its_order() {
    let mut gathers = Gathers::default();
    let id = waiting(&mut gathers, vec![Slot::Pending, row("{}"), Slot::Pending], 100);
    assert_eq!(fill(&mut gathers, id, 2, row("[3]")), None);
    assert_eq!(fill(&mut gathers, id, 0, Slot::Absent), Some((b"[null,{},[3]]".to_vec(), Fit::Fits)));
}

#[test]
fn it_is_answered_once() {
    let mut gathers = Gathers::default();
    let id = waiting(&mut gathers, vec![Slot::Pending], 100);
    assert!(fill(&mut gathers, id, 0, row("{}")).is_some());
    assert_eq!(fill(&mut gathers, id, 0, row("{}")), None);
    assert!(gathers.remove(id).is_none() && gathers.asker(id).is_none());
}

#[test]
fn a_place_is_filled_once() {
    let mut gathers = Gathers::default();
    let id = waiting(&mut gathers, vec![Slot::Pending, Slot::Pending], 100);
    assert_eq!(fill(&mut gathers, id, 0, row("[1]")), None);
    assert_eq!(fill(&mut gathers, id, 0, row("[2]")), None);
    assert_eq!(fill(&mut gathers, id, 9, row("[9]")), None);
    assert_eq!(fill(&mut gathers, id, 1, row("[3]")), Some((b"[[1],[3]]".to_vec(), Fit::Fits)));
}

#[test]
fn a_reply_that_grows_too_long_ends_it() {
    let mut gathers = Gathers::default();
    let id = waiting(&mut gathers, vec![Slot::Pending, Slot::Pending, Slot::Pending], 5);
    assert_eq!(fill(&mut gathers, id, 0, row("{}")), None);
    let told = fill(&mut gathers, id, 1, row("[1,2]")).map(|(_, fit)| fit);
    assert_eq!(told, Some(Fit::TooLong));
    assert!(gathers.remove(id).is_none());
}

#[test]
fn several_do_not_mix_their_rows() {
    let mut gathers = Gathers::default();
    let one = waiting(&mut gathers, vec![Slot::Pending], 100);
    let other = waiting(&mut gathers, vec![Slot::Pending], 100);
    assert_eq!(fill(&mut gathers, other, 0, row("[2]")), Some((b"[[2]]".to_vec(), Fit::Fits)));
    assert_eq!(fill(&mut gathers, one, 0, row("[1]")), Some((b"[[1]]".to_vec(), Fit::Fits)));
}

#[test]
fn it_takes_the_longest_time_of_its_loads() {
    let mut gathers = Gathers::default();
    let id = waiting(&mut gathers, vec![Slot::Pending, Slot::Pending], 100);
    let spent = |postgres_us| Spent { postgres_us, ..Spent::default() };
    assert!(gathers.fill(id, 0, Slot::Absent, spent(7)).is_none());
    let (gather, _) = gathers.fill(id, 1, Slot::Absent, spent(3)).expect("that was the last");
    assert_eq!(gather.spent.postgres_us, 7);
}
