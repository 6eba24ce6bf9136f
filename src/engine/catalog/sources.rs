//! The sources, each with its queue and its workers.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::{Error, ErrorKind};
use crate::cdc::Known;
use crate::engine::freshness::listening::Listening;
use crate::postgres::{HealthReport, Identity, Source};
use crate::settings::Shared;
use crate::workers::batch::{Batch, Task};
use crate::workers::listener::ListenerConfig;
use crate::workers::messages::{Message, MessageSender};
use crate::workers::queue::{Limits, Queue};
use crate::workers::threads::Threads;
use crate::workers::worker::Worker;
use crate::workers::{Job, SourceIndex};

/// How long unloading waits for the threads, which no connection keeps: less than anybody notices.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// One source at work.
#[derive(Debug)]
pub struct ActiveSource {
    /// Its name: `default`, `analytics`.
    pub name: String,
    /// What stands before its tables' names in cache keys: nothing for the default source.
    pub prefix: String,
    /// What waits for a worker.
    pub queue: Queue,
    /// Whether it was down when it was last heard of.
    was_down: Cell<bool>,
    /// Whether it has ever been up.
    was_up: Cell<bool>,
    /// Whether something was pushed without a worker being called.
    is_calling_due: Cell<bool>,
    /// The relations whose definitions are compared with the catalog.
    pub known: Arc<Known>,
    /// The number of the functions and types that it was last heard to have.
    pub vocabulary: Cell<Option<i64>>,
    /// `None` where the rules are tested alone: nobody takes what is pushed.
    running: Option<Running>,
}

/// What runs beside the main thread.
#[derive(Debug)]
struct Running {
    /// The connections.
    source: Arc<Source>,
    listening: Listening,
    threads: Threads,
}

/// All of them, in the settings' order.
#[derive(Debug)]
pub struct Sources {
    active: Vec<ActiveSource>,
}

impl Sources {
    /// Opens every source and starts its workers.
    pub fn start(settings: &Arc<Shared>, sender: &MessageSender) -> Result<Self, Error> {
        let mut active = Vec::new();
        for (index, source) in settings.get().sources.iter().enumerate() {
            let report = sender.clone();
            let source =
                Source::open(Arc::clone(source), Box::new(move |transition| report.send(Message::Source(transition))))?;
            active.push(ActiveSource::start(index, source, settings, sender)?);
        }
        Ok(Self { active })
    }

    /// These.
    #[cfg(test)]
    pub fn of(active: Vec<ActiveSource>) -> Self {
        Self { active }
    }

    /// The source at `index`.
    pub fn get(&self, index: SourceIndex) -> Option<&ActiveSource> {
        self.active.get(index)
    }

    /// The name of the source at `index`.
    pub fn name(&self, index: SourceIndex) -> &str {
        self.get(index).map_or("", |active| &active.name)
    }

    /// The source called `name`. `PGNOTABLE` when there is none.
    pub fn named(&self, name: &str) -> Result<SourceIndex, Error> {
        let found = self.active.iter().position(|source| source.name == name);
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::NoTable,
                format!("no source is called {name}: set {name}.pg_host, or quote a name that holds a colon"),
            )
        })
    }

    /// Warns of a table at `index` that is called like a source: patterns of keys for the one match those of the other.
    pub fn warn_of_namesake(&self, index: SourceIndex, table: &str) {
        let is_namesake = |source: &ActiveSource| source.prefix.strip_suffix(':') == Some(table);
        if self.prefix(index).is_empty() && self.active.iter().any(is_namesake) {
            log::warn!(
                "table {table} is called like source {table}: ACL patterns for its keys match those of the source as well; give the \
                 source another name"
            );
        }
    }

    /// What stands before the names of the tables at `index`.
    pub fn prefix(&self, index: SourceIndex) -> &str {
        self.get(index).map_or("", |active| &active.prefix)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ActiveSource> {
        self.active.iter()
    }

    /// Much of what was cached is lost: PostgreSQL is asked for it again step by step, not at once.
    pub fn restart_pace(&self) {
        self.active.iter().for_each(ActiveSource::restart_pace);
    }

    /// Wakes workers for what was pushed without waking them: called at the end of the event-loop tick, when nothing more can join.
    pub fn call_workers(&self, batch_max: usize) {
        let due = self.active.iter().filter(|source| source.is_calling_due.take());
        due.for_each(|source| source.queue.call(batch_max));
    }

    /// How many tasks wait, for all sources together.
    pub fn queued(&self) -> usize {
        self.active.iter().map(|source| source.queue.len()).sum()
    }

    /// Ends all connections, and with them every thread.
    pub fn stop(&mut self) {
        for source in &mut self.active {
            if let Some(running) = &mut source.running {
                running.threads.stop(&source.queue);
                running.listening.stop();
                running.source.close();
            }
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        for source in self.active.drain(..) {
            let Some(running) = source.running else { continue };
            let left = running.threads.join(deadline) + running.listening.join(deadline);
            if left > 0 {
                log::warn!("{left} threads of source {} have not ended yet and end by themselves", source.name);
            }
        }
    }
}

impl ActiveSource {
    /// Hands a task to the workers. `PGDOWN` when they could do nothing with it, `PGBUSY` when too many tasks wait.
    pub fn push(&self, batch: &Arc<Batch>, task: Task, limits: Limits) -> Result<(), Error> {
        self.refuse_if_down()?;
        self.is_calling_due.set(self.is_calling_due.get() || !limits.calls);
        self.queue.push(batch, task, limits).map_err(|_| queue_is_full())
    }

    /// Hands a job that is no load to the workers, on the same terms: `limit` tasks may wait.
    pub fn push_job(&self, job: Job, limit: usize) -> Result<(), Error> {
        self.refuse_if_down()?;
        self.queue.push_job(job, limit).map_err(|_| queue_is_full())
    }

    /// `PGDOWN` while the source is known to be down.
    pub fn refuse_if_down(&self) -> Result<(), Error> {
        self.running.as_ref().map_or(Ok(()), |running| running.source.refuse_if_down())
    }

    /// What is known of its connections.
    pub fn health(&self) -> Option<HealthReport> {
        self.running.as_ref().map(|running| running.source.health())
    }

    /// What it is connected to, or will be.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.running.as_ref().map(|running| running.source.identity())
    }

    /// Whether it has ever been up: before that, no table of it is known.
    pub fn was_up(&self) -> bool {
        self.was_up.get()
    }

    /// Whether it is down, as far as it was heard of.
    pub fn is_down(&self) -> bool {
        self.was_down.get()
    }

    /// Much of what was cached of this source is lost: it is asked for that step by step, not at once.
    pub fn restart_pace(&self) {
        self.queue.restart_pace();
    }

    /// The source went up or down. One that comes back has everyone who waited for that at its door.
    pub fn turned(&self, up: bool) {
        if self.was_down.replace(!up) && up {
            self.restart_pace();
        }
        self.was_up.set(self.was_up.get() || up);
    }

    fn start(index: usize, source: Arc<Source>, settings: &Arc<Shared>, sender: &MessageSender) -> Result<Self, Error> {
        let (name, pool_size) = (source.settings().name.clone(), source.settings().pool_size as usize);
        let queue = Queue::new(pool_size);
        let errands = Worker {
            index,
            source: Arc::clone(&source),
            queue: queue.clone(),
            sender: sender.clone(),
            settings: Arc::clone(settings),
        };
        let threads = Threads::start(pool_size, &errands)
            .map_err(|error| Error::malformed(format!("cannot start the worker threads: {error}")))?;
        let known = Arc::<Known>::default();
        let listening = Listening::start(&ListenerConfig {
            index,
            source: Arc::clone(source.settings()),
            pulses: Arc::clone(source.pulses()),
            sender: sender.clone(),
            settings: Arc::clone(settings),
            known: Arc::clone(&known),
            shutdown: source.shutdown().clone(),
        })
        .map_err(|error| Error::malformed(format!("cannot start the listening threads: {error}")))?;
        let running = Some(Running { source, listening, threads });
        Ok(Self { running, ..Self::new(index, name, queue, known) })
    }

    /// One of which nothing runs yet.
    pub fn new(index: SourceIndex, name: String, queue: Queue, known: Arc<Known>) -> Self {
        let prefix = if index == 0 { String::new() } else { format!("{name}:") };
        Self {
            name,
            prefix,
            queue,
            was_down: Cell::new(false),
            was_up: Cell::new(false),
            is_calling_due: Cell::new(false),
            known,
            vocabulary: Cell::new(None),
            running: None,
        }
    }
}

/// `PGBUSY`.
pub fn queue_is_full() -> Error {
    Error::new(ErrorKind::Busy, "queue_limit loads are waiting already: try again")
}
