//! A slot on its way from one node to another, step by step, as `redis-cli --cluster reshard` has it.

use std::ops::RangeInclusive;

use crate::support::{Client, Reply};

use super::Cluster;

/// How many keys MIGRATE takes at a time.
const TOGETHER: usize = 10;
/// In milliseconds.
const MIGRATE_TIMEOUT: &str = "60000";

/// A slot whose keys one node imports from another.
pub struct Migration<'c> {
    cluster: &'c Cluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl Cluster {
    /// Begins to move a slot to this node: it belongs to its owner still, and keys that are not there are asked for at the other.
    pub fn begin_move(&self, slot: u16, to: usize) -> Migration<'_> {
        let from = self.node_of(slot);
        self.set_slot(to, slot, &["IMPORTING", &self.node(from).id]);
        self.set_slot(from, slot, &["MIGRATING", &self.node(to).id]);
        Migration { cluster: self, slot, from, to }
    }

    /// Moves slots with their keys, one after the other, and waits until all nodes know.
    pub fn move_slots(&self, slots: RangeInclusive<u16>, to: usize) {
        for slot in slots {
            let migration = self.begin_move(slot, to);
            migration.move_all_keys();
            migration.finish();
        }
        self.await_agreement();
    }

    fn set_slot(&self, node: usize, slot: u16, words: &[&str]) {
        let slot = slot.to_string();
        let command = [&["CLUSTER", "SETSLOT", &slot], words].concat();
        assert_eq!(self[node].client().call(&command), Reply::Simple("OK".into()), "{command:?}");
    }
}

impl Migration<'_> {
    /// Moves so many keys at most. How many that were: 0 when none is left.
    pub fn move_keys(&self, most: usize) -> usize {
        let mut client = self.cluster[self.from].client();
        let keys = keys_in(&mut client, self.slot, most);
        if !keys.is_empty() {
            let (host, port) = self.cluster[self.to].address();
            let port = port.to_string();
            let mut command: Vec<&[u8]> =
                [host, &port, "", "0", MIGRATE_TIMEOUT, "KEYS"].iter().map(|word| word.as_bytes()).collect();
            command.insert(0, b"MIGRATE");
            command.extend(keys.iter().map(Vec::as_slice));
            let reply = client.call(&command);
            // They may have gone by themselves since.
            assert!(matches!(&reply, Reply::Simple(text) if text == "OK" || text == "NOKEY"), "{reply:?}");
        }
        keys.len()
    }

    /// Moves keys until none is left.
    pub fn move_all_keys(&self) {
        while self.move_keys(TOGETHER) > 0 {}
    }

    /// Gives the slot to its new owner. All primaries are told, that one first: should we end in between, it knows.
    pub fn finish(self) {
        let id = &self.cluster.node(self.to).id;
        let primaries = self.cluster.primaries();
        let others = primaries.into_iter().filter(|node| ![self.from, self.to].contains(node));
        for node in [self.to, self.from].into_iter().chain(others) {
            self.cluster.set_slot(node, self.slot, &["NODE", id]);
        }
    }

    /// Leaves the slot where it was. Keys that have been moved stay away.
    pub fn give_up(self) {
        for node in [self.to, self.from] {
            self.cluster.set_slot(node, self.slot, &["STABLE"]);
        }
    }
}

/// Some keys of a slot.
fn keys_in(client: &mut Client, slot: u16, most: usize) -> Vec<Vec<u8>> {
    match client.call(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]) {
        Reply::Array(keys) => keys.into_iter().map(|key| key.text().into_bytes()).collect(),
        reply => panic!("GETKEYSINSLOT: {reply:?}"),
    }
}
