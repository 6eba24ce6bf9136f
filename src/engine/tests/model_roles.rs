//! Roles of the model's server, what its master tells it, and exchanged data sets.

use super::Model;
use crate::engine::tests::memory::{Content, Role};

impl Model {
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
        if is_told {
            self.cache.set_role(role);
        } else {
            self.cache.store.set_role(role);
        }
    }

    /// The master of this replica removes a key, or tells of another epoch.
    pub(super) fn follow_master(&mut self, which: usize, how: u8) {
        if self.role != Role::Replica {
            return;
        }
        let keys = self.keys();
        if how % 4 == 0 {
            self.hear_record();
        } else if !keys.is_empty() {
            let key = &keys[which % keys.len()];
            self.cache.store.take(key);
            self.cache.touched(key);
        }
    }

    /// The master has started a new epoch of the table.
    pub(super) fn hear_record(&mut self) {
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
