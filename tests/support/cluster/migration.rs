//! A slot on its way from one node to another, step by step, as `redis-cli --cluster reshard` has it.

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
    /// Of the new owner, the old one, and the other primaries.
    clients: Vec<Client>,
}

impl Cluster {
    /// Begins to move a slot to this node: it belongs to its owner still, and keys that are not there are asked for at the other.
    pub fn begin_move(&self, slot: u16, to: usize) -> Migration<'_> {
        let mut migration = Migration::of(self, slot, to);
        migration.begin();
        migration
    }

    /// Moves slots of one owner with their keys, one after the other, and waits until all nodes know.
    pub fn move_slots(&self, slots: impl IntoIterator<Item = u16>, to: usize) {
        let mut slots = slots.into_iter().peekable();
        let mut migration = Migration::of(self, *slots.peek().expect("some slot"), to);
        for slot in slots {
            migration.slot = slot;
            migration.begin();
            migration.move_all_keys();
            migration.end();
        }
        self.await_agreement();
    }
}

impl<'c> Migration<'c> {
    fn of(cluster: &'c Cluster, slot: u16, to: usize) -> Self {
        let from = cluster.node_of(slot);
        let others = cluster.primaries().into_iter().filter(|node| ![from, to].contains(node));
        let clients = [to, from].into_iter().chain(others).map(|node| cluster[node].client()).collect();
        Self { cluster, slot, from, to, clients }
    }

    fn begin(&mut self) {
        let [from, to] = [self.from, self.to].map(|node| self.cluster.node(node).id.clone());
        set_slot(&mut self.clients[0], self.slot, &["IMPORTING", &from]);
        set_slot(&mut self.clients[1], self.slot, &["MIGRATING", &to]);
    }

    /// Moves so many keys at most. How many that were: 0 when none is left.
    pub fn move_keys(&mut self, most: usize) -> usize {
        let client = &mut self.clients[1];
        let keys = keys_in(client, self.slot, most);
        if !keys.is_empty() {
            let (host, port) = self.cluster[self.to].address();
            let port = port.to_string();
            let words = ["MIGRATE", host, &port, "", "0", MIGRATE_TIMEOUT, "KEYS"];
            let mut command: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            command.extend(keys.iter().map(Vec::as_slice));
            let reply = client.call(&command);
            // They may have gone by themselves since.
            assert!(matches!(&reply, Reply::Simple(text) if text == "OK" || text == "NOKEY"), "{reply:?}");
        }
        keys.len()
    }

    /// Moves keys until none is left.
    pub fn move_all_keys(&mut self) {
        while self.move_keys(TOGETHER) > 0 {}
    }

    /// Gives the slot to its new owner.
    pub fn finish(mut self) {
        self.end();
    }

    /// All primaries are told, the new owner first: should we end in between, it knows.
    fn end(&mut self) {
        let id = &self.cluster.node(self.to).id;
        self.clients.iter_mut().for_each(|client| set_slot(client, self.slot, &["NODE", id]));
    }

    /// Leaves the slot where it was. Keys that have been moved stay away.
    pub fn give_up(mut self) {
        self.clients[..2].iter_mut().for_each(|client| set_slot(client, self.slot, &["STABLE"]));
    }
}

fn set_slot(client: &mut Client, slot: u16, words: &[&str]) {
    let slot = slot.to_string();
    let command = [&["CLUSTER", "SETSLOT", &slot], words].concat();
    assert_eq!(client.call(&command), Reply::Simple("OK".into()), "{command:?}");
}

/// Some keys of a slot.
fn keys_in(client: &mut Client, slot: u16, most: usize) -> Vec<Vec<u8>> {
    match client.call(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]) {
        Reply::Array(keys) => keys.into_iter().map(|key| key.text().into_bytes()).collect(),
        reply => panic!("GETKEYSINSLOT: {reply:?}"),
    }
}
