//! The queue of hooks to be run, each with its keys and its event.

use std::collections::VecDeque;
use std::rc::Rc;

/// How many may wait. They are run as soon as the command under way has been answered; so many can only come together
/// when a command causes them all, or while replicas are paused.
const MAX_DUE: usize = 100_000;

/// Cache keys, shared by all hooks on one event.
pub type Keys = Rc<[Box<[u8]>]>;

/// A hook to be run.
#[derive(Debug)]
pub struct QueuedHook {
    /// Which.
    pub hook: u64,
    /// The cache keys of the rows that the event is about.
    pub keys: Keys,
    /// The event.
    pub json: Rc<str>,
}

/// Those that wait, in order.
#[derive(Debug, Default)]
pub struct HookQueue {
    waiting: VecDeque<QueuedHook>,
}

impl HookQueue {
    /// Adds one, if there is room.
    pub fn push(&mut self, due: QueuedHook) -> Result<(), &'static str> {
        if self.waiting.len() >= MAX_DUE {
            return Err("not run: too many hooks were waiting already");
        }
        self.waiting.push_back(due);
        Ok(())
    }

    /// Takes out the first.
    pub fn pop(&mut self) -> Option<QueuedHook> {
        self.waiting.pop_front()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_takes_bounded_memory() {
        let mut queue = HookQueue::default();
        let due = |hook| QueuedHook { hook, keys: Rc::from([]), json: "{}".into() };
        let refused = (0..MAX_DUE as u64 + 5).filter(|hook| queue.push(due(*hook)).is_err()).count();
        assert_eq!((refused, queue.len(), queue.pop().map(|due| due.hook)), (5, MAX_DUE, Some(0)));
    }
}
