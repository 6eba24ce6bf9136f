//! The engine's state and its lifecycle: start, tick, drain messages, stop.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::cache::alias::Aliases;
use crate::cache::error::{Error, ErrorKind};
use crate::cache::flight::Flights;
use crate::cache::lease::Gap;
use crate::cache::notice::Notice;
use crate::cache::refresh_backoff::RefreshBackoff;
use crate::cache::timings::Timings;
use crate::http::Endpoint;
use crate::plugins::registry::Plugins;
use crate::server::clock::monotonic_ms;
use crate::server::context::Context;
use crate::server::event_loop;
use crate::server::notifications::Change;
use crate::server::wakeup;
use crate::settings::{KeyFile, Local, Shared};
use crate::workers::messages::{Message, MessageSender, SourceIndex};

use crate::engine::catalog::bulk_invalidation::BulkInvalidations;
use crate::engine::catalog::resolve::Resolutions;
use crate::engine::catalog::sources::Sources;
use crate::engine::catalog::tables::Tables;
use crate::engine::freshness::leases::Freshnesses;
use crate::engine::freshness::pending_invalidations::PendingInvalidations;
use crate::engine::freshness::sweep::Sweep;
use crate::engine::loads::completion::{Answered, Completion, LoadAnswer};
use crate::engine::loads::pending_multiread::PendingMultireads;
use crate::engine::loads::waiter::{FlightWaiter, LoadedRow};
use crate::engine::overview::counters::Counters;
use crate::engine::queries::Queries;
use crate::engine::records::all::Records;
use crate::engine::requests::before_command::AwaitingPlugins;
use crate::engine::requests::deferred_write::DeferredWrite;
use crate::engine::requests::waiting_clients::Waiters;
use crate::engine::requests::watches::Watches;
use crate::engine::store::Store;

/// How long results are applied before other clients have their turn.
const SLICE: Duration = Duration::from_millis(1);

/// With more reads between two clock ticks many of them share a tick of the event loop, and counting those pays.
const BUSY_READS: u64 = 500;

/// How many results are applied between two looks at the clock.
const STEPS_PER_LOOK: usize = 16;

/// Everything that the main thread knows.
#[derive(Debug)]
pub struct Engine {
    /// The settings; a run-time change swaps the snapshot inside.
    pub settings: Local,
    /// Each source with its workers.
    pub sources: Sources,
    /// The memo of tables.
    pub tables: Tables,
    /// Tables being resolved, with the commands that wait for them.
    pub resolutions: Resolutions,
    /// Loads under way.
    pub flights: Flights<FlightWaiter>,
    /// Keys whose refresh has failed just now.
    pub refresh_backoff: RefreshBackoff,
    /// Clients that wait.
    pub waiters: Waiters,
    /// WATCH commands that wait.
    pub watches: Watches,
    /// MULTIREADs that wait.
    pub multireads: PendingMultireads,
    /// Spellings that PostgreSQL has read for us.
    pub aliases: Aliases,
    /// How far each source's notices can be relied on.
    pub freshness: Freshnesses,
    /// Mass drops, which tables follow one by one.
    pub bulk_invalidations: BulkInvalidations,
    /// The generation that every table has reached at least, once everything was flushed.
    pub everything_epoch: Option<u64>,
    /// Where cache keys and arrays of rows are put together.
    pub scratch: RefCell<Vec<u8>>,
    /// What is out of date and cannot be removed here now.
    pub pending_invalidations: PendingInvalidations,
    /// The search for entries of earlier generations.
    pub sweep: Sweep,
    /// Figures for INFO.
    pub counters: Counters,
    /// Who is told of what happens.
    pub plugins: Plugins,
    /// Commands that somebody may refuse.
    pub awaiting_plugins: AwaitingPlugins,
    /// Queries, their tags, and what they read.
    pub queries: Queries,
    /// The records of hooks and queries.
    pub records: Records,
    /// Changes that wait for the end of a pause.
    pub deferred: Vec<DeferredWrite>,
    /// Whether the records of the tables' generations may be missing from the keyspace.
    pub epochs_are_due: bool,
    /// How many reads there had been at the last tick.
    reads_at_tick: u64,
    /// Set by the project's own tests.
    pub panic_at_next_tick: bool,
    /// Where others look at all this over HTTP.
    pub endpoint: Option<Endpoint>,
    /// When that is to be told next how things stand.
    pub publish_ms: u64,
    /// When the module was loaded. Both on the clock that only goes forward.
    pub started_ms: u64,
    /// Whole seconds of that clock at the last tick.
    pub now_s: u64,
    messages: Receiver<Message>,
    outcomes: VecDeque<Completion>,
    answers: VecDeque<(FlightWaiter, Answered)>,
    notices: VecDeque<(SourceIndex, Notice)>,
}

impl Engine {
    /// Opens the sources and starts their workers, which call `wake` when they have something to say. Fails
    /// for unreadable certificate files, for an HTTP port that is taken and when no thread can be started; never waits for
    /// PostgreSQL.
    pub fn start(settings: Arc<Shared>, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Self, Error> {
        let (sender, messages) = MessageSender::new(wake);
        // First: it fails where others go on trying.
        let endpoint = Endpoint::start(&settings.get())?;
        let sources = Sources::start(&settings, &sender)?;
        Ok(Self::new(settings, sources, messages, endpoint))
    }

    /// An engine that knows nothing yet.
    pub fn new(
        settings: Arc<Shared>,
        sources: Sources,
        messages: Receiver<Message>,
        endpoint: Option<Endpoint>,
    ) -> Self {
        let now = settings.get();
        let freshness = Freshnesses::new(now.sources.iter().map(|source| source.invalidation));
        let mut engine = Self {
            sources,
            records: Records::new(KeyFile::of(&now)),
            settings: Local::new(settings),
            messages,
            tables: Tables::default(),
            resolutions: Resolutions::default(),
            flights: Flights::default(),
            refresh_backoff: RefreshBackoff::default(),
            waiters: Waiters::default(),
            watches: Watches::default(),
            multireads: PendingMultireads::default(),
            aliases: Aliases::default(),
            scratch: RefCell::default(),
            freshness,
            bulk_invalidations: BulkInvalidations::default(),
            everything_epoch: None,
            pending_invalidations: PendingInvalidations::default(),
            sweep: Sweep::default(),
            notices: VecDeque::new(),
            counters: Counters::default(),
            plugins: Plugins::default(),
            queries: Queries::default(),
            awaiting_plugins: AwaitingPlugins::default(),
            deferred: Vec::new(),
            epochs_are_due: false,
            reads_at_tick: 0,
            panic_at_next_tick: false,
            endpoint,
            publish_ms: 0,
            started_ms: monotonic_ms(),
            now_s: monotonic_ms() / 1000,
            outcomes: VecDeque::new(),
            answers: VecDeque::new(),
        };
        engine.arrange_plugins();
        engine.publish(engine.started_ms);
        engine
    }

    /// Takes over settings that have changed since this was called last.
    pub fn refresh_settings(&mut self) {
        if self.settings.follow() {
            self.arrange_plugins();
        }
    }

    /// Ends the workers. The server unloads only when nobody waits; should somebody, dropping its waiter answers.
    pub fn stop(mut self) {
        self.shut_down();
        self.sources.stop();
    }

    /// The server ends: nobody looks any more.
    pub fn shut_down(&mut self) {
        self.endpoint = None;
    }

    /// Applies what workers have sent, for at most one slice. Returns whether all is done.
    pub fn drain_messages(&mut self, ctx: Context<'_>) -> bool {
        let started = Instant::now();
        let mut steps = 0;
        while self.take_one(ctx) {
            steps += 1;
            if steps % STEPS_PER_LOOK == 0 && started.elapsed() > SLICE {
                return false;
            }
        }
        crate::engine::catch_up(self, ctx);
        true
    }

    /// Applies one thing, in the order: notices of changes, answers of the flight that completed, flights of the statement that came
    /// back, messages. Returns whether there was one.
    fn take_one(&mut self, ctx: Context<'_>) -> bool {
        if let Some((source, notice)) = self.notices.pop_front() {
            self.on_notice(ctx, source, &notice);
        } else if let Some((waiting, answered)) = self.answers.pop_front() {
            self.answer(ctx, waiting, &answered);
        } else if let Some(completion) = self.outcomes.pop_front() {
            self.complete(ctx, completion);
        } else if let Ok(message) = self.messages.try_recv() {
            self.apply(ctx, message);
        } else {
            return false;
        }
        true
    }

    /// Takes over notices, to be applied one by one and before anything that was sent after them.
    pub fn queue_notices(&mut self, source: SourceIndex, notices: Vec<Notice>) {
        self.notices.extend(notices.into_iter().map(|notice| (source, notice)));
    }

    fn apply(&mut self, ctx: Context<'_>, message: Message) {
        match message {
            Message::CompletedFlight { outcomes, timings } => {
                self.counters.statements += 1;
                self.counters.keys_loaded += outcomes.len() as u64;
                let completions = outcomes.into_iter();
                self.outcomes.extend(completions.map(|(flight, outcome)| Completion {
                    flight,
                    outcome,
                    timings,
                }));
            }
            Message::Described { source, name, result, asked } => {
                self.resolved(ctx, source, &name, result, asked);
            }
            Message::Redefined { source, oid, definition, asked } => {
                self.redefined(ctx, source, oid, definition, asked);
            }
            Message::QueryDescribed { source, plan, result, asked } => {
                self.query_described(ctx, source, &plan, result, asked);
            }
            Message::Watched { number, source, result } => self.watched_by(number, source, result),
            Message::Source(transition) => self.source_changed(ctx, &transition),
            Message::Feed { source, event } => self.on_feed_event(ctx, source, event),
        }
    }

    /// Has everyone who waited for a flight answered, in slices.
    pub fn answer_all(
        &mut self,
        waiters: Vec<FlightWaiter>,
        result: Result<LoadedRow, Error>,
        timings: Timings,
    ) {
        let answered = Rc::new(LoadAnswer { result, timings });
        self.answers.extend(waiters.into_iter().map(|waiting| (waiting, Rc::clone(&answered))));
    }

    /// The answers that nobody has been given yet.
    #[cfg(test)]
    pub fn take_answers(&mut self) -> Vec<(FlightWaiter, Answered)> {
        self.answers.drain(..).collect()
    }

    /// The server's clock tick, ten times a second or more: gives up what takes too long.
    pub fn tick(&mut self, ctx: Context<'_>) {
        if std::mem::take(&mut self.panic_at_next_tick) {
            panic!("asked for by a test");
        }
        let now = monotonic_ms();
        self.now_s = now / 1000;
        self.expire_questions(now);
        // Ticks of the event loop may not be counted any more.
        self.call_workers();
        let reads = self.counters.hits + self.counters.misses;
        event_loop::count_ticks(ctx, reads.saturating_sub(self.reads_at_tick) > BUSY_READS);
        self.reads_at_tick = reads;
        self.run_deferred_writes(ctx);
        self.keep_up(ctx);
        self.keep_hooks(ctx);
        self.know_definitions(ctx);
        self.restore_records(ctx);
        self.announce_records(ctx, now);
        self.sweep_on(ctx);
        if !self.answers.is_empty() || !self.awaiting_plugins.is_empty() {
            wakeup::wake();
        }
        crate::engine::catch_up(self, ctx);
        self.publish(now);
    }

    /// Does what has come due: loads that take too long are given up, leases run out, doubts are settled, tables follow what was
    /// dropped, and records are written.
    pub fn keep_up(&mut self, store: impl Store) {
        let now_ms = store.monotonic_ms();
        for completed in self.flights.expire(now_ms) {
            self.expire_flight(store, completed, timed_out());
        }
        self.watch_leases(now_ms);
        self.settle_pending_invalidations(store);
        self.apply_bulk_invalidations(store);
        self.record_epochs(store);
    }

    /// When what is asked for at `now_ms` takes too long, in milliseconds of the clock that only goes forward.
    pub fn load_deadline_ms(&self, now_ms: u64) -> u64 {
        now_ms + self.settings.get().load_timeout.as_millis() as u64
    }

    /// A tick of the event loop is over: the loads that were collected in it go to the workers.
    pub fn call_workers(&mut self) {
        self.sources.call_workers(self.settings.get().batch_max);
    }

    /// The server became a master or a replica: what is under way belongs to the one before. Nobody knows what a
    /// former replica has missed.
    pub fn role_changed(&mut self, store: impl Store) {
        self.keyspace_flushed();
        self.records.forget_words();
        if store.is_replica() {
            self.suspect_what_is_behind(store);
        } else {
            self.pending_invalidations.clear();
            self.gap_everywhere(store, Gap::Promoted);
        }
    }

    /// The data set was emptied, loaded or taken over: what is under way belongs to the one before.
    pub fn keyspace_flushed(&mut self) {
        self.records.lose();
        self.queries.start_run();
        self.counters.superseded += self.flights.supersede_all() as u64;
        self.aliases.clear();
        self.sources.restart_pace();
        self.epochs_are_due = true;
    }

    /// Whether `key` is one of the cache's.
    pub fn concerns(&self, key: &[u8]) -> bool {
        key.starts_with(self.settings.get().cache_prefix.as_bytes())
    }

    /// A key of database 0 changed by no doing of ours.
    pub fn key_changed(&mut self, store: impl Store, change: Change, key: &[u8]) {
        if !self.concerns(key) {
            return;
        }
        match change {
            Change::Expired => self.counters.expired += 1,
            Change::Evicted => {
                self.counters.evicted += 1;
                self.epochs_are_due |= self.is_record(key);
                self.record_key_changed(store, key);
            }
            Change::Touched => {
                self.counters.superseded += self.flights.supersede_key(key) as u64;
                self.epoch_key_changed(store, key);
                self.pending_key_changed(store, key);
                self.record_key_changed(store, key);
            }
        }
        self.emit_key_change(store, change, key);
    }
}

/// `PGTIMEOUT`.
pub fn timed_out() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "load_timeout_ms passed before PostgreSQL answered: try again, or raise it",
    )
}
