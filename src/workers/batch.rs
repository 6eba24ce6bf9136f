//! Loads of the same table and key columns wait in one batch, and a worker that comes for one of them takes them all: a
//! batch is what piled up while the connections were busy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::plan::Plan;
use crate::cache::FlightId;
use crate::postgres::rows::load::KeyValues;

/// So many keys are worth a statement of their own: what it costs by itself is little beside them, and to wait for more
/// would leave PostgreSQL idle.
pub(super) const ENOUGH: usize = 64;

/// The misses of one command: one key for a READ, all of them for a MULTIREAD.
#[derive(Debug)]
pub struct Task {
    /// Each key with the flight that waits for it.
    pub keys: Vec<(FlightId, KeyValues)>,
    /// When it began to wait.
    pub pushed: Instant,
    /// When nobody waits any more.
    pub deadline: Instant,
    /// Whether PostgreSQL is to be asked beforehand which transactions it shows.
    pub is_guarded: bool,
}

/// Loads that one statement can serve together.
#[derive(Debug)]
pub struct Batch {
    plan: Plan,
    tasks: (Sender<Task>, Receiver<Task>),
    /// The keys of all its tasks.
    keys: AtomicUsize,
    /// Whether nobody waits for what it loads.
    is_background: bool,
    /// Whether the queue holds a ticket for this batch: one is enough to bring a worker for all its tasks.
    has_ticket: AtomicBool,
}

impl Batch {
    /// An empty batch for `plan`.
    pub fn new(plan: impl Into<Plan>) -> Arc<Self> {
        Self::with(plan.into(), false)
    }

    /// An empty batch for loads that nobody waits for. They take one connection at a time, so that others are not kept
    /// waiting by them, and what piles up meanwhile goes in the next batch.
    pub fn in_background(plan: Plan) -> Arc<Self> {
        Self::with(plan, true)
    }

    fn with(plan: Plan, is_background: bool) -> Arc<Self> {
        let tasks = crossbeam_channel::unbounded();
        let (keys, has_ticket) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { plan, tasks, keys, is_background, has_ticket })
    }

    /// Their statement.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether nobody waits for what it loads.
    pub(super) fn is_background(&self) -> bool {
        self.is_background
    }

    /// Says that the queue is to hold a ticket for this batch. Returns whether it held none before.
    pub(super) fn claim_ticket(&self) -> bool {
        !self.has_ticket.swap(true, Ordering::AcqRel)
    }

    /// The queue holds none any more.
    pub(super) fn release_ticket(&self) {
        self.has_ticket.store(false, Ordering::Release);
    }

    /// Whether nothing waits in it.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.1.is_empty()
    }

    /// Most keys that one statement takes, where `batch_max` is the setting.
    pub(super) fn room(&self, batch_max: usize) -> usize {
        self.plan.room(batch_max)
    }

    /// How many keys are worth a statement of their own, whatever else might come.
    fn enough(&self, batch_max: usize) -> usize {
        self.room(batch_max).min(ENOUGH)
    }

    /// Whether as much waits as is worth a statement of its own.
    pub(super) fn has_enough(&self, batch_max: usize) -> bool {
        self.keys.load(Ordering::Relaxed) >= self.enough(batch_max)
    }

    /// Adds a task. Returns whether there was not enough without it, and is now.
    pub(super) fn add(&self, task: Task, batch_max: usize) -> bool {
        let (added, enough) = (task.keys.len(), self.enough(batch_max));
        let before = self.keys.fetch_add(added, Ordering::Relaxed);
        // The batch owns both ends of its channel, so that sending cannot fail.
        let _ = self.tasks.0.send(task);
        before < enough && before + added >= enough
    }

    /// The task that has waited longest.
    pub(super) fn next(&self) -> Option<Task> {
        let task = self.tasks.1.try_recv().ok()?;
        self.keys.fetch_sub(task.keys.len(), Ordering::Relaxed);
        Some(task)
    }
}
