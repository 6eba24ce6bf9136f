//! Roles of the model's server, what its master tells it, and exchanged data sets.

use super::{json, Model, Name, ROWS};
use crate::cache::Lsn;
use crate::engine::tests::memory::{Content, Role};

impl Model {
    /// One that copies a master.
    pub fn replica(settings: &[&str]) -> Self {
        let mut model = Self::new(settings);
        model.set_role(2);
        model
    }

    /// The server becomes a replica or a master, or is paused.
    pub(super) fn set_role(&mut self, how: u8) {
        let role = match (self.role, how % 3) {
            (Role::Replica, 0 | 1) | (Role::Paused, 0) => Role::Master,
            (Role::Master, 0 | 1) => Role::Paused,
            (Role::Master, _) => Role::Replica,
            _ => return,
        };
        let is_told = Role::Replica == role || Role::Replica == self.role;
        self.role = role;
        // What it copies is what it has: its master has heard as much.
        self.master_at = self.applied;
        if is_told {
            self.cache.set_role(role);
        } else {
            self.cache.store.set_role(role);
        }
    }

    /// The master of this replica starts a new epoch, says how far it is, or stores or removes a key. It may be far behind.
    pub(super) fn follow_master(&mut self, which: usize, how: u8) {
        if self.role != Role::Replica {
            return;
        }
        let keys = self.keys();
        match how % 4 {
            0 => self.hear_record(),
            1 => self.hear_word(),
            2 => self.copy(which % ROWS),
            _ if !keys.is_empty() => self.hear_removal(&keys[which % keys.len()]),
            _ => {}
        }
    }

    fn hear_removal(&mut self, key: &[u8]) {
        self.cache.store.take(key);
        self.cache.touched(key);
    }

    /// The master has applied everything.
    fn hear_word(&mut self) {
        self.keys().iter().for_each(|key| self.hear_removal(key));
        self.master_at = self.change;
        self.cache.masters_word(Lsn(self.change));
    }

    /// The master has loaded a row, and knows of no later change of it, which readers here may have seen.
    fn copy(&mut self, row: usize) {
        let key = self.cache.cache_key("t", &Name::of(row, 0).text());
        let state = self.state_at(row, self.master_at);
        // What it was told of and cannot see yet it does not store.
        if self.rows[row][state].exists && state <= self.latest_visible(row) {
            self.cache.store.write(&key, json(row, state).as_bytes());
            self.cache.touched(&key);
            self.unsee(row, state);
        }
    }

    /// The master has started a new epoch of the table.
    fn hear_record(&mut self) {
        let record = b"pg_cache:@epoch:t";
        let epoch = 1_700_000_000_000 + 1000 + self.now_ms;
        self.cache.store.write(record, epoch.to_string().as_bytes());
        self.cache.touched(record);
    }

    /// What stands in the keyspace is exchanged: a flush, a swap, a file of long ago that is loaded, an epoch that ends.
    pub(super) fn replace(&mut self, how: u8) {
        let is_master = self.role == Role::Master;
        match how % 6 {
            0 => {
                self.cache.store.replace(Content::new());
                self.cache.engine.keyspace_flushed();
            }
            1 => self.saved = self.cache.store.content(),
            2 if is_master => {
                self.saved = self.cache.store.replace(self.saved.clone());
                self.cache.engine.keyspace_replaced(&self.cache.store);
            }
            3 if is_master => {
                self.cache.store.replace(self.saved.clone());
                self.cache.engine.keyspace_loaded(&self.cache.store);
            }
            4 if is_master => {
                let table = self.cache.table("t");
                self.cache.engine.start_epoch(&self.cache.store, &table);
            }
            5 if is_master => {
                self.cache.engine.flush_all(&self.cache.store);
            }
            _ => {}
        }
    }
}
