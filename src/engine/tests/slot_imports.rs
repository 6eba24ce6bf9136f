//! Slots that move whole: what comes with one is served by nobody, on replicas neither.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::cache::slot::Slot;
use crate::cache::slot_ranges::SlotRanges;
use crate::cache::Lsn;
use crate::engine::tests::memory::{Content, Role};
use crate::engine::Store;

use super::cache::{table, Cache, Read};

const ID: &str = r#"{"id":1}"#;

fn slot() -> Slot {
    Slot::of(ID.as_bytes())
}

fn slots() -> SlotRanges {
    [slot().0..=slot().0].into_iter().collect()
}

fn node() -> Cache {
    let mut cache = Cache::new();
    cache.store.join_cluster();
    cache.engine.seek_home(&cache.store);
    cache.add(table());
    cache
}

fn replica() -> Cache {
    let mut cache = node();
    cache.set_role(Role::Replica);
    cache
}

/// The entry of the row, stored by somebody else.
fn arrive(cache: &mut Cache) {
    let key = cache.cache_key("t", ID);
    cache.store.write(&key, br#"{"v":0}"#);
    cache.touched(&key);
}

#[test]
fn a_replica_serves_a_slot_that_was_imported_once_its_master_says_that_it_is_clean() {
    let mut replica = replica();
    replica.engine.slot_import_started(&slots());
    arrive(&mut replica);
    assert_eq!(replica.read("t", ID), Read::Waits(1));
    replica.engine.slot_import_ended(&replica.store, &slots());
    assert_eq!(replica.read("t", ID), Read::Waits(2));
    replica.engine.imports_announced(b"none");
    assert_eq!(replica.read("t", ID), Read::Hit(r#"{"v":0}"#.into()), "its master has stored that since");
}

#[test]
fn a_replica_that_has_missed_the_beginning_believes_its_masters_word() {
    let mut replica = replica();
    replica.engine.imports_announced(slots().to_string().as_bytes());
    arrive(&mut replica);
    assert_eq!(replica.read("t", ID), Read::Waits(1));
    replica.engine.imports_announced(b"what a later version may say");
    assert_eq!(replica.read("t", ID), Read::Waits(2));
}

#[test]
fn a_primary_drops_what_came_with_a_slot_before_anybody_can_ask_and_says_so() {
    let mut cache = node();
    let said = |cache: &Cache| cache.store.take_announced();
    cache.engine.announce_imports(&cache.store);
    assert_eq!(said(&cache), [], "nothing was ever imported");
    cache.engine.slot_import_started(&slots());
    cache.engine.announce_imports(&cache.store);
    cache.engine.announce_imports(&cache.store);
    assert_eq!(said(&cache), [("imports".into(), slots().to_string())]);
    arrive(&mut cache);
    cache.engine.slot_import_ended(&cache.store, &slots());
    assert!(!cache.stands("t", ID));
    assert_eq!(said(&cache), [("imports".into(), "none".into())]);
    cache.engine.announce_records_again();
    cache.engine.announce_imports(&cache.store);
    assert_eq!(said(&cache), [("imports".into(), "none".into())], "a replica may have missed it");
}

#[test]
fn a_primary_that_may_not_write_at_the_end_serves_nothing_of_the_slot_meanwhile() {
    let mut cache = node();
    cache.engine.slot_import_started(&slots());
    arrive(&mut cache);
    cache.set_role(Role::Paused);
    cache.engine.slot_import_ended(&cache.store, &slots());
    assert_eq!(cache.read("t", ID), Read::Waits(1));
    assert_eq!(cache.store.take_announced(), []);
    cache.set_role(Role::Master);
    cache.tick();
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_replica_does_not_follow_records_that_come_with_a_slot() {
    let mut replica = replica();
    let marks = ["@node", "@epoch"].map(|name| format!("pg_cache:{name}{}", slot().tag()).into_bytes());
    let [mark, mut epoch] = marks;
    epoch.extend(b":t");
    replica.engine.slot_import_started(&slots());
    replica.store.write(&epoch, b"1700000000001");
    replica.store.write(&mark, b"1");
    replica.touched(&mark);
    assert_eq!(replica.table("t").epoch, None);
    replica.engine.seek_home(&replica.store);
    assert_eq!(replica.table("t").epoch, None);
}

#[test]
fn a_replica_that_seeks_its_masters_records_follows_them() {
    let mut replica = replica();
    let tag = slot().tag();
    replica.store.write(format!("pg_cache:@epoch{tag}:t").as_bytes(), b"1700000000001");
    replica.store.write(format!("pg_cache:@node{tag}").as_bytes(), b"1");
    replica.engine.seek_home(&replica.store);
    assert_eq!(replica.table("t").epoch, Some(1_700_000_000_001));
}

/// What a master's replica hears, in its order.
#[derive(Debug)]
enum Heard {
    Set(Box<[u8]>, Box<[u8]>),
    Removed(Box<[u8]>),
    Started,
    Ended,
    Said(String),
    /// The master has applied all changes.
    Progress,
    /// The slot has left, after so many moves.
    Left(u64),
}

/// A key and its value.
type Pair = (Box<[u8]>, Box<[u8]>);

/// A primary and its replica, which hears of everything later.
struct Shard {
    master: Cache,
    replica: Cache,
    content: Content,
    link: VecDeque<Heard>,
    /// What the replica may find was stored after so many moves, or later: it has heard that the slot left before.
    since: u64,
}

impl Shard {
    fn new() -> Self {
        Self { master: node(), replica: replica(), content: Content::new(), link: VecDeque::new(), since: 0 }
    }

    fn of_slot(&self) -> Vec<Pair> {
        let content = self.master.store.content().into_iter().filter(|(key, _)| Slot::of(key) == slot());
        content.map(|(key, value)| (key, value.bytes.expect("entries are strings"))).collect()
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.master.store.write(key, value);
        self.master.touched(key);
    }

    fn empty_slot(&mut self) {
        for (key, _) in self.of_slot() {
            self.master.store.take(&key);
            self.master.touched(&key);
        }
    }

    fn end_import(&mut self) {
        self.replicate();
        self.link.push_back(Heard::Ended);
        self.master.engine.slot_import_ended(&self.master.store, &slots());
    }

    /// What the master has changed goes on its way.
    fn replicate(&mut self) {
        let now = self.master.store.content();
        let gone = self.content.keys().filter(|key| !now.contains_key(*key));
        self.link.extend(gone.map(|key| Heard::Removed(key.clone())));
        let new = now.iter().filter(|(key, value)| self.content.get(*key) != Some(value));
        self.link
            .extend(new.map(|(key, value)| Heard::Set(key.clone(), value.bytes.clone().expect("entries are strings"))));
        self.content = now;
        let said = self.master.store.take_announced().into_iter().filter(|(subject, _)| subject == "imports");
        self.link.extend(said.map(|(_, word)| Heard::Said(word)));
    }

    fn deliver(&mut self) {
        let replica = &mut self.replica;
        match self.link.pop_front() {
            None => {}
            Some(Heard::Set(key, value)) => {
                replica.store.write(&key, &value);
                replica.touched(&key);
            }
            Some(Heard::Removed(key)) => {
                replica.store.take(&key);
                replica.touched(&key);
            }
            Some(Heard::Started) => replica.engine.slot_import_started(&slots()),
            Some(Heard::Ended) => replica.engine.slot_import_ended(&replica.store, &slots()),
            Some(Heard::Left(tenure)) => self.since = tenure,
            Some(Heard::Progress) => replica.masters_word(Lsn::default()),
            Some(Heard::Said(word)) => replica.engine.imports_announced(word.as_bytes()),
        }
    }

    fn tick(&mut self) {
        self.master.pass(100);
        self.master.engine.announce_imports(&self.master.store);
        self.replicate();
        let may_write = (&self.master.store).may_write().is_ok();
        if may_write && self.master.engine.freshness.pending_invalidations.is_empty() {
            self.link.push_back(Heard::Progress);
        }
        self.replica.pass(100);
    }

    /// The replica copies all that its master has now.
    fn synchronize(&mut self) {
        for heard in self.link.drain(..) {
            if let Heard::Left(tenure) = heard {
                self.since = tenure;
            }
        }
        self.replica.store.replace(self.master.store.content());
        self.replica.engine.keyspace_loaded(&self.replica.store);
        self.master.engine.announce_records_again();
        self.tick();
    }
}

/// Two shards, and a slot that moves between them whole. Clients know at once who owns it: that is the worst that can happen.
struct Model {
    shards: [Shard; 2],
    owner: usize,
    is_importing: bool,
    /// How often the slot has moved: each row says when it was stored.
    tenure: u64,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Read,
    ReadReplica,
    Start,
    Copy,
    HandOver,
    Cancel,
    Deliver(bool),
    Tick(bool),
    Pause(bool, bool),
    Synchronize(bool),
}

impl Model {
    fn new() -> Self {
        let shards = [Shard::new(), Shard::new()];
        shards[1].master.store.foreign.borrow_mut().push(slot().0..slot().0 + 1);
        Self { shards, owner: 0, is_importing: false, tenure: 0 }
    }

    fn step(&mut self, step: Step) {
        let (owner, other) = (self.owner, 1 - self.owner);
        match step {
            Step::Read => self.read(),
            Step::ReadReplica => {
                let read = self.shards[owner].replica.read("t", ID);
                self.judge(&read, self.shards[owner].since);
            }
            Step::Start if !self.is_importing => {
                self.is_importing = true;
                self.shards[other].master.engine.slot_import_started(&slots());
                self.shards[other].link.push_back(Heard::Started);
            }
            Step::Copy if self.is_importing => {
                for (key, value) in self.shards[owner].of_slot() {
                    self.shards[other].put(&key, &value);
                }
            }
            Step::HandOver if self.is_importing => self.hand_over(),
            Step::Cancel if self.is_importing => {
                self.is_importing = false;
                self.shards[other].empty_slot();
                self.shards[other].end_import();
            }
            Step::Deliver(which) => self.shards[usize::from(which)].deliver(),
            Step::Tick(which) => self.shards[usize::from(which)].tick(),
            Step::Pause(which, is_paused) => {
                let role = if is_paused { Role::Paused } else { Role::Master };
                self.shards[usize::from(which)].master.store.set_role(role);
            }
            Step::Synchronize(which) => self.shards[usize::from(which)].synchronize(),
            _ => {}
        }
        for shard in &mut self.shards {
            shard.replicate();
            shard.master.beat();
            shard.replica.beat();
        }
    }

    fn hand_over(&mut self) {
        let (from, to) = (self.owner, 1 - self.owner);
        self.is_importing = false;
        self.owner = to;
        self.tenure += 1;
        self.shards[to].master.store.foreign.borrow_mut().clear();
        self.shards[to].end_import();
        self.shards[from].master.store.foreign.borrow_mut().push(slot().0..slot().0 + 1);
        self.shards[from].empty_slot();
        self.shards[from].replicate();
        self.shards[from].link.push_back(Heard::Left(self.tenure));
    }

    fn read(&mut self) {
        let row = format!(r#"{{"v":{}}}"#, self.tenure);
        let read = self.shards[self.owner].master.load("t", ID, &row);
        self.judge(&read, self.tenure);
    }

    /// The owner of now stored what was found, in this tenure of the slot or in a later one.
    fn judge(&self, read: &Read, since: u64) {
        if let Read::Hit(row) = read {
            let tenure: u64 = row.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("it is a number");
            assert!(tenure >= since && tenure % 2 == self.tenure % 2, "{tenure} in {}, since {since}", self.tenure);
        }
    }

    /// Everything arrives, and then both the owner and its replica serve the row.
    fn settle(&mut self) {
        self.step(Step::Cancel);
        for which in [false, true] {
            self.step(Step::Pause(which, false));
            self.step(Step::Tick(which));
        }
        self.step(Step::Read);
        self.step(Step::Read);
        while self.shards.iter().any(|shard| !shard.link.is_empty()) {
            self.step(Step::Deliver(false));
            self.step(Step::Deliver(true));
        }
        let owner = &mut self.shards[self.owner];
        owner.replica.await_masters_word();
        let row = Read::Hit(format!(r#"{{"v":{}}}"#, self.tenure));
        assert_eq!(self.shards[self.owner].master.read("t", ID), row);
        assert_eq!(self.shards[self.owner].replica.read("t", ID), row);
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Read),
        4 => Just(Step::ReadReplica),
        3 => Just(Step::Start),
        3 => Just(Step::Copy),
        3 => Just(Step::HandOver),
        1 => Just(Step::Cancel),
        6 => any::<bool>().prop_map(Step::Deliver),
        2 => any::<bool>().prop_map(Step::Tick),
        1 => any::<(bool, bool)>().prop_map(|(which, is_paused)| Step::Pause(which, is_paused)),
        1 => any::<bool>().prop_map(Step::Synchronize),
    ]
}

proptest! {
    #[test]
    fn whoever_reads_finds_what_was_stored_since_the_slot_came(steps in proptest::collection::vec(any_step(), 1..60)) {
        let mut model = Model::new();
        steps.into_iter().for_each(|step| model.step(step));
        model.settle();
    }
}
