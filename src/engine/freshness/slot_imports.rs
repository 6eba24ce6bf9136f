//! Slots that a primary imports whole, by atomic slot migration: what comes with them is not served, on its replicas either.
//!
//! The keys of such a slot come as commands, and the server tells of each of them, so that a primary drops them like all that
//! somebody else puts under a cache key. A replica hears of them in the same way, but cannot tell them from what its primary has
//! stored. So the whole slot is in doubt there, from the beginning of the import until the primary says that all of it has gone.

use crate::cache::slot::Slot;
use crate::cache::slot_ranges::SlotRanges;
use crate::engine::host::Host;
use crate::engine::{Engine, Store};

/// What announces the slots in doubt.
pub const IMPORTS: &str = "imports";

/// What stands for "there are none".
const NONE: &str = "none";

/// Slots whose entries may be another node's.
#[derive(Debug, Default)]
pub struct SlotImports {
    /// Those that are being imported, as far as this server has heard.
    under_way: SlotRanges,
    /// Those whose import has ended, well or not. Something of it may be there still.
    ended: SlotRanges,
    /// What replicas were told last; `None`: nothing, or some of them have not heard it.
    told: Option<SlotRanges>,
    /// Whether there ever was an import: otherwise replicas need no word.
    were_any: bool,
}

impl SlotImports {
    /// Whether the entry under `key` may have come with its slot.
    pub fn cover(&self, key: &[u8]) -> bool {
        // Every hit asks, and nearly always there are none.
        let are_none = self.under_way.is_empty() && self.ended.is_empty();
        !are_none && self.contain(Slot::of(key))
    }

    /// Whether what stands in `slot` may have come with it.
    pub fn contain(&self, slot: Slot) -> bool {
        self.under_way.contains(slot) || self.ended.contains(slot)
    }

    /// Replicas may not have heard of them.
    pub fn announce_again(&mut self) {
        self.told = None;
    }

    /// Another data set was loaded, of another time.
    pub fn forget(&mut self) {
        *self = Self { were_any: self.were_any, ..Self::default() };
    }

    /// The server has another role: imports of its master's, or its own, end.
    pub fn end(&mut self) {
        self.ended.add(&std::mem::take(&mut self.under_way));
        self.told = None;
    }

    fn all(&self) -> SlotRanges {
        let mut all = self.under_way.clone();
        all.add(&self.ended);
        all
    }
}

impl<H: Host> Engine<H> {
    /// This server, or the master that it copies, begins to import slots. Nothing may be written here: a command of the node that
    /// they come from is under way, and replicas would not hear of it.
    pub fn slot_import_started(&mut self, slots: &SlotRanges) {
        let imports = &mut self.freshness.slot_imports;
        imports.were_any = true;
        imports.under_way.add(slots);
        // Replicas have heard of it by themselves, whatever they were told before.
        imports.told = None;
    }

    /// An import has ended: the slots are this server's, or its master's, or were given up. A master drops what has come before
    /// anybody can ask for it.
    pub fn slot_import_ended(&mut self, store: impl Store, slots: &SlotRanges) {
        let imports = &mut self.freshness.slot_imports;
        imports.were_any = true;
        imports.under_way.remove(slots);
        imports.ended.add(slots);
        if !store.is_replica() {
            self.settle_pending_invalidations(store);
            self.announce_imports(store);
        }
    }

    /// Tells replicas which slots are in doubt, if they have not heard that. What has ended is in doubt no more once all that
    /// came with it has been removed.
    pub fn announce_imports(&mut self, store: impl Store) {
        let imports = &mut self.freshness.slot_imports;
        if !imports.were_any || store.may_write().is_err() {
            return;
        }
        if self.freshness.pending_invalidations.is_empty() {
            imports.ended = SlotRanges::default();
        }
        let all = imports.all();
        if imports.told.as_ref() != Some(&all) {
            let word = if all.is_empty() { NONE.to_owned() } else { all.to_string() };
            store.announce(IMPORTS, &word);
            imports.told = Some(all);
        }
    }

    /// The master's word about the slots in doubt. What cannot be read is of a later version.
    pub fn imports_announced(&mut self, word: &[u8]) {
        let word = std::str::from_utf8(word).map(|word| if word == NONE { "" } else { word });
        if let Some(slots) = word.ok().and_then(|word| word.parse().ok()) {
            let imports = &mut self.freshness.slot_imports;
            *imports = SlotImports { under_way: slots, were_any: true, ..SlotImports::default() };
        }
    }
}
