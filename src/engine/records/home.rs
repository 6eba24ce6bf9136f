//! The home: where in a cluster a node keeps its records. They stand in a slot of its own, which a mark tells it after a restart, and
//! its replicas.

use crate::cache::slot::{Slot, SLOTS};
use crate::cache::{Refusal, Stored};
use crate::engine::host::Host;
use crate::engine::queries::is_result_key;
use crate::engine::{Engine, Store};

/// The name of the mark, before the tag of its slot.
const MARK: &str = "@node";

/// Milliseconds after which a node that had no slot to live in looks again.
const PATIENCE_MS: u64 = 1000;

/// Slots are tried in steps of this, which has no factor in common with their number: neighbours have the same owner.
const STRIDE: u16 = 5461;

/// Where the records are.
#[derive(Debug, Default)]
pub struct Home {
    slot: Option<Slot>,
    /// Whether the mark of an earlier run, or of the master, has been looked for.
    is_sought: bool,
    /// Whether the mark may be missing.
    is_due: bool,
    /// When the next slot may be sought, on the clock that only goes forward.
    retry_ms: u64,
}

impl Home {
    /// What puts the key of a record there; empty outside of a cluster, and while there is no home.
    pub fn tag(&self) -> &'static str {
        self.slot.map_or("", Slot::tag)
    }
}

impl<H: Host> Engine<H> {
    /// What puts a key into a slot of this node's; empty outside of a cluster, and while no such slot is known.
    pub fn home_tag(&self) -> &'static str {
        self.records.home.tag()
    }

    /// The tag for the entry of what the command under way asks: that of the command's own slot, or of any slot of this node's
    /// where the command has named no key.
    pub fn tag_here(&mut self, store: impl Store) -> &'static str {
        match store.command_slot() {
            Some(slot) => slot.tag(),
            None if self.has_home(store) => self.home_tag(),
            None => "",
        }
    }

    /// Looks for the mark of an earlier run, or of this replica's master, unless that has been done.
    pub fn seek_home(&mut self, store: impl Store) {
        let may_seek = store.is_node() && store.command_slot().is_none() && !store.is_loading();
        if self.records.home.is_sought || !may_seek {
            return;
        }
        // What is being imported is another node's.
        let is_foreign = |slot: &Slot| self.freshness.slot_imports.contain(*slot);
        let mut slots = (0..SLOTS).map(Slot).filter(|slot| !is_foreign(slot));
        let marked = slots.find(|slot| self.is_marked(store, *slot));
        self.records.home = Home { slot: marked, is_sought: true, ..Home::default() };
        if marked.is_some() && store.is_replica() {
            self.follow_home(store);
        }
    }

    /// The data set is another one, or another's.
    pub fn forget_home(&mut self) {
        self.records.home = Home::default();
    }

    /// Whether records can be kept: a node that has no home takes one.
    pub fn has_home(&mut self, store: impl Store) -> bool {
        if !store.is_node() {
            return true;
        }
        self.seek_home(store);
        let home = &self.records.home;
        if home.slot.is_none() && home.is_sought && store.monotonic_ms() >= home.retry_ms {
            self.take_home(store);
        }
        self.records.home.slot.is_some()
    }

    /// Marks the first of its slots that can be written to. Only the server knows which these are.
    fn take_home(&mut self, store: impl Store) {
        if store.may_write().is_err() || store.command_slot().is_some() {
            return;
        }
        let first = fastrand::u16(..SLOTS);
        let slots = (0..SLOTS).map(|step| Slot(first.wrapping_add(step.wrapping_mul(STRIDE)) % SLOTS));
        let taken =
            slots.map(|slot| (slot, self.mark(store, slot))).find(|(_, marked)| *marked != Err(Refusal::Elsewhere));
        let home = &mut self.records.home;
        home.retry_ms = store.monotonic_ms() + PATIENCE_MS;
        home.slot = taken.filter(|(_, marked)| marked.is_ok()).map(|(slot, _)| slot);
    }

    /// Writes the mark again, if it may be missing. A home that is on its way to another node is left.
    pub fn keep_home(&mut self, store: impl Store) {
        // A command of a cluster has keys of its own slot within reach alone.
        let is_due = self.records.home.is_due && store.command_slot().is_none();
        let Some(slot) = self.records.home.slot.filter(|_| is_due) else { return };
        match self.mark(store, slot) {
            Ok(()) => self.records.home.is_due = false,
            Err(Refusal::Elsewhere) => self.leave_home(),
            Err(_) => {}
        }
    }

    /// The slot is another node's now, or soon: the records move to another one.
    pub fn leave_home(&mut self) {
        self.records.home = Home { is_sought: true, ..Home::default() };
        self.records.lose();
        self.catalog.lose_epochs();
    }

    /// Somebody else has changed a key. A master's mark is to be written again; a replica follows its master's.
    pub fn mark_changed(&mut self, store: impl Store, key: &[u8]) {
        let Some(tag) = self.name_of(key).and_then(|name| name.strip_prefix(MARK)) else { return };
        let slot = Slot::of(tag.as_bytes());
        if store.is_replica() && self.freshness.slot_imports.contain(slot) {
            // It has come with its slot, and its master drops it.
        } else if !store.is_replica() {
            if self.records.home.slot == Some(slot) {
                self.records.home.is_due = true;
                self.catalog.lose_epochs();
            }
        } else if self.is_marked(store, slot) {
            self.records.home = Home { slot: Some(slot), is_sought: true, ..Home::default() };
            self.follow_home(store);
        } else if self.records.home.slot == Some(slot) {
            self.forget_home();
        }
    }

    /// A replica takes over what its master's records say.
    fn follow_home(&mut self, store: impl Store) {
        self.read_hooks(store);
        self.read_definitions(store);
        self.follow_records(store);
    }

    /// Whether `key` is a record, or a mark, of another home than this node's: it came with a slot that was another's.
    pub fn is_foreign_record(&self, key: &[u8]) -> bool {
        let name = self.name_of(key).filter(|name| name.starts_with('@'));
        let tag = name.and_then(|name| name.find('{').map(|start| name.get(start..).unwrap_or_default()));
        // The tag of a query's entry is that of its own slot.
        let is_record = name.is_some_and(|name| !name.starts_with("@query:") && !name.starts_with("@sql:"));
        let is_away = |tag: &str| self.home_tag().is_empty() || !tag.starts_with(self.home_tag());
        // Before its own mark has been sought nobody knows which are its own.
        self.records.home.is_sought && is_record && tag.is_some_and(is_away)
    }

    /// Whether `key` is one of the module's own: a record, or a query's entry, which has a stamp of its own.
    pub fn is_at_home(&self, key: &[u8]) -> bool {
        let prefix = self.settings.get().cache_prefix.as_str();
        key.get(prefix.len()..).is_some_and(|name| name.starts_with(b"@"))
            || std::str::from_utf8(key).is_ok_and(|key| is_result_key(key, prefix))
    }

    fn name_of<'k>(&self, key: &'k [u8]) -> Option<&'k str> {
        let name = key.strip_prefix(self.settings.get().cache_prefix.as_bytes())?;
        std::str::from_utf8(name).ok()
    }

    fn mark_of(&self, slot: Slot) -> Vec<u8> {
        format!("{}{MARK}{}", self.settings.get().cache_prefix, slot.tag()).into_bytes()
    }

    fn is_marked(&self, store: impl Store, slot: Slot) -> bool {
        store.read(&store.key(&self.mark_of(slot)), |stored| stored != Stored::Nothing)
    }

    fn mark(&self, store: impl Store, slot: Slot) -> Result<(), Refusal> {
        store.put(&store.key(&self.mark_of(slot)), b"1", None)
    }
}
