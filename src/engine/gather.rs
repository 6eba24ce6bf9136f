//! MULTIREADs under way: answers that come from several flights.

use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use crate::cache::spent::Spent;
use crate::server::acl::User;
use crate::server::blocked::WaiterId;

/// Names a MULTIREAD for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GatherId(u64);

/// What is known of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// Nothing yet.
    Pending,
    /// There is no such row.
    Absent,
    /// The row.
    Row(Arc<[u8]>),
}

/// A MULTIREAD that waits.
#[derive(Debug)]
pub struct Gather {
    /// Whom to answer.
    pub waiter: WaiterId,
    /// For the ACL on keys that only the load brings.
    pub user: Rc<User>,
    /// In the order asked.
    pub slots: Vec<Slot>,
    /// How many are pending.
    pub pending: usize,
    /// Where the time of its loads went.
    pub spent: Spent,
}

/// Every MULTIREAD that waits.
#[derive(Debug, Default)]
pub struct Gathers {
    under_way: HashMap<GatherId, Gather>,
    next: u64,
}

impl Gathers {
    /// Adds one.
    pub fn add(&mut self, gather: Gather) -> GatherId {
        self.next += 1;
        self.under_way.insert(GatherId(self.next), gather);
        GatherId(self.next)
    }

    /// Who asks in a MULTIREAD, as long as it waits.
    pub fn asker(&self, id: GatherId) -> Option<Rc<User>> {
        self.under_way.get(&id).map(|gather| Rc::clone(&gather.user))
    }

    /// Fills one slot with what a load brought in that time. Returns the MULTIREAD when that was its last.
    pub fn fill(&mut self, id: GatherId, index: usize, slot: Slot, spent: Spent) -> Option<Gather> {
        let gather = self.under_way.get_mut(&id)?;
        gather.spent = gather.spent.max(spent);
        if let Some(place) = gather.slots.get_mut(index).filter(|place| **place == Slot::Pending) {
            *place = slot;
            gather.pending -= 1;
        }
        if gather.pending == 0 {
            self.remove(id)
        } else {
            None
        }
    }

    /// Takes one out: it failed, and is answered once.
    pub fn remove(&mut self, id: GatherId) -> Option<Gather> {
        self.under_way.remove(&id)
    }
}

/// The JSON array that answers a MULTIREAD.
pub fn json_array(slots: &[Slot]) -> Vec<u8> {
    let size = |slot: &Slot| if let Slot::Row(row) = slot { row.len() + 1 } else { 5 };
    let mut json = Vec::with_capacity(2 + slots.iter().map(size).sum::<usize>());
    json.push(b'[');
    for (i, slot) in slots.iter().enumerate() {
        if i > 0 {
            json.push(b',');
        }
        match slot {
            Slot::Row(row) => json.extend_from_slice(row),
            Slot::Absent | Slot::Pending => json.extend_from_slice(b"null"),
        }
    }
    json.push(b']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_rows_are_null_in_their_place() {
        let row: Arc<[u8]> = Arc::from(&b"{\"id\":1}"[..]);
        assert_eq!(json_array(&[Slot::Row(row), Slot::Absent]), b"[{\"id\":1},null]");
        assert_eq!(json_array(&[]), b"[]");
    }
}
