//! What the engine tells the plugins, and when.

use crate::cache::flight::CompletedFlight;
use crate::cache::key_change::KeyChange;
use crate::cache::{Age, Error};
use crate::engine::host::{Callback, Host};
use crate::engine::queries::QueryLoad;
use crate::engine::{Engine, FlightWaiter, ResolvedKey, Store, StoreKey, Table};
use crate::plugins::call::{Args, CommandEnd};
use crate::plugins::Event;
use crate::postgres::Transition;
use crate::settings::EventType;

impl<H: Host> Engine<H> {
    /// The settings or a plugin's parts have changed.
    pub fn arrange_plugins(&mut self) {
        self.plugins.arrange(self.settings.get());
    }

    /// Tells of something that has happened to `table`.
    pub fn emit(&self, store: impl Store, table: &Table, what: Event<'_>) {
        let source = self.sources.name(table.source);
        let what = Event { source, table: Some((table.id, &table.name)), ..what };
        store.emit(&self.plugins, self.settings.get(), &what);
    }

    /// A row, or that there is none (`is_negative`), was served from the cache.
    pub fn emit_hit<S: Store>(
        &self,
        store: S,
        table: &Table,
        resolved_key: &ResolvedKey<S::Key>,
        age: Age,
        is_negative: bool,
    ) {
        let reason = match age {
            Age::Stale => Some("stale"),
            Age::Fresh | Age::NeedsRefresh => None,
        };
        self.emit(store, table, Event { is_negative, reason, ..about(EventType::Hit, resolved_key) });
    }

    /// A read has to ask PostgreSQL.
    pub fn emit_miss<S: Store>(&self, store: S, table: &Table, resolved_key: &ResolvedKey<S::Key>) {
        self.emit(store, table, about(EventType::Miss, resolved_key));
    }

    /// A load came back after so many microseconds in PostgreSQL, or failed. `load`: the query that it was for, if it was for one.
    pub fn emit_load(
        &mut self,
        store: impl Store,
        completed: &CompletedFlight<FlightWaiter<H>>,
        load: Option<&QueryLoad>,
        outcome: Result<u64, &Error>,
    ) {
        let what = match outcome {
            Ok(us) => Event { duration_us: Some(us), ..Event::new(EventType::Load) },
            Err(error) => Event { error: Some(error), ..Event::new(EventType::Error) },
        };
        let what = what.key(&completed.key, completed.plan.prefix_len);
        if let Some(QueryLoad { query, .. }) = load {
            self.emit_for_query(store, query.source, query.name(), what);
        } else if let Some(table) = completed.plan.row().and_then(|row| self.catalog.tables.by_id(row.table)) {
            self.emit(store, &table, what);
        }
    }

    /// A command on `table` is refused, before anything is loaded for it.
    pub fn emit_refusal(&self, store: impl Store, table: &Table, error: &Error) {
        self.emit(store, table, Event { error: Some(error), ..Event::new(EventType::Error) });
    }

    /// An entry expired or was evicted.
    pub fn emit_key_change(&mut self, store: impl Store, change: KeyChange, cache_key: &[u8]) {
        let kind = match change {
            KeyChange::Expired => EventType::Expire,
            KeyChange::Evicted => EventType::Evict,
            KeyChange::Touched | KeyChange::Restored => return,
        };
        if !self.plugins.want(kind) {
            return;
        }
        let tables = self.catalog.tables.all();
        let mut found = tables.iter().filter_map(|table| Some((table, table.lookup_key_in(cache_key)?)));
        if let Some((table, lookup_key)) = found.next() {
            self.emit(store, table, Event::new(kind).key(cache_key, cache_key.len() - lookup_key.len()));
        } else {
            self.emit_query_key_change(store, kind, cache_key);
        }
    }

    /// A source came up or went down: once in the log, once to the plugins.
    pub fn source_changed(&mut self, store: impl Store, transition: &Transition) {
        let kind = if transition.up { EventType::SourceUp } else { EventType::SourceDown };
        let what = Event { source: &transition.source, reason: transition.reason.as_deref(), ..Event::new(kind) };
        store.emit(&self.plugins, self.settings.get(), &what);
        let Ok(index) = self.sources.named(&transition.source) else { return };
        self.log_transition(index, transition, store.monotonic_ms());
        self.sources.get(index).into_iter().for_each(|source| source.turned(transition.up));
    }

    /// A command was answered in its own call.
    pub fn emit_ended(&self, ctx: H::Context<'_>, call: &CommandEnd<'_>) {
        ctx.emit_ended(&self.plugins, self.settings.get(), call);
    }

    /// Tells of the commands whose clients have waited and were answered since.
    #[inline]
    pub fn emit_answered(&mut self, ctx: H::Context<'_>) {
        if self.requests.waiters.has_answered() {
            self.emit_all_answered(ctx);
        }
    }

    fn emit_all_answered(&mut self, ctx: H::Context<'_>) {
        for (call, duration_us, error) in self.requests.waiters.take_answered() {
            let ended = CommandEnd {
                command: call.command,
                is_write: call.is_write,
                client: call.client,
                subject: call.subject.as_deref(),
                at_s: self.now_s,
                duration_us,
                timings: Some(call.timings.within(duration_us)),
                error: error.as_deref(),
                arguments: Args::Kept(&call.arguments),
            };
            self.emit_ended(ctx, &ended);
        }
    }
}

/// An occurrence about the row that `resolved_key` names.
fn about<K: StoreKey>(kind: EventType, resolved_key: &ResolvedKey<K>) -> Event<'_> {
    Event::new(kind).key(resolved_key.cache_key.as_bytes(), resolved_key.prefix_len)
}
