//! The guard of a batch: a worker loads the batch until it drops this.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Batch, Task};
use super::plan::Plan;
use super::queue::Queue;

/// A batch that a worker loads until this is dropped. Then the next worker may take a background batch.
#[derive(Debug)]
pub(super) struct BatchGuard<'q> {
    queue: &'q Queue,
    batch: Arc<Batch>,
    /// When it began.
    pub(super) began: Instant,
    /// Whether it found something to load: another worker may have taken everything before.
    has_loads: Cell<bool>,
}

impl<'q> BatchGuard<'q> {
    pub(super) fn new(queue: &'q Queue, batch: Arc<Batch>, began: Instant) -> Self {
        Self { queue, batch, began, has_loads: Cell::new(false) }
    }

    /// The statement to be run.
    pub fn plan(&self) -> &Plan {
        self.batch.plan()
    }

    /// Takes what waits in the batch, up to `batch_max` keys (a task is never split), and calls for another
    /// worker when something is left.
    pub fn take(&self, batch_max: usize) -> Vec<Task> {
        let (queue, batch) = (self.queue, &self.batch);
        // Before the first look: a task that comes after it brings a ticket of its own.
        if !batch.is_background() {
            batch.release_ticket();
        }
        let (mut tasks, mut keys) = (Vec::new(), 0);
        while keys < batch.room(batch_max) {
            let Some(task) = batch.next() else { break };
            queue.took_from(batch);
            keys += task.keys.len();
            tasks.push(task);
        }
        if !batch.is_background() {
            self.ticket_for_the_rest(batch_max);
        }
        self.has_loads.set(self.has_loads.get() || !tasks.is_empty());
        tasks
    }

    fn ticket_for_the_rest(&self, batch_max: usize) {
        let batch = &self.batch;
        if !batch.is_empty() && batch.claim_ticket() {
            self.queue.ticket(batch, batch_max);
        }
    }
}

impl Drop for BatchGuard<'_> {
    fn drop(&mut self) {
        let took = self.has_loads.get().then(|| self.began.elapsed());
        self.queue.done(self.began, took);
        if self.batch.is_background() {
            self.batch.release_ticket();
            self.ticket_for_the_rest(usize::MAX);
        }
    }
}
