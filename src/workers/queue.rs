//! What waits for a worker. Loads of the same table and key columns wait in one group, and a worker that
//! comes for one of them takes them all: a batch is what piled up while the connections were busy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::watch_request::Watching;
use crate::cache::flight::FlightId;
use crate::postgres::load::KeyValues;
use crate::postgres::statement::LoadPlan;

/// The misses of one command: one key for a READ, all of them for a MULTIREAD.
#[derive(Debug)]
pub struct Task {
    /// Each key with the flight that waits for it.
    pub keys: Vec<(FlightId, KeyValues)>,
    /// When it began to wait.
    pub pushed: Instant,
    /// When nobody waits any more.
    pub deadline: Instant,
}

/// Loads that one statement can serve together.
#[derive(Debug)]
pub struct Group {
    /// Their statement.
    pub plan: Arc<LoadPlan>,
    tasks: (Sender<Task>, Receiver<Task>),
    /// Whether nobody waits for what it loads.
    is_background: bool,
    /// Whether the queue holds a ticket for this group: one is enough to bring a worker for all its tasks.
    has_ticket: AtomicBool,
}

impl Group {
    /// An empty group for `plan`.
    pub fn new(plan: LoadPlan) -> Arc<Self> {
        Self::with(Arc::new(plan), false)
    }

    /// An empty group for loads that nobody waits for. They take one connection at a time, so that others are not kept
    /// waiting by them, and what piles up meanwhile goes in the next batch.
    pub fn in_background(plan: Arc<LoadPlan>) -> Arc<Self> {
        Self::with(plan, true)
    }

    fn with(plan: Arc<LoadPlan>, is_background: bool) -> Arc<Self> {
        let tasks = crossbeam_channel::unbounded();
        Arc::new(Self { plan, tasks, is_background, has_ticket: AtomicBool::new(false) })
    }
}

/// A worker's errand.
#[derive(Debug)]
pub enum Job {
    /// Take what waits in the group.
    Load(Arc<Group>),
    /// Read the catalog for the relation that this text names.
    Describe(String),
    /// Read it again for a relation that is known.
    Redescribe {
        /// Its `pg_class.oid`.
        oid: u32,
        /// Its name, as `regclass` prints it.
        name: String,
    },
    /// Do what a WATCH command asks for.
    Watch {
        /// Under which number the answer is waited for.
        number: u64,
        /// What.
        what: Watching,
    },
    /// Panic: what the project's own tests ask for, to see that the server lives on.
    Panic,
    /// End the thread that takes it.
    Stop,
}

/// One source's queue, bounded by the caller's limit. The server's main thread pushes, the workers take.
#[derive(Debug, Clone)]
pub struct Queue {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    /// Tasks of background groups, which take no place from the others.
    in_background: Arc<AtomicUsize>,
}

/// The queue holds `queue_limit` tasks already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// An empty queue, and the end that the workers take from.
    pub fn new() -> (Self, Receiver<Job>) {
        let (jobs, receiver) = crossbeam_channel::unbounded();
        (Self { jobs, waiting: Arc::default(), in_background: Arc::default() }, receiver)
    }

    /// Adds a task to `group`, unless `limit` tasks wait already, or, for one that nobody waits for, half as many.
    pub fn push(&self, group: &Arc<Group>, task: Task, limit: usize) -> Result<(), Full> {
        if !group.is_background {
            self.admit(limit)?;
        } else if self.has_time(limit) {
            self.in_background.fetch_add(1, Ordering::Relaxed);
        } else {
            return Err(Full);
        }
        // The group owns both ends of its channel, so that sending cannot fail.
        let _ = group.tasks.0.send(task);
        self.ticket(group);
        Ok(())
    }

    /// Adds another errand, unless `limit` tasks wait already.
    pub fn push_job(&self, job: Job, limit: usize) -> Result<(), Full> {
        self.admit(limit)?;
        let _ = self.jobs.send(job);
        Ok(())
    }

    fn admit(&self, limit: usize) -> Result<(), Full> {
        if self.waiting.load(Ordering::Relaxed) >= limit {
            return Err(Full);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn ticket(&self, group: &Arc<Group>) {
        if !group.has_ticket.swap(true, Ordering::AcqRel) {
            let _ = self.jobs.send(Job::Load(Arc::clone(group)));
        }
    }

    /// Whether there is time for tasks that nobody waits for: no more than half of `limit` tasks wait.
    pub fn has_time(&self, limit: usize) -> bool {
        self.len() <= limit / 2
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed) + self.in_background.load(Ordering::Relaxed)
    }

    /// Whether no task waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends one worker, once it comes to it.
    pub(super) fn stop_one(&self) {
        let _ = self.jobs.send(Job::Stop);
    }

    /// A worker took an errand that is no group.
    pub(super) fn took_one(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes what waits in `group`, up to `batch_max` keys (a task is never split), and calls for another
    /// worker when something is left.
    pub(super) fn take(&self, group: &Arc<Group>, batch_max: usize) -> Vec<Task> {
        // Before the first look: a task that comes after it brings a ticket of its own.
        if !group.is_background {
            group.has_ticket.store(false, Ordering::Release);
        }
        let (mut tasks, mut keys) = (Vec::new(), 0);
        while keys < batch_max {
            let Ok(task) = group.tasks.1.try_recv() else { break };
            self.took_from(group);
            keys += task.keys.len();
            tasks.push(task);
        }
        if !group.is_background && !group.tasks.1.is_empty() {
            self.ticket(group);
        }
        tasks
    }

    fn took_from(&self, group: &Group) {
        if group.is_background {
            self.in_background.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.took_one();
        }
    }

    /// A worker comes to take from `group`; the result is dropped once it is done with what it took.
    pub(super) fn turn<'q>(&'q self, group: &'q Arc<Group>) -> Turn<'q> {
        Turn { queue: self, group }
    }
}

/// A worker's turn with a group. When it ends, the next worker may come for a background group.
#[derive(Debug)]
pub(super) struct Turn<'q> {
    queue: &'q Queue,
    group: &'q Arc<Group>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.group.is_background {
            return;
        }
        self.group.has_ticket.store(false, Ordering::Release);
        if !self.group.tasks.1.is_empty() {
            self.queue.ticket(self.group);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cache::table::TableDefinition;

    fn group() -> Arc<Group> {
        let table = TableDefinition {
            oid: 1,
            schema: "s".into(),
            relation: "t".into(),
            display: "t".into(),
            columns: vec![],
            unique_keys: vec![],
            is_watched: false,
            concerns: vec![1],
            fingerprint: 0,
        };
        Group::new(LoadPlan::plain(Arc::new(table), vec![]))
    }

    fn task(keys: u64) -> Task {
        let keys = (0..keys).map(|n| (FlightId(n), KeyValues::default())).collect();
        Task { keys, pushed: Instant::now(), deadline: Instant::now() }
    }

    #[test]
    fn one_worker_takes_all_that_waits_for_a_group() {
        let (queue, jobs) = Queue::new();
        let group = group();
        for _ in 0..5 {
            queue.push(&group, task(1), 10).unwrap();
        }
        assert_eq!(jobs.len(), 1, "one ticket brings one worker");
        assert_eq!(queue.take(&group, 128).len(), 5);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_a_full_batch_leaves_calls_another_worker() {
        let (queue, jobs) = Queue::new();
        let group = group();
        for _ in 0..3 {
            queue.push(&group, task(2), 10).unwrap();
        }
        assert!(matches!(jobs.try_recv(), Ok(Job::Load(_))));
        assert_eq!(queue.take(&group, 3).len(), 2, "a task is never split");
        assert_eq!((queue.len(), jobs.len()), (1, 1));
    }

    #[test]
    fn one_worker_at_a_time_comes_for_what_nobody_waits_for() {
        let (queue, jobs) = Queue::new();
        let group = Group::in_background(Arc::clone(&group().plan));
        for _ in 0..3 {
            queue.push(&group, task(1), 10).unwrap();
        }
        let turn = queue.turn(&group);
        assert!(matches!(jobs.try_recv(), Ok(Job::Load(_))));
        assert_eq!(queue.take(&group, 2).len(), 2);
        queue.push(&group, task(1), 10).unwrap();
        assert_eq!((queue.len(), jobs.len()), (2, 0), "until the worker is done");
        drop(turn);
        assert_eq!(jobs.len(), 1);
        let turn = queue.turn(&group);
        assert_eq!(queue.take(&group, 128).len(), 2);
        drop(turn);
        assert_eq!((queue.len(), jobs.len()), (0, 1), "nothing is left to come for");
    }

    #[test]
    fn what_nobody_waits_for_is_shed_first_and_takes_no_place_from_others() {
        let (queue, _jobs) = Queue::new();
        let (group, background) = (group(), Group::in_background(Arc::clone(&group().plan)));
        for _ in 0..3 {
            queue.push(&background, task(1), 4).unwrap();
        }
        assert_eq!(queue.push(&background, task(1), 4), Err(Full));
        for _ in 0..4 {
            queue.push(&group, task(1), 4).unwrap();
        }
        assert_eq!(queue.push(&group, task(1), 4), Err(Full));
    }

    #[test]
    fn a_full_queue_sheds() {
        let (queue, _jobs) = Queue::new();
        let group = group();
        queue.push(&group, task(1), 1).unwrap();
        assert_eq!(queue.push(&group, task(1), 1), Err(Full));
        assert!(matches!(queue.push_job(Job::Panic, 1), Err(Full)));
    }
}
