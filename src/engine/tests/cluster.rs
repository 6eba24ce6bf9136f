//! Nodes of a cluster: entries that come from another node, slots that leave, and where records live.

use proptest::prelude::*;

use crate::cache::slot::{Slot, SLOTS};
use crate::cache::{Notice, Relation};
use crate::engine::tests::memory::Role;

use super::cache::{row_of, table, unwatched, Cache, Read};

const ID: &str = r#"{"id":1}"#;
const ROW: &str = r#"{"v":1}"#;

/// A node that owns all slots.
fn node() -> Cache {
    let mut cache = Cache::new();
    cache.store.join_cluster();
    cache.engine.seek_home(&cache.store);
    cache.add(table());
    cache
}

fn slot() -> Slot {
    Slot::of(ID.as_bytes())
}

fn flush(cache: &mut Cache) {
    let table = cache.table("t");
    cache.engine.start_epoch(&cache.store, &table);
}

/// The keys that begin so, without the prefix of the cache.
fn keys(cache: &Cache, start: &str) -> Vec<String> {
    let keys = cache.store.content().into_keys();
    let names = keys.map(|key| String::from_utf8_lossy(&key).trim_start_matches("pg_cache:").to_owned());
    names.filter(|name| name.starts_with(start)).collect()
}

/// Somebody moves what stands in a slot from one node to another, as MIGRATE does.
fn migrate(from: &mut Cache, to: &mut Cache, slot: Slot) {
    for (key, value) in from.store.content() {
        if Slot::of(&key) == slot {
            from.store.take(&key);
            from.touched(&key);
            to.store.write(&key, &value.bytes.unwrap_or_default());
            to.restored(&key);
        }
    }
}

#[test]
fn a_replica_does_not_serve_what_came_with_a_slot_before_its_master_has_dropped_it() {
    let (mut one, mut replica) = (node(), node());
    one.load("t", ID, ROW);
    replica.set_role(Role::Replica);
    migrate(&mut one, &mut replica, slot());
    assert_eq!(replica.read("t", ID), Read::Waits(1));
    let key = replica.cache_key("t", ID);
    replica.store.take(&key);
    replica.touched(&key);
    replica.await_masters_word();
    replica.store.write(&key, ROW.as_bytes());
    replica.touched(&key);
    assert_eq!(replica.read("t", ID), Read::Hit(ROW.into()), "its master has loaded it");
}

#[test]
fn an_entry_of_another_node_is_never_served_and_goes() {
    let (mut one, mut two) = (node(), node());
    one.load("t", ID, ROW);
    migrate(&mut one, &mut two, slot());
    assert!(two.stands("t", ID), "it has arrived under the key that it would have here");
    assert_eq!(two.read("t", ID), Read::Waits(1));
    two.tick();
    assert!(!two.stands("t", ID));
    assert_eq!((two.engine.counters.arrivals, two.engine.counters.hits), (1, 0));
    two.complete_row(r#"{"v":2}"#);
    assert_eq!(two.read("t", ID), Read::Hit(r#"{"v":2}"#.into()));
}

#[test]
fn an_entry_that_was_away_is_not_believed_again() {
    let (mut one, mut two) = (node(), node());
    one.load("t", ID, ROW);
    migrate(&mut one, &mut two, slot());
    one.changed(1, &[ID]);
    migrate(&mut two, &mut one, slot());
    assert_eq!(one.read("t", ID), Read::Waits(2));
}

#[test]
fn a_replica_serves_what_its_master_stores() {
    let mut replica = node();
    replica.set_role(Role::Replica);
    let key = replica.cache_key("t", ID);
    replica.store.write(&key, ROW.as_bytes());
    replica.touched(&key);
    assert_eq!(replica.read("t", ID), Read::Hit(ROW.into()));
}

#[test]
fn outside_of_a_cluster_what_a_client_sets_is_an_entry() {
    let mut cache = Cache::new();
    cache.add(table());
    let key = cache.cache_key("t", ID);
    cache.store.write(&key, ROW.as_bytes());
    cache.touched(&key);
    assert_eq!(cache.read("t", ID), Read::Hit(ROW.into()));
}

#[test]
fn a_load_whose_slot_has_left_is_answered_and_not_stored() {
    let mut cache = node();
    cache.read("t", ID);
    cache.store.foreign.borrow_mut().push(slot().0..slot().0 + 1);
    cache.complete_row(ROW);
    assert_eq!(cache.answers(), [(1, Ok(Some(ROW.into())))]);
    assert!(!cache.stands("t", ID));
}

#[test]
fn a_command_on_a_slot_that_leaves_is_to_be_tried_again() {
    let mut cache = node();
    cache.store.foreign.borrow_mut().push(slot().0..slot().0 + 1);
    assert_eq!(cache.write("t", ID, ROW).map_err(|error| error.code().into_owned()), Err("TRYAGAIN".into()));
    assert_eq!(cache.invalidate("t", ID).map_err(|error| error.code().into_owned()), Err("TRYAGAIN".into()));
}

#[test]
fn records_live_in_a_slot_of_the_nodes_own() {
    let mut cache = node();
    // All slots but the last 50 are another's.
    cache.store.foreign.borrow_mut().push(0..SLOTS - 50);
    flush(&mut cache);
    let records = keys(&cache, "@");
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(records.iter().all(|name| Slot::of(name.as_bytes()).0 >= SLOTS - 50), "{records:?}");
}

#[test]
fn a_node_finds_its_records_after_a_restart() {
    let mut cache = node();
    flush(&mut cache);
    let epoch = cache.table("t").epoch;
    let mut again = Cache::new();
    again.store.join_cluster();
    again.store.replace(cache.store.content());
    again.engine.seek_home(&again.store);
    assert_eq!(again.add(unwatched()).epoch, epoch);
}

#[test]
fn records_leave_a_slot_before_it_is_anothers() {
    let (mut one, mut two) = (node(), node());
    flush(&mut one);
    let home = Slot::of(keys(&one, "@node")[0].as_bytes());
    one.store.foreign.borrow_mut().push(home.0..home.0 + 1);
    migrate(&mut one, &mut two, home);
    one.tick();
    one.tick();
    let moved = keys(&one, "@");
    assert_eq!(moved.len(), 2, "{moved:?}");
    assert!(moved.iter().all(|name| Slot::of(name.as_bytes()) != home));
    two.tick();
    assert_eq!(keys(&two, "@"), [""; 0], "nobody follows the records of another");
}

#[test]
fn a_replica_follows_its_masters_records_wherever_they_are() {
    let (mut master, mut replica) = (node(), node());
    replica.set_role(Role::Replica);
    flush(&mut master);
    for (key, value) in master.store.content() {
        replica.store.write(&key, &value.bytes.unwrap_or_default());
        replica.touched(&key);
    }
    assert_eq!(replica.table("t").epoch, master.table("t").epoch);
    replica.set_role(Role::Master);
    flush(&mut replica);
    assert_eq!(keys(&replica, "@node"), keys(&master, "@node"));
}

#[test]
fn while_a_command_is_bound_to_a_slot_no_other_key_is_touched() {
    let mut cache = node();
    cache.load("t", ID, ROW);
    let other = (1..).map(Slot).find(|other| *other != slot());
    cache.store.command_slot.set(other);
    assert_eq!(cache.read("t", ID), Read::Waits(2));
    assert_eq!(cache.engine.counters.misrouted, 1);
    flush(&mut cache);
    assert_eq!(keys(&cache, "@"), [""; 0], "the record is in another slot");
    cache.store.command_slot.set(None);
    cache.tick();
    assert_eq!(keys(&cache, "@").len(), 2);
}

/// Two nodes, one row of PostgreSQL, and a slot that moves between them.
struct Model {
    nodes: [Cache; 2],
    owner: usize,
    /// What PostgreSQL holds.
    version: u64,
    /// The version that each node has been told, and the notices under way to it.
    applied: [u64; 2],
    told: [Vec<u64>; 2],
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Read,
    Load(u8),
    Change,
    Hear(u8),
    Move,
    Tick(u8),
    Flush(u8),
}

impl Model {
    fn new() -> Self {
        let model = Self { nodes: [node(), node()], owner: 0, version: 0, applied: [0; 2], told: [vec![], vec![]] };
        model.disown(1);
        model
    }

    fn disown(&self, node: usize) {
        self.nodes[node].store.foreign.borrow_mut().push(slot().0..slot().0 + 1);
    }

    fn row(&self) -> String {
        format!(r#"{{"v":{}}}"#, self.version)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Read => self.read(),
            Step::Load(node) => self.load(usize::from(node) % 2),
            Step::Change => {
                self.version += 1;
                self.told.iter_mut().for_each(|told| told.push(self.version));
            }
            Step::Hear(node) => self.hear(usize::from(node) % 2),
            Step::Move => self.migrate(),
            Step::Tick(node) => self.nodes[usize::from(node) % 2].pass(100),
            Step::Flush(node) => flush(&mut self.nodes[usize::from(node) % 2]),
        }
        self.nodes.iter_mut().for_each(Cache::beat);
    }

    /// A client reads at the node that owns the slot.
    fn read(&mut self) {
        if let Read::Hit(row) = self.nodes[self.owner].read("t", ID) {
            let version: u64 = row.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("it is a number");
            assert!(
                version >= self.applied[self.owner],
                "{version} was served after notice {}",
                self.applied[self.owner]
            );
        }
    }

    /// The oldest load of a node comes back with what PostgreSQL holds now.
    fn load(&mut self, node: usize) {
        let row = self.row();
        if let Some(flight) = self.nodes[node].loads().first().copied() {
            self.nodes[node].complete(flight, Ok(row_of(&row)));
            self.nodes[node].answers();
        }
    }

    fn hear(&mut self, node: usize) {
        if !self.told[node].is_empty() {
            self.applied[node] = self.told[node].remove(0);
            self.nodes[node].notice(&Notice::Rows { relation: Relation::Oid(1), rows: vec![ID.into()] });
        }
    }

    fn migrate(&mut self) {
        self.disown(self.owner);
        let [one, two] = &mut self.nodes;
        let (from, to) = if self.owner == 0 { (one, two) } else { (two, one) };
        migrate(from, to, slot());
        to.store.foreign.borrow_mut().clear();
        self.owner = 1 - self.owner;
    }

    /// Everything has been told, and all loads are back.
    fn settle(&mut self) {
        for node in 0..2 {
            while !self.told[node].is_empty() {
                self.hear(node);
            }
            while !self.nodes[node].loads().is_empty() {
                self.load(node);
            }
            self.nodes[node].tick();
        }
        for _ in 0..2 {
            self.read();
            self.load(self.owner);
        }
        assert_eq!(self.nodes[self.owner].read("t", ID), Read::Hit(self.row()));
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Read),
        3 => any::<u8>().prop_map(Step::Load),
        3 => Just(Step::Change),
        3 => any::<u8>().prop_map(Step::Hear),
        2 => Just(Step::Move),
        2 => any::<u8>().prop_map(Step::Tick),
        1 => any::<u8>().prop_map(Step::Flush),
    ]
}

proptest! {
    #[test]
    fn whatever_moves_when_no_node_serves_what_it_was_told_is_out_of_date(steps in proptest::collection::vec(any_step(), 1..60)) {
        let mut model = Model::new();
        steps.into_iter().for_each(|step| model.step(step));
        model.settle();
    }
}
