//! MULTIREADs under way: answers that come from several flights.

use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use crate::cache::{Entry, Error, Timings, WaiterId};
use crate::engine::host::Host;

/// Names a MULTIREAD for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MultireadId(u64);

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

impl Slot {
    /// What stands for it in the reply.
    fn json(&self) -> &[u8] {
        match self {
            Self::Row(row) => row,
            Self::Absent | Self::Pending => Entry::ABSENT,
        }
    }
}

/// A MULTIREAD that waits.
#[derive(Debug)]
pub struct PendingMultiread<H: Host> {
    /// Whom to answer.
    pub waiter: WaiterId,
    /// For the ACL on keys that only the load brings.
    pub user: Rc<H::User>,
    /// In the order asked.
    pub slots: Vec<Slot>,
    /// How many are pending.
    pub pending: usize,
    /// How many more bytes the reply may have.
    pub spare_bytes: usize,
    /// Where the time of its loads went.
    pub timings: Timings,
}

/// Whether a reply is short enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Fits,
    /// It has more bytes than one MULTIREAD may bring.
    TooLong,
}

impl<H: Host> PendingMultiread<H> {
    fn fill(&mut self, index: usize, slot: Slot) -> Fit {
        let Some(place) = self.slots.get_mut(index).filter(|place| **place == Slot::Pending) else {
            return Fit::Fits;
        };
        let Some(spare_bytes) = self.spare_bytes.checked_sub(slot.json().len()) else { return Fit::TooLong };
        self.spare_bytes = spare_bytes;
        self.pending -= 1;
        *place = slot;
        Fit::Fits
    }
}

/// Every MULTIREAD that waits.
#[derive(Debug, Default)]
pub struct PendingMultireads<H: Host> {
    under_way: HashMap<MultireadId, PendingMultiread<H>>,
    next: u64,
}

impl<H: Host> PendingMultireads<H> {
    /// Adds one.
    pub fn add(&mut self, multiread: PendingMultiread<H>) -> MultireadId {
        self.next += 1;
        self.under_way.insert(MultireadId(self.next), multiread);
        MultireadId(self.next)
    }

    /// Who asks in a MULTIREAD, as long as it waits.
    pub fn asker(&self, id: MultireadId) -> Option<Rc<H::User>> {
        self.under_way.get(&id).map(|multiread| Rc::clone(&multiread.user))
    }

    /// Fills one slot with what a load brought in that time. Returns the MULTIREAD when that was its last, and whether its
    /// reply is short enough.
    pub fn fill(
        &mut self,
        id: MultireadId,
        index: usize,
        slot: Slot,
        timings: Timings,
    ) -> Option<(PendingMultiread<H>, Fit)> {
        let multiread = self.under_way.get_mut(&id)?;
        multiread.timings = multiread.timings.and(timings);
        let fit = multiread.fill(index, slot);
        if multiread.pending == 0 || fit == Fit::TooLong {
            self.remove(id).map(|multiread| (multiread, fit))
        } else {
            None
        }
    }

    /// Takes one out: it failed, and is answered once.
    pub fn remove(&mut self, id: MultireadId) -> Option<PendingMultiread<H>> {
        self.under_way.remove(&id)
    }
}

/// Why a MULTIREAD of more bytes is refused.
pub fn too_many_bytes(max: usize) -> Error {
    Error::malformed(format!("the reply has more bytes than max_multiread_bytes ({max}): ask for fewer rows at once"))
}

/// The JSON array that answers a MULTIREAD.
pub fn json_array(slots: &[Slot]) -> Vec<u8> {
    let size = |slot: &Slot| slot.json().len() + 1;
    let mut json = Vec::with_capacity(2 + slots.iter().map(size).sum::<usize>());
    json.push(b'[');
    for (i, slot) in slots.iter().enumerate() {
        if i > 0 {
            json.push(b',');
        }
        json.extend_from_slice(slot.json());
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
