//! A worker: takes a piece of work from the queue (a batch of loads, a query, a question to the catalog) and sends its result.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use super::batch::Task;
use super::batch_guard::BatchGuard;
use super::job::Job;
use super::messages::{Message, MessageSender, SourceIndex};
use super::plan::Plan;
use super::queue::{Queue, Work};
use crate::cache::timings::micros;
use crate::cache::{Error, ErrorKind, FlightId, PgSnapshot, Rule, TableDefinition, Timings};
use crate::postgres::rows::load;
use crate::postgres::rows::load::{Fetched, KeyValues};
use crate::postgres::rows::statement::LoadPlan;
use crate::postgres::{catalog, visibility, Session, SessionError, Source};
use crate::settings::{Invalidation, Shared};

/// Takes what flights brought, as soon as it is there, and what PostgreSQL showed before, where one of them has to know.
pub(super) type HandOver<'a> = &'a dyn Fn(Outcomes, Option<PgSnapshot>);

/// What each flight brought.
type Outcomes = Vec<(FlightId, Result<Fetched, Error>)>;

/// What each key brought, and what PostgreSQL showed before.
type Loaded = (Vec<load::Outcome>, Option<PgSnapshot>);

/// Rows that are to be loaded.
struct Load<'t> {
    keys: &'t [&'t KeyValues],
    deadline: Instant,
    /// Whether one of them has to say what PostgreSQL showed.
    is_guarded: bool,
}

/// A worker. Cheap to clone, one for each thread.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Position of the source in the settings.
    pub index: SourceIndex,
    /// The source itself.
    pub source: Arc<Source>,
    /// Where the batches come from.
    pub queue: Queue,
    /// Where results go.
    pub sender: MessageSender,
    /// The settings as they stand when a piece of work starts.
    pub settings: Arc<Shared>,
}

impl Worker {
    /// Waits for something to do and does it. Returns false when the thread is to end.
    pub fn run_next(&self) -> bool {
        match self.queue.next(|| self.settings.get().batch_max) {
            Work::Load(guard) => self.load(&guard),
            Work::Job(Job::Describe(name)) => self.describe(name),
            Work::Job(Job::Redescribe { oid, name }) => self.redescribe(oid, &name),
            Work::Job(Job::DescribeQuery(plan)) => self.describe_query(plan),
            Work::Job(Job::Watch { number, what }) => self.watch(number, &what),
            Work::Job(Job::Panic) => panic!("asked for by a test"),
            Work::Job(Job::Stop) => return false,
        }
        true
    }

    fn describe(&self, name: String) {
        let deadline = Instant::now() + self.settings.get().load_timeout;
        let (result, asked) = self
            .describe_now(&name, deadline)
            .unwrap_or_else(|failure| (Err(failure.into_error(&name)), Instant::now()));
        self.sender.send(Message::Described { source: self.index, name, result, asked });
    }

    /// Tells what a known relation is now: one that the role may not use is as good as gone. Without an answer nothing is told: it
    /// will be asked again.
    fn redescribe(&self, oid: u32, name: &str) {
        let begun = Instant::now();
        let (definition, asked) = match self.describe_now(name, begun + self.settings.get().load_timeout) {
            Ok((described, asked)) => (described.ok().map(Arc::new), asked),
            Err(failure) if failure.means_forbidden() => (None, begun),
            Err(_) => return,
        };
        self.sender.send(Message::Redefined { source: self.index, oid, definition, asked });
    }

    /// What the catalog says of the relation called `name`, and when it was asked.
    pub(super) fn describe_now(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<(Result<TableDefinition, Error>, Instant), SessionError> {
        let invalidation = self.source.settings().invalidation;
        let described = self.with_session(deadline, |session| {
            let asked = Instant::now();
            Ok((catalog::describe(session, name, invalidation)?, asked))
        })?;
        let is_watched = described.0.as_ref().is_ok_and(|definition| definition.is_watched);
        if invalidation == Invalidation::Wal && !is_watched {
            self.heal(deadline);
        }
        Ok(described)
    }

    fn load(&self, guard: &BatchGuard<'_>) {
        let (now, plan) = (Instant::now(), guard.plan());
        let mut tasks = guard.take(self.settings.get().batch_max);
        // Nobody waits for these any more: the main thread has told them so.
        tasks.retain(|task| task.deadline > now);
        if tasks.is_empty() {
            return;
        }
        let waited = tasks.iter().map(|task| now.saturating_duration_since(task.pushed)).max();
        let queue_us = micros(waited.unwrap_or_default());
        let hand_over = |outcomes, snapshot| {
            let timings = Timings { queue_us, postgres_us: micros(now.elapsed()), ..Timings::default() };
            self.dawdle();
            self.sender.send(Message::CompletedFlight { outcomes, snapshot, timings });
        };
        // A panic in here must still answer those who wait; a flight that has completed takes no second answer.
        let loaded = catch_unwind(AssertUnwindSafe(|| self.load_tasks(plan, &tasks, &hand_over)));
        if loaded.is_err() {
            log::error!("a worker panicked while loading {}", plan.title());
            let text = "internal error: a worker panicked, see the log";
            hand_over(everyone(&tasks, &Error::new(ErrorKind::Malformed, text)), None);
        }
    }

    /// For tests: lets the world go on between a row and its way back.
    fn dawdle(&self) {
        if let Some(longest) = self.settings.get().test_fill_delay {
            std::thread::sleep(longest.mul_f64(fastrand::f64()));
        }
    }

    fn load_tasks(&self, plan: &Plan, tasks: &[Task], hand_over: HandOver<'_>) {
        match plan {
            Plan::Rows(plan) => {
                let (outcomes, snapshot) = self.load_rows(plan, tasks);
                hand_over(outcomes, snapshot);
            }
            Plan::Query(plan) => self.run_queries(plan, tasks, hand_over),
        }
    }

    fn load_rows(&self, plan: &LoadPlan, tasks: &[Task]) -> (Outcomes, Option<PgSnapshot>) {
        let keys: Vec<&KeyValues> = tasks.iter().flat_map(|task| &task.keys).map(|(_, values)| values).collect();
        let deadline = tasks.iter().map(|task| task.deadline).max().unwrap_or_else(Instant::now);
        let load = Load { keys: &keys, deadline, is_guarded: tasks.iter().any(|task| task.is_guarded) };
        let what = &plan.table.display;
        let loaded = match self.load_now(plan, &load) {
            Err(failure) if failure.means_catalog_changed() => self.load_redefined(plan, &load, failure),
            loaded => loaded.map_err(|failure| failure.into_error(what)),
        };
        match loaded {
            Ok((outcomes, snapshot)) => (flights(tasks).zip(outcomes).collect(), snapshot),
            Err(error) => (everyone(tasks, &error), None),
        }
    }

    /// PostgreSQL says that the relation is no longer what the plan was built for: reads the catalog again,
    /// tells the main thread, and loads by what it is now.
    fn load_redefined(&self, plan: &LoadPlan, load: &Load<'_>, cause: SessionError) -> Result<Loaded, Error> {
        let what = &plan.table.display;
        let described = self.describe_now(what, load.deadline);
        let (described, asked) = described.map_err(|failure| failure.into_error(what))?;
        let redefined = |definition| Message::Redefined { source: self.index, oid: plan.table.oid, definition, asked };
        let definition = match described {
            // A statement that was prepared for what the table had been before is forgotten by now.
            Ok(definition) if definition == *plan.table && cause.means_outdated() => {
                return self.load_now(plan, load).map_err(|failure| failure.into_error(what));
            }
            Ok(definition) if definition == *plan.table => return Err(cause.into_error(what)),
            Ok(definition) => Arc::new(definition),
            Err(error) => {
                self.sender.send(redefined(None));
                return Err(error);
            }
        };
        self.sender.send(redefined(Some(Arc::clone(&definition))));
        let plan = replan(plan, definition)?;
        self.load_now(&plan, load).map_err(|failure| failure.into_error(what))
    }

    /// Loads by `plan`. Another session is asked again what it sees.
    fn load_now(&self, plan: &LoadPlan, load: &Load<'_>) -> Result<Loaded, SessionError> {
        self.with_session(load.deadline, |session| {
            let snapshot = visibility::look(session, load.is_guarded)?;
            Ok((load::load(session, plan, load.keys)?, snapshot))
        })
    }

    /// Runs `work` on a session with the statement timeout of now.
    pub(super) fn with_session<T>(
        &self,
        deadline: Instant,
        mut work: impl FnMut(&mut Session) -> Result<T, ::postgres::Error>,
    ) -> Result<T, SessionError> {
        let timeout = self.settings.get().statement_timeout;
        self.source.with_session(deadline, |session| {
            session.use_statement_timeout(timeout)?;
            work(session)
        })
    }
}

/// The same lookup on what the relation is now.
fn replan(plan: &LoadPlan, definition: Arc<TableDefinition>) -> Result<LoadPlan, Error> {
    let mut columns = Vec::with_capacity(plan.columns.len());
    for column in plan.key_columns() {
        columns.push(definition.column(&column.name).ok_or_else(|| {
            Error::new(
                ErrorKind::NoColumn,
                format!("{} has no column \"{}\" any more", definition.display, column.name),
            )
        })?);
    }
    let new = plan.for_table(definition, columns);
    if !plan.reports_keys && new.key_columns().any(|column| matches!(column.rule, Rule::ByPostgres { .. })) {
        let text = format!("{}: a key column has changed its type: ask again", new.table.display);
        return Err(Error::new(ErrorKind::Postgres("0A000".into()), text));
    }
    Ok(new)
}

fn flights(tasks: &[Task]) -> impl Iterator<Item = FlightId> + '_ {
    tasks.iter().flat_map(|task| &task.keys).map(|(flight, _)| *flight)
}

fn everyone(tasks: &[Task], error: &Error) -> Outcomes {
    flights(tasks).map(|flight| (flight, Err(error.clone()))).collect()
}
