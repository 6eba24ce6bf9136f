//! One thread's view of the settings: read many times with every command, refreshed now and then.

use std::rc::Rc;
use std::sync::Arc;

use super::{Settings, Shared};

/// Keeps the snapshot that was current when it was last looked for, so that nobody locks or counts across threads.
#[derive(Debug)]
pub struct Local {
    shared: Arc<Shared>,
    version: u64,
    current: Rc<Settings>,
}

impl Local {
    /// What `shared` has.
    pub fn new(shared: Arc<Shared>) -> Self {
        // Read first: should a change come in between, it is looked for once more than needed.
        let version = shared.version();
        let current = Rc::new(Settings::clone(&shared.get()));
        Self { shared, version, current }
    }

    /// Looks for a change, and returns whether there was one.
    #[inline]
    pub fn follow(&mut self) -> bool {
        let version = self.shared.version();
        let has_changed = version != self.version;
        if has_changed {
            self.take(version);
        }
        has_changed
    }

    #[cold]
    fn take(&mut self, version: u64) {
        self.current = Rc::new(Settings::clone(&self.shared.get()));
        self.version = version;
    }

    /// The snapshot of the last look, for one piece of work.
    pub fn get(&self) -> &Rc<Settings> {
        &self.current
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_once_it_is_looked_for_and_nothing_else_makes_a_new_snapshot() {
        let shared = Arc::new(Shared::new(super::super::load(&[], []).unwrap().settings));
        let mut local = Local::new(Arc::clone(&shared));
        let before = Rc::clone(local.get());
        assert!(!local.follow() && Rc::ptr_eq(&before, local.get()));
        shared.set("batch_max", "7").unwrap();
        assert!(local.follow());
        assert_eq!((before.batch_max, local.get().batch_max), (128, 7));
        assert!(shared.set("batch_max", "none").is_err());
        assert!(!local.follow());
    }
}
