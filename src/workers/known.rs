//! The relations that are known here: what the thread that listens to a source compares with the catalog.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// One source's relations. The main thread enters them, its listening thread reads them.
#[derive(Debug, Default)]
pub struct Known {
    relations: Mutex<Vec<(u32, String)>>,
    is_urgent: AtomicBool,
}

impl Known {
    /// Puts `relations` (`pg_class.oid`, and the name as `regclass` prints it) in the place of those before.
    pub fn set(&self, relations: Vec<(u32, String)>) {
        *self.relations.lock() = relations;
    }

    /// The relations of now.
    pub fn get(&self) -> Vec<(u32, String)> {
        self.relations.lock().clone()
    }

    /// Asks for a comparison soon, whatever the clock says.
    pub fn hurry(&self) {
        self.is_urgent.store(true, Ordering::Release);
    }

    /// Whether somebody asked for one since the last call.
    pub fn take_hurry(&self) -> bool {
        self.is_urgent.swap(false, Ordering::AcqRel)
    }
}
