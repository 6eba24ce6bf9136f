//! The settings as one thread sees them: asked for many times with every command, changed now and then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::{Settings, Shared};

/// Keeps the snapshot that was current when it was last looked for, so that nobody locks or counts across threads.
#[derive(Debug)]
pub struct Local {
    shared: Arc<Shared>,
    version: Cell<u64>,
    current: RefCell<Rc<Settings>>,
}

impl Local {
    /// What `shared` has.
    pub fn new(shared: Arc<Shared>) -> Self {
        // Read first: should a change come in between, it is looked for once more than needed.
        let version = Cell::new(shared.version());
        let current = RefCell::new(Rc::new(Settings::clone(&shared.get())));
        Self { shared, version, current }
    }

    /// The snapshot of now, for one piece of work.
    pub fn get(&self) -> Rc<Settings> {
        let version = self.shared.version();
        if version != self.version.get() {
            *self.current.borrow_mut() = Rc::new(Settings::clone(&self.shared.get()));
            self.version.set(version);
        }
        Rc::clone(&self.current.borrow())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_and_nothing_else_makes_a_new_snapshot() {
        let shared = Arc::new(Shared::new(super::super::load(&[], []).unwrap().settings));
        let local = Local::new(Arc::clone(&shared));
        let before = local.get();
        assert!(Rc::ptr_eq(&before, &local.get()));
        shared.set("batch_max", "7").unwrap();
        assert_eq!((before.batch_max, local.get().batch_max), (128, 7));
        assert!(shared.set("batch_max", "none").is_err());
        assert!(Rc::ptr_eq(&local.get(), &local.get()));
    }
}
