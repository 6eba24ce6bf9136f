//! All records: what is known of each, and the key that seals them.

use crate::cache::Refusal;
use crate::engine::host::Host;
use crate::engine::records::home::Home;
use crate::engine::records::name::RecordName;
use crate::engine::records::record::{Record, Said};
use crate::engine::records::signing::Signing;
use crate::engine::{Engine, Store};
use crate::settings::KeyFile;

/// All records.
#[derive(Debug)]
pub struct Records {
    by_name: [Record; RecordName::ALL.len()],
    signing: Signing,
    /// Where they are, in a cluster.
    pub(super) home: Home,
    /// When replicas are told everything again, on the clock that only goes forward.
    pub(super) announce_ms: u64,
    /// When they are told how far changes were applied, on the same clock.
    pub(super) announce_progress_ms: u64,
}

impl Records {
    /// Records that nothing is known of yet, sealed by the key in `file`.
    pub fn new(file: KeyFile) -> Self {
        let by_name = Default::default();
        let (signing, home) = (Signing::new(file), Home::default());
        Self { by_name, signing, home, announce_ms: 0, announce_progress_ms: 0 }
    }

    /// One of them.
    pub fn get(&self, name: RecordName) -> &Record {
        &self.by_name[name as usize]
    }

    pub(super) fn get_mut(&mut self, name: RecordName) -> &mut Record {
        &mut self.by_name[name as usize]
    }

    /// They may be gone: what the memory knows is to be written.
    pub fn lose(&mut self) {
        self.by_name.iter_mut().for_each(Record::lose);
    }

    /// The server has another master now, another data set of its master's, or none.
    pub fn forget_words(&mut self) {
        self.by_name.iter_mut().for_each(Record::forget_word);
    }

    /// Replicas may not have heard what they say.
    pub fn announce_again(&mut self) {
        self.by_name.iter_mut().for_each(Record::announce_again);
    }

    /// How often something was found under their keys that nobody vouches for.
    pub fn rejected(&self) -> u64 {
        self.by_name.iter().map(Record::rejected).sum()
    }

    /// What is wrong with them.
    pub fn complaints(&self) -> Vec<String> {
        let of_record = |name: RecordName| {
            let reason = self.get(name).complaint()?;
            Some(format!("the record of {} {reason}", name.title()))
        };
        let of_key = self.signing.complaint().map(|reason| format!("hooks and queries do not last: {reason}"));
        RecordName::ALL.into_iter().filter_map(of_record).chain(of_key).collect()
    }
}

impl<H: Host> Engine<H> {
    /// The key that holds a record.
    pub fn record_key(&self, name: RecordName) -> Vec<u8> {
        let (prefix, home) = (self.settings.get().cache_prefix.as_bytes(), self.home_tag().as_bytes());
        [prefix, name.suffix().as_bytes(), home].concat()
    }

    /// What the ACL is asked about who may change a record: its key, wherever it is kept.
    pub fn record_acl_key(&self, name: RecordName) -> Vec<u8> {
        [self.settings.get().cache_prefix.as_bytes(), name.suffix().as_bytes()].concat()
    }

    /// What a record says, for the memory to take over; `None`: what stands there stays.
    pub fn read_record<T: Default>(
        &mut self,
        store: impl Store,
        name: RecordName,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        if store.command_slot().is_some() {
            return None;
        }
        self.seek_home(store);
        let key = store.key(&self.record_key(name));
        let Records { by_name, signing, .. } = &mut self.records;
        by_name[name as usize].read(store, &key, signing, parse)
    }

    /// Writes a record; `None`: there is nothing to be kept. That there is nothing replicas are told at once: later nobody
    /// would know that there was something.
    pub fn save_record(&mut self, store: impl Store, name: RecordName, text: Option<&str>) {
        let has_place = text.is_none() || self.has_home(store);
        let key = store.key(&self.record_key(name));
        let Records { by_name, signing, .. } = &mut self.records;
        if by_name[name as usize].save(store, &key, signing, text, has_place) == Err(Refusal::Elsewhere) {
            self.leave_home();
        }
        if text.is_none() {
            self.announce_news(store);
        }
    }

    /// Writes the records that somebody else has changed, unless a data set is being loaded.
    pub fn restore_records(&mut self, store: impl Store) {
        if store.is_loading() {
            return;
        }
        let is_due = |name| self.records.get(name).is_due();
        let (hooks, queries) =
            (is_due(RecordName::Hooks), is_due(RecordName::Queries) || is_due(RecordName::QueryChanges));
        if hooks {
            self.save_hooks(store);
        }
        if queries {
            self.save_definitions(store);
        }
    }

    /// Somebody else has changed a key. On a replica that may have been what its master has announced; on a master nobody
    /// else writes it.
    pub fn record_key_changed(&mut self, store: impl Store, key: &[u8]) {
        let suffix = key.strip_prefix(self.settings.get().cache_prefix.as_bytes());
        let suffix = suffix.and_then(|suffix| suffix.strip_suffix(self.home_tag().as_bytes()));
        let Some(name) = suffix.and_then(RecordName::of_suffix) else { return };
        if !store.is_replica() {
            self.records.get_mut(name).touched(store, &store.key(key));
        } else if self.records.get(name).is_vouched() {
            self.take_over(store, name);
        }
    }

    /// The master's word about one of its records.
    pub fn record_announced(&mut self, store: impl Store, name: RecordName, said: Said) {
        self.records.get_mut(name).vouch(said);
        self.take_over(store, name);
        let key = store.key(&self.record_key(name));
        self.records.get_mut(name).check_word(store, &key);
    }

    /// The data set is another one: what its records say counts, as far as the master vouches for it.
    pub fn take_over_all(&mut self, store: impl Store) {
        self.records.forget_words();
        self.freshness.leases.forget_words();
        self.forget_home();
        self.read_hooks(store);
        self.read_definitions(store);
    }

    fn take_over(&mut self, store: impl Store, name: RecordName) {
        match name {
            RecordName::Hooks => self.read_hooks(store),
            RecordName::Queries | RecordName::QueryChanges => self.read_definitions(store),
        }
    }
}
