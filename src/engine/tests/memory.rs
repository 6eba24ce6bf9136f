//! The in-memory store of the unit tests: a map, with clocks that tests set.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::host::Clients;
use crate::cache::slot::Slot;
use crate::cache::{Refusal, Stored};
use crate::engine::{Store, StoreKey};
use crate::plugins::{Event, Plugins};
use crate::settings::{EventType, Settings};

/// What stands under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The bytes; `None`: it is no string.
    pub bytes: Option<Box<[u8]>>,
    /// When it ends, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// What is in a keyspace.
pub type Content = BTreeMap<Box<[u8]>, Value>;

/// An event that was emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// What happened.
    pub kind: EventType,
    /// The cache key that it was about; empty: none.
    pub cache_key: Box<[u8]>,
    /// Why.
    pub reason: Option<String>,
}

/// What a server is to the rest of its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It may be written to.
    Master,
    /// A master that waits for its replicas.
    Paused,
    /// It copies a master.
    Replica,
}

/// The store.
#[derive(Debug)]
pub struct Memory {
    content: RefCell<Content>,
    /// Milliseconds since the beginning.
    now_ms: Cell<u64>,
    role: Cell<Role>,
    is_loading: Cell<bool>,
    is_full: Cell<bool>,
    is_node: Cell<bool>,
    /// The slot of the command under way.
    pub command_slot: Cell<Option<Slot>>,
    /// Slots that are another node's.
    pub foreign: RefCell<Vec<std::ops::Range<u16>>>,
    /// Whether somebody has asked for the engine to be woken.
    pub is_woken: Cell<bool>,
    /// The clients of the host that it belongs to.
    pub clients: Clients,
    emitted: RefCell<Vec<Emitted>>,
    announced: RefCell<Vec<(String, String)>>,
    /// Whether a near cache listens.
    pub has_listener: Cell<bool>,
    published: RefCell<Vec<String>>,
}

/// How far the calendar is ahead of the clock that only goes forward.
const BEGINNING_MS: u64 = 1_700_000_000_000;

impl Default for Memory {
    fn default() -> Self {
        Self {
            content: RefCell::default(),
            now_ms: Cell::new(1000),
            role: Cell::new(Role::Master),
            is_loading: Cell::new(false),
            is_full: Cell::new(false),
            is_node: Cell::new(false),
            command_slot: Cell::new(None),
            foreign: RefCell::default(),
            is_woken: Cell::new(false),
            clients: Clients::default(),
            emitted: RefCell::default(),
            announced: RefCell::default(),
            has_listener: Cell::new(false),
            published: RefCell::default(),
        }
    }
}

impl Memory {
    /// Lets so much time pass. Keys that end are there until [`Self::expired`] takes them.
    pub fn pass(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    /// Removes the keys whose time has come, and returns them.
    pub fn expired(&self) -> Vec<Box<[u8]>> {
        let now_ms = self.unix_ms();
        let is_over = |value: &Value| value.expires_at_ms.is_some_and(|at| at <= now_ms);
        let mut content = self.content.borrow_mut();
        let keys: Vec<_> = content.iter().filter(|(_, value)| is_over(value)).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| drop(content.remove(key)));
        keys
    }

    /// The server takes another role.
    pub fn set_role(&self, role: Role) {
        self.role.set(role);
    }

    /// The data set is being loaded, or is there.
    pub fn set_loading(&self, is_loading: bool) {
        self.is_loading.set(is_loading);
    }

    /// It is a node of a cluster.
    pub fn join_cluster(&self) {
        self.is_node.set(true);
    }

    fn owns(&self, key: &[u8]) -> bool {
        let slot = Slot::of(key).0;
        !self.is_node.get() || !self.foreign.borrow().iter().any(|slots| slots.contains(&slot))
    }

    /// There is no memory for more, or there is again.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.set(is_full);
    }

    /// All that is there.
    pub fn content(&self) -> Content {
        self.content.borrow().clone()
    }

    /// Puts something else in the place of all that is there: SWAPDB, or a file that was loaded.
    pub fn replace(&self, content: Content) -> Content {
        self.content.replace(content)
    }

    /// Somebody else writes a string under `key`, whatever the role.
    pub fn write(&self, key: &[u8], bytes: &[u8]) {
        let value = Value { bytes: Some(bytes.into()), expires_at_ms: None };
        self.content.borrow_mut().insert(key.into(), value);
    }

    /// Somebody else writes something under `key` that is no string.
    pub fn write_list(&self, key: &[u8]) {
        self.content.borrow_mut().insert(key.into(), Value { bytes: None, expires_at_ms: None });
    }

    /// Somebody else removes `key`. Says whether it was there.
    pub fn take(&self, key: &[u8]) -> bool {
        self.content.borrow_mut().remove(key).is_some()
    }

    /// The bytes under `key`.
    pub fn bytes(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.content.borrow().get(key).and_then(|value| value.bytes.as_ref().map(|bytes| bytes.to_vec()))
    }

    /// The events since this was called last.
    pub fn take_emitted(&self) -> Vec<Emitted> {
        self.emitted.take()
    }

    /// What replicas were told since this was called last: records, and what each says.
    pub fn take_announced(&self) -> Vec<(String, String)> {
        self.announced.take()
    }

    /// What near caches were told since this was called last.
    pub fn take_published(&self) -> Vec<String> {
        self.published.take()
    }

    fn left_ms(&self, key: &[u8]) -> Option<u64> {
        let at_ms = self.content.borrow().get(key)?.expires_at_ms?;
        Some(at_ms.saturating_sub(self.unix_ms()))
    }
}

impl StoreKey for Box<[u8]> {
    fn copy(bytes: &[u8]) -> Self {
        bytes.into()
    }

    fn as_bytes(&self) -> &[u8] {
        self
    }
}

impl Store for &Memory {
    type Key = Box<[u8]>;
    /// The last key that was seen.
    type Cursor = Option<Box<[u8]>>;

    fn read<T>(self, key: &Self::Key, look: impl FnOnce(Stored<'_>) -> T) -> T {
        let now_ms = self.unix_ms();
        let content = self.content.borrow();
        let found = content
            .get(key)
            .filter(|_| self.reaches(key))
            .filter(|value| value.expires_at_ms.is_none_or(|at| at > now_ms));
        match found {
            None => look(Stored::Nothing),
            Some(Value { bytes: Some(bytes), .. }) => look(Stored::Bytes(bytes)),
            Some(Value { bytes: None, .. }) => look(Stored::OtherType),
        }
    }

    fn read_with_ttl<T>(self, key: &Self::Key, look: impl FnOnce(Stored<'_>) -> T) -> (T, Option<u64>) {
        (self.read(key, look), self.left_ms(key))
    }

    fn put(self, key: &Self::Key, value: &[u8], expires_at_ms: Option<u64>) -> Result<(), Refusal> {
        self.may_write()?;
        if !self.reaches(key) || !self.owns(key) {
            return Err(Refusal::Elsewhere);
        }
        if self.is_full.get() {
            return Err(Refusal::Refused);
        }
        let value = Value { bytes: Some(value.into()), expires_at_ms };
        self.content.borrow_mut().insert(key.clone(), value);
        Ok(())
    }

    fn remove(self, key: &Self::Key) -> Result<(), Refusal> {
        self.may_write()?;
        if !self.reaches(key) {
            return Err(Refusal::Elsewhere);
        }
        self.content.borrow_mut().remove(key);
        Ok(())
    }

    fn scan(self, cursor: &mut Self::Cursor, mut visit: impl FnMut(&[u8], usize)) -> bool {
        let next = self.content.borrow().keys().find(|key| cursor.as_ref().is_none_or(|last| *key > last)).cloned();
        let Some(key) = next else { return false };
        visit(&key, self.bytes(&key).map_or(0, |bytes| bytes.len()));
        *cursor = Some(key);
        true
    }

    fn key_count(self) -> u64 {
        self.content.borrow().len() as u64
    }

    fn may_write(self) -> Result<(), Refusal> {
        match self.role.get() {
            Role::Replica => Err(Refusal::NotMaster),
            _ if self.is_loading.get() => Err(Refusal::NotMaster),
            Role::Paused => Err(Refusal::Paused),
            Role::Master => Ok(()),
        }
    }

    fn is_paused(self) -> bool {
        self.role.get() == Role::Paused
    }

    fn is_replica(self) -> bool {
        self.role.get() == Role::Replica
    }

    fn is_loading(self) -> bool {
        self.is_loading.get()
    }

    fn is_node(self) -> bool {
        self.is_node.get()
    }

    fn command_slot(self) -> Option<Slot> {
        self.command_slot.get()
    }

    fn serves(self, key: &Self::Key) -> bool {
        self.owns(key)
    }

    fn monotonic_ms(self) -> u64 {
        self.now_ms.get()
    }

    fn unix_ms(self) -> u64 {
        BEGINNING_MS + self.now_ms.get()
    }

    fn wake(self) {
        self.is_woken.set(true);
    }

    fn counts_ticks(self) -> bool {
        false
    }

    fn count_ticks(self, _: bool) {}

    fn announce(self, record: &str, said: &str) {
        self.announced.borrow_mut().push((record.into(), said.into()));
    }

    fn node_id(self) -> Option<String> {
        self.is_node.get().then(|| "a".repeat(40))
    }

    fn may_publish(self, _: &[u8]) -> bool {
        true
    }

    fn publish(self, _: &[u8], message: &[u8]) -> usize {
        if !self.has_listener.get() {
            return 0;
        }
        self.published.borrow_mut().push(String::from_utf8_lossy(message).into_owned());
        1
    }

    fn emit(self, _: &Plugins, _: &Settings, event: &Event<'_>) {
        let (cache_key, reason) = (event.cache_key.into(), event.reason.map(Into::into));
        self.emitted.borrow_mut().push(Emitted { kind: event.kind, cache_key, reason });
    }
}
