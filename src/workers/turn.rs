//! A worker's turn with a group of loads.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use super::group::{Group, Task};
use super::plan::Plan;
use super::queue::Queue;

/// A worker's turn with a group: it loads until this is dropped. Then the next worker may come for a background group.
#[derive(Debug)]
pub(super) struct Turn<'q> {
    queue: &'q Queue,
    group: Arc<Group>,
    /// When it began.
    pub(super) began: Instant,
    /// Whether it found something to load: another worker may have taken everything before.
    has_loads: Cell<bool>,
}

impl<'q> Turn<'q> {
    pub(super) fn new(queue: &'q Queue, group: Arc<Group>, began: Instant) -> Self {
        Self { queue, group, began, has_loads: Cell::new(false) }
    }

    /// The statement to be run.
    pub fn plan(&self) -> &Plan {
        self.group.plan()
    }

    /// Takes what waits in the group, up to `batch_max` keys (a task is never split), and calls for another
    /// worker when something is left.
    pub fn take(&self, batch_max: usize) -> Vec<Task> {
        let (queue, group) = (self.queue, &self.group);
        // Before the first look: a task that comes after it brings a ticket of its own.
        if !group.is_background() {
            group.release_ticket();
        }
        let (mut tasks, mut keys) = (Vec::new(), 0);
        while keys < group.room(batch_max) {
            let Some(task) = group.next() else { break };
            queue.took_from(group);
            keys += task.keys.len();
            tasks.push(task);
        }
        if !group.is_background() {
            self.ticket_for_the_rest(batch_max);
        }
        self.has_loads.set(self.has_loads.get() || !tasks.is_empty());
        tasks
    }

    fn ticket_for_the_rest(&self, batch_max: usize) {
        let group = &self.group;
        if !group.is_empty() && group.claim_ticket() {
            self.queue.ticket(group, batch_max);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let took = self.has_loads.get().then(|| self.began.elapsed());
        self.queue.done(self.began, took);
        if self.group.is_background() {
            self.group.release_ticket();
            self.ticket_for_the_rest(usize::MAX);
        }
    }
}
