//! The queue of a source: batches of loads and other jobs, and the workers that take them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::batch::{Batch, Task};
use super::batch_guard::BatchGuard;
use super::concurrency_limit::{ConcurrencyLimit, Permit};
use super::job::Job;

/// What a worker has to do next.
#[derive(Debug)]
pub(super) enum Work<'q> {
    /// Take what waits in a batch.
    Load(BatchGuard<'q>),
    /// Something else.
    Job(Job),
}

/// How much may wait, and how much of it goes together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most tasks that wait.
    pub queue_limit: usize,
    /// Most keys in one statement.
    pub batch_max: usize,
    /// Whether a worker is called for less than is worth a statement of its own. If not, the caller does so soon, with
    /// [`Queue::call`]: more is about to come, and goes along.
    pub calls: bool,
}

/// One source's queue, bounded by the caller's limit. The server's main thread pushes, the workers take.
#[derive(Debug, Clone)]
pub struct Queue {
    shared: Arc<QueueState>,
}

#[derive(Debug)]
struct QueueState {
    line: Mutex<Line>,
    changed: Condvar,
    waiting: AtomicUsize,
    /// Tasks of background batches, which take no place from the others.
    in_background: AtomicUsize,
}

/// Who is next, and how many work already.
#[derive(Debug)]
struct Line {
    concurrency: ConcurrencyLimit,
    /// Batches in which something waits. Both carry the number in which they came.
    tickets: VecDeque<(u64, Arc<Batch>)>,
    jobs: VecDeque<(u64, Job)>,
    next: u64,
    /// Workers with nothing to do.
    idle: usize,
    /// When one of them looks again, because the limit admits one more then.
    watched: Option<Instant>,
}

impl Line {
    fn ticket(&mut self, batch: &Arc<Batch>) {
        self.next += 1;
        self.tickets.push_back((self.next, Arc::clone(batch)));
    }

    /// Whether the limit admits one more for the first batch, if something waits.
    fn permit(&mut self, now: Instant, batch_max: usize) -> Option<Permit> {
        let (_, batch) = self.tickets.front()?;
        let is_enough = batch.has_enough(batch_max);
        Some(self.concurrency.permit(now, is_enough))
    }

    /// Whether nobody looks again by then.
    fn is_unwatched(&self, at: Instant) -> bool {
        self.watched.is_none_or(|watched| at < watched)
    }

    fn is_load_next(&self) -> bool {
        match (self.tickets.front(), self.jobs.front()) {
            (Some((ticket, _)), Some((job, _))) => ticket < job,
            (ticket, _) => ticket.is_some(),
        }
    }
}

/// The queue holds `queue_limit` tasks already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// An empty queue for a source with so many connections.
    pub fn new(pool_size: usize) -> Self {
        let line = Line {
            concurrency: ConcurrencyLimit::new(pool_size),
            tickets: VecDeque::new(),
            jobs: VecDeque::new(),
            next: 0,
            idle: 0,
            watched: None,
        };
        let (waiting, in_background) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = QueueState { line: Mutex::new(line), changed: Condvar::new(), waiting, in_background };
        Self { shared: Arc::new(shared) }
    }

    /// Adds a task to `batch`, unless `queue_limit` tasks wait already, or, for one that nobody waits for, half as many.
    pub fn push(&self, batch: &Arc<Batch>, task: Task, limits: Limits) -> Result<(), Full> {
        if !batch.is_background() {
            self.admit(limits.queue_limit)?;
        } else if self.has_time(limits.queue_limit) {
            self.shared.in_background.fetch_add(1, Ordering::Relaxed);
        } else {
            return Err(Full);
        }
        let is_enough = batch.add(task, limits.batch_max);
        let needs_ticket = batch.claim_ticket();
        if needs_ticket || is_enough {
            let mut line = self.shared.line.lock();
            if needs_ticket {
                line.ticket(batch);
            }
            if limits.calls || is_enough {
                self.call_one(&mut line, limits.batch_max);
            }
        }
        Ok(())
    }

    /// Calls a worker for what was added without one.
    pub fn call(&self, batch_max: usize) {
        self.call_one(&mut self.shared.line.lock(), batch_max);
    }

    /// Adds a job, unless `limit` tasks wait already.
    pub fn push_job(&self, job: Job, limit: usize) -> Result<(), Full> {
        self.admit(limit)?;
        self.add_job(job);
        Ok(())
    }

    fn add_job(&self, job: Job) {
        let mut line = self.shared.line.lock();
        line.next += 1;
        let number = line.next;
        line.jobs.push_back((number, job));
        self.shared.changed.notify_one();
    }

    fn admit(&self, limit: usize) -> Result<(), Full> {
        if self.shared.waiting.load(Ordering::Relaxed) >= limit {
            return Err(Full);
        }
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Has a worker come for the first batch: at once if the limit admits it, else to wait for that moment. Whoever comes
    /// free looks by itself.
    fn call_one(&self, line: &mut Line, batch_max: usize) {
        if line.idle == 0 {
            return;
        }
        match line.permit(Instant::now(), batch_max) {
            Some(Permit::Now) => {
                self.shared.changed.notify_one();
            }
            Some(Permit::At(at)) if line.is_unwatched(at) => {
                self.shared.changed.notify_one();
            }
            Some(Permit::At(_) | Permit::Freed) | None => {}
        }
    }

    /// Whether there is time for tasks that nobody waits for: no more than half of `limit` tasks wait.
    pub fn has_time(&self, limit: usize) -> bool {
        self.len() <= limit / 2
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed) + self.shared.in_background.load(Ordering::Relaxed)
    }

    /// Whether no task waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Much of what was cached is lost: loads start again with one connection, unless they are on their way up already.
    pub fn restart_pace(&self) {
        self.shared.line.lock().concurrency.restart(Instant::now());
    }

    /// Whether they are on their way up.
    pub fn is_restrained(&self) -> bool {
        self.shared.line.lock().concurrency.is_restrained(Instant::now())
    }

    /// Ends `count` workers, once they come to it. All may load now, so that nobody is waited for.
    pub(super) fn stop(&self, count: usize) {
        self.shared.line.lock().concurrency.end();
        (0..count).for_each(|_| self.add_job(Job::Stop));
        self.shared.changed.notify_all();
    }

    /// Waits for something to do; `batch_max` tells the setting of now.
    pub(super) fn next(&self, batch_max: impl Fn() -> usize) -> Work<'_> {
        let mut line = self.shared.line.lock();
        loop {
            let (now, batch_max) = (Instant::now(), batch_max());
            let permit = line.permit(now, batch_max);
            let may_load = permit == Some(Permit::Now);
            if may_load && (line.is_load_next() || line.jobs.is_empty()) {
                if let Some((_, batch)) = line.tickets.pop_front() {
                    line.concurrency.begin(now);
                    self.call_one(&mut line, batch_max);
                    return Work::Load(BatchGuard::new(self, batch, now));
                }
            }
            if let Some((_, job)) = line.jobs.pop_front() {
                self.call_one(&mut line, batch_max);
                if !matches!(job, Job::Stop) {
                    self.took_one();
                }
                return Work::Job(job);
            }
            line.idle += 1;
            match permit {
                Some(Permit::At(at)) if line.is_unwatched(at) => {
                    line.watched = Some(at);
                    self.shared.changed.wait_until(&mut line, at);
                    // Another one may look earlier meanwhile.
                    line.watched = line.watched.filter(|watched| *watched != at);
                }
                _ => self.shared.changed.wait(&mut line),
            }
            line.idle -= 1;
        }
    }

    /// Brings a worker for what is left in a batch.
    pub(super) fn ticket(&self, batch: &Arc<Batch>, batch_max: usize) {
        let mut line = self.shared.line.lock();
        line.ticket(batch);
        self.call_one(&mut line, batch_max);
    }

    /// A turn that began then is over; it `took` so long, if it found something to load.
    pub(super) fn done(&self, began: Instant, took: Option<Duration>) {
        self.shared.line.lock().concurrency.done(began, took);
    }

    fn took_one(&self) {
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// A worker has taken a task of a batch.
    pub(super) fn took_from(&self, batch: &Batch) {
        if batch.is_background() {
            self.shared.in_background.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.took_one();
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
