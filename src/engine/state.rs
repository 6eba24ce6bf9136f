//! The engine's state and its lifecycle: start, tick, drain messages, stop.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::cache::key_change::KeyChange;
use crate::cache::{Error, Gap, NearMessage, Notice, Timings};
use crate::clock::monotonic_ms;
use crate::engine::catalog::sources::Sources;
use crate::engine::catalog::Catalog;
use crate::engine::freshness::Freshness;
use crate::engine::host::{Callback, Host};
use crate::engine::loads::completion::Completion;
use crate::engine::loads::waiter::LoadAnswer;
use crate::engine::loads::Loads;
use crate::engine::near::NearCaches;
use crate::engine::overview::census::Counting;
use crate::engine::overview::counters::Counters;
use crate::engine::queries::Queries;
use crate::engine::records::all::Records;
use crate::engine::requests::questions::timed_out;
use crate::engine::requests::Requests;
use crate::engine::{FlightWaiter, LoadedRow, Store};
use crate::http::Endpoint;
use crate::plugins::Plugins;
use crate::settings::{KeyFile, Local, Settings, Shared};
use crate::workers::messages::{Message, MessageSender};
use crate::workers::SourceIndex;

/// How long results are applied before other clients have their turn.
const SLICE: Duration = Duration::from_millis(1);

/// With more reads between two clock ticks many of them share a tick of the event loop, and counting those pays.
const BUSY_READS: u64 = 500;

/// How many results are applied between two looks at the clock.
const STEPS_PER_LOOK: usize = 16;

/// Everything that the main thread knows.
#[derive(Debug)]
pub struct Engine<H: Host> {
    /// The settings; a run-time change swaps the snapshot inside.
    pub(in crate::engine) settings: Local,
    /// Each source with its workers.
    pub(in crate::engine) sources: Sources,
    /// Tables, names and epochs.
    pub(in crate::engine) catalog: Catalog,
    /// Loads under way.
    pub(in crate::engine) loads: Loads<H>,
    /// What is known of changes in PostgreSQL.
    pub(in crate::engine) freshness: Freshness<H::Cursor>,
    /// Queries, their tags, and what they read.
    pub(in crate::engine) queries: Queries,
    /// Clients and commands that wait.
    pub(in crate::engine) requests: Requests<H>,
    /// The records of hooks and queries.
    pub(in crate::engine) records: Records,
    /// Clients that keep answers themselves.
    pub(in crate::engine) near: NearCaches,
    /// Figures for INFO.
    pub(in crate::engine) counters: Counters,
    /// How many entries there are.
    pub(in crate::engine) counting: Counting<H::Cursor>,
    /// Who is told of what happens.
    pub(in crate::engine) plugins: Plugins,
    /// The HTTP endpoint, if enabled.
    pub(in crate::engine) endpoint: Option<Endpoint>,
    /// When the endpoint is given the next snapshot.
    pub(in crate::engine) publish_ms: u64,
    /// When the module was loaded. Both on the clock that only goes forward.
    pub(in crate::engine) started_ms: u64,
    /// Whole seconds of that clock at the last tick.
    pub(in crate::engine) now_s: u64,
    /// How many reads there had been at the last tick.
    reads_at_tick: u64,
    /// Set by the project's own tests.
    panic_at_next_tick: bool,
    messages: Receiver<Message>,
}

impl<H: Host> Engine<H> {
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
        let mut engine = Self {
            sources,
            records: Records::new(KeyFile::of(&now)),
            freshness: Freshness::new(now.sources.iter().map(|source| source.invalidation)),
            settings: Local::new(settings),
            catalog: Catalog::default(),
            loads: Loads::default(),
            queries: Queries::default(),
            requests: Requests::default(),
            near: NearCaches::default(),
            counters: Counters::default(),
            counting: Counting::default(),
            plugins: Plugins::default(),
            endpoint,
            publish_ms: 0,
            started_ms: monotonic_ms(),
            now_s: monotonic_ms() / 1000,
            reads_at_tick: 0,
            panic_at_next_tick: false,
            messages,
        };
        engine.arrange_plugins();
        engine.publish(engine.started_ms);
        engine
    }

    /// The settings as they stand.
    pub fn settings(&self) -> &Rc<Settings> {
        self.settings.get()
    }

    /// Whole seconds of the clock that only goes forward, at the last tick.
    pub fn now_s(&self) -> u64 {
        self.now_s
    }

    /// Each source with its workers.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The plugins, with what the commands about them show and change.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Panics at the next clock tick: for the project's own tests.
    pub fn panic_at_next_tick(&mut self) {
        self.panic_at_next_tick = true;
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
    pub fn drain_messages(&mut self, ctx: H::Context<'_>) -> bool {
        self.seek_home(ctx);
        self.run_beyond(ctx);
        let started = Instant::now();
        let mut steps = 0;
        while self.take_one(ctx) {
            steps += 1;
            if steps % STEPS_PER_LOOK == 0 && started.elapsed() > SLICE {
                self.publish_near_messages(ctx);
                return false;
            }
        }
        self.catch_up(ctx);
        true
    }

    /// Applies one thing, in the order: notices of changes, what else those who listen tell, answers of the flight that completed, flights of the statement that came
    /// back, messages. Returns whether there was one.
    fn take_one(&mut self, ctx: H::Context<'_>) -> bool {
        if let Some((source, xid, notice)) = self.freshness.notices.pop_front() {
            self.on_notice(ctx, source, xid, &notice);
        } else if let Some((source, event)) = self.freshness.events.pop_front() {
            self.on_feed_event(ctx, source, event);
        } else if let Some((waiting, answered)) = self.loads.answers.pop_front() {
            self.answer(ctx, waiting, &answered);
        } else if let Some(completion) = self.loads.completions.pop_front() {
            self.complete(ctx, completion);
        } else if let Ok(message) = self.messages.try_recv() {
            self.apply(ctx, message);
        } else {
            return false;
        }
        true
    }

    /// Handles the keyspace changes that the engine's own work caused, and tells of the clients that it has answered.
    pub fn catch_up(&mut self, ctx: H::Context<'_>) {
        self.emit_answered(ctx);
        self.take_key_changes(ctx);
        self.publish_near_messages(ctx);
    }

    /// Handles the keyspace changes that came while the engine was at work.
    pub fn take_key_changes(&mut self, ctx: H::Context<'_>) {
        while let Some((change, key)) = ctx.take_key_change() {
            self.key_changed(ctx, change, &key);
        }
    }

    /// Takes over notices, to be applied one by one and before anything that was sent after them.
    pub fn queue_notices(&mut self, source: SourceIndex, xid: Option<u64>, notices: Vec<Notice>) {
        self.freshness.notices.extend(notices.into_iter().map(|notice| (source, xid, notice)));
    }

    fn apply(&mut self, ctx: H::Context<'_>, message: Message) {
        match message {
            Message::CompletedFlight { outcomes, snapshot, timings } => {
                let snapshot = snapshot.map(Rc::new);
                self.counters.statements += 1;
                self.counters.keys_loaded += outcomes.len() as u64;
                let completions = outcomes.into_iter();
                self.loads.completions.extend(completions.map(|(flight, outcome)| Completion {
                    flight,
                    outcome,
                    snapshot: snapshot.clone(),
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
            Message::Feed { source, events } => {
                self.freshness.events.extend(events.into_iter().map(|event| (source, event)));
            }
        }
    }

    /// Has everyone who waited for a flight answered, in slices.
    pub fn answer_all(&mut self, waiters: Vec<FlightWaiter<H>>, result: Result<LoadedRow, Error>, timings: Timings) {
        let answered = Rc::new(LoadAnswer { result, timings });
        self.loads.answers.extend(waiters.into_iter().map(|waiting| (waiting, Rc::clone(&answered))));
    }

    /// The answers that nobody has been given yet.
    #[cfg(test)]
    pub fn take_answers(&mut self) -> Vec<(FlightWaiter<H>, crate::engine::loads::waiter::SharedAnswer)> {
        self.loads.answers.drain(..).collect()
    }

    /// The server's clock tick, ten times a second or more: gives up what takes too long.
    pub fn tick(&mut self, ctx: H::Context<'_>) {
        if std::mem::take(&mut self.panic_at_next_tick) {
            panic!("asked for by a test");
        }
        let now = ctx.monotonic_ms();
        self.now_s = now / 1000;
        self.seek_home(ctx);
        self.expire_questions(now);
        // Ticks of the event loop may not be counted any more.
        self.call_workers();
        let reads = self.counters.hits + self.counters.misses;
        ctx.count_ticks(reads.saturating_sub(self.reads_at_tick) > BUSY_READS);
        self.reads_at_tick = reads;
        self.run_deferred_writes(ctx);
        self.keep_up(ctx);
        self.keep_hooks(ctx);
        self.know_definitions(ctx);
        self.restore_records(ctx);
        self.announce_records(ctx, now);
        self.sweep_on(ctx);
        self.beat_near_caches(ctx, now);
        if !self.loads.answers.is_empty() || !self.requests.awaiting_plugins.is_empty() {
            ctx.wake();
        }
        self.catch_up(ctx);
        self.keep_figures(ctx, now);
    }

    /// Does what has come due: loads that take too long are given up, leases run out, doubts are settled, tables follow what was
    /// dropped, and records are written.
    pub fn keep_up(&mut self, store: impl Store) {
        let now_ms = store.monotonic_ms();
        for completed in self.loads.flights.expire(now_ms) {
            self.expire_flight(store, completed, timed_out());
        }
        self.forget_repeats();
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
        self.freshness.leases.forget_words();
        self.freshness.slot_imports.end();
        self.forget_home();
        if store.is_replica() {
            self.suspect_what_is_behind(store);
        } else {
            self.freshness.pending_invalidations.clear();
            self.gap_everywhere(store, Gap::Promoted);
        }
    }

    /// The data set was emptied, loaded or taken over: what is under way belongs to the one before.
    pub fn keyspace_flushed(&mut self) {
        self.records.lose();
        self.queries.start_run();
        self.near.tell(NearMessage::All);
        self.counters.superseded += self.loads.flights.supersede_all() as u64;
        self.catalog.aliases.clear();
        self.sources.restart_pace();
        self.catalog.lose_epochs();
    }

    /// The same in a cluster, where keys move from node to node.
    fn key_of_node_changed(&mut self, store: impl Store, change: KeyChange, key: &[u8]) {
        self.mark_changed(store, key);
        if store.is_replica() && change == KeyChange::Restored {
            self.doubt_arrival(store, key);
        } else if !store.is_replica() && !store.is_loading() {
            self.drop_arrival(store, key);
        }
    }

    /// Whether `key` is one of the cache's.
    pub fn concerns(&self, key: &[u8]) -> bool {
        key.starts_with(self.settings.get().cache_prefix.as_bytes())
    }

    /// A key of database 0 changed by no doing of ours.
    pub fn key_changed(&mut self, store: impl Store, change: KeyChange, key: &[u8]) {
        if !self.concerns(key) {
            return;
        }
        match change {
            KeyChange::Expired => self.counters.expired += 1,
            KeyChange::Evicted => {
                self.counters.evicted += 1;
                if self.is_record(key) {
                    self.catalog.lose_epochs();
                }
                if store.is_node() {
                    self.mark_changed(store, key);
                }
                self.record_key_changed(store, key);
            }
            KeyChange::Touched | KeyChange::Restored => {
                self.tell_near_of_foreign_change(key);
                self.counters.superseded += self.loads.flights.supersede_key(key) as u64;
                if store.is_node() {
                    self.key_of_node_changed(store, change, key);
                }
                self.epoch_key_changed(store, key);
                self.record_key_changed(store, key);
            }
        }
        self.emit_key_change(store, change, key);
    }
}
