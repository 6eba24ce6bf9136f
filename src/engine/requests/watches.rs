//! WATCH commands under way: who waits for the answers of which sources.

use crate::cache::{Answer, Error, ErrorKind, Reply, Timings, Value, WaiterId};
use crate::cdc::flush::Flush;
use crate::cdc::install::Watched;
use crate::clock::Tick;
use crate::engine::catalog::sources::queue_is_full;
use crate::engine::host::Host;
use crate::engine::requests::questions::Questions;
use crate::engine::{Caller, Engine, Store};
use crate::settings::Invalidation;
use crate::workers::watch_request::{WatchAnswer, Watching};
use crate::workers::{Job, SourceIndex};

/// One WATCH command.
#[derive(Debug)]
pub struct Watch {
    /// Who waits.
    pub waiter: WaiterId,
    /// For what.
    pub what: Watching,
    /// How many sources have not answered yet.
    pending: usize,
    /// What was dropped, of a FLUSH.
    dropped: usize,
    /// When they were asked.
    pub asked: Tick,
    /// What the others have listed.
    listed: Vec<Value>,
}

/// All of them, by number.
#[derive(Debug, Default)]
pub struct Watches {
    /// Those that wait.
    pub under_way: Questions<u64, Watch>,
    next: u64,
}

impl<H: Host> Engine<H> {
    /// Has `sources` do `what` for the client of `ctx`.
    pub fn watch(&mut self, ctx: H::Context<'_>, sources: &[SourceIndex], what: &Watching) -> Result<Answer, Error> {
        let jobs = sources.iter().map(|source| (*source, what.clone())).collect();
        self.ask_sources(ctx, &mut Caller::server(ctx), jobs, 0)
    }

    /// Has sources tell all servers that listen to them to drop something, of which `dropped` things were dropped here.
    pub fn flush_everywhere(
        &mut self,
        ctx: H::Context<'_>,
        caller: &mut Caller<H>,
        flushes: Vec<(SourceIndex, Flush)>,
        dropped: usize,
    ) -> Result<Answer, Error> {
        let jobs = flushes.into_iter().map(|(source, flush)| (source, Watching::Flush(flush))).collect();
        self.ask_sources(ctx, caller, jobs, dropped)
    }

    fn ask_sources(
        &mut self,
        ctx: H::Context<'_>,
        caller: &mut Caller<H>,
        jobs: Vec<(SourceIndex, Watching)>,
        dropped: usize,
    ) -> Result<Answer, Error> {
        let Some(what) = jobs.first().map(|(_, what)| what.clone()) else { return Err(nobody_listens()) };
        let limit = self.settings.get().queue_limit;
        let patience = what.patience(self.settings.get().load_timeout);
        let waiter = caller.wait(self, ctx)?;
        self.requests.watches.next += 1;
        let number = self.requests.watches.next;
        let mut pending = 0;
        for (source, what) in jobs {
            let pushed = self
                .sources
                .get(source)
                .map_or_else(|| Err(queue_is_full()), |active| active.push_job(Job::Watch { number, what }, limit));
            match pushed {
                Ok(()) => pending += 1,
                Err(error) if pending == 0 => {
                    self.fail(waiter, error);
                    return Ok(Answer::Now(Reply::Sent));
                }
                // The list of the others is still of use.
                Err(_) => {}
            }
        }
        let deadline_ms = ctx.monotonic_ms() + patience.as_millis() as u64;
        let watch = Watch { waiter, what, pending, dropped, asked: Tick::now(), listed: vec![] };
        self.requests.watches.under_way.ask(number, watch, deadline_ms);
        Ok(Answer::Blocked(waiter))
    }

    /// The sources that tell of changes.
    pub fn telling_sources(&self) -> Vec<SourceIndex> {
        let tells = |source: &SourceIndex| {
            self.freshness.leases.get(*source).is_some_and(|known| known.mode != Invalidation::Off)
        };
        (0..self.freshness.leases.len()).filter(tells).collect()
    }

    /// A source has answered.
    pub fn watched_by(&mut self, number: u64, source: SourceIndex, result: Result<WatchAnswer, Error>) {
        let prefix = self.sources.prefix(source).to_owned();
        let name = self.sources.get(source).map_or("", |active| &active.name).to_owned();
        let Some(watch) = self.requests.watches.under_way.first_mut(&number) else { return };
        watch.pending = watch.pending.saturating_sub(1);
        let waiter = watch.waiter;
        let reply = match result {
            Ok(WatchAnswer::Done) => Reply::Ok,
            Ok(WatchAnswer::Told) if watch.pending > 0 => return,
            Ok(WatchAnswer::Told) => Reply::Value(Value::Integer(i64::try_from(watch.dropped).unwrap_or(i64::MAX))),
            Ok(WatchAnswer::Script(script)) => Reply::Buffer(script.into_bytes()),
            Ok(WatchAnswer::Tables(tables)) => {
                watch.listed.extend(tables.iter().map(|table| listed(&name, &prefix, table)));
                if watch.pending > 0 {
                    return;
                }
                Reply::Value(Value::List(std::mem::take(&mut watch.listed)))
            }
            Err(error) => Reply::Error(error),
        };
        let waited = Timings::catalog(watch.asked);
        self.requests.watches.under_way.answered(&number);
        self.requests.waiters.resume(waiter, waited);
        self.requests.waiters.answer(waiter, reply);
    }
}

/// `PGTIMEOUT`.
pub fn too_late(what: &Watching) -> Error {
    let text = match what {
        Watching::Add(_) | Watching::Del(_) => {
            "PostgreSQL has not answered for a minute: WATCH LIST shows what has been done"
        }
        Watching::Flush(_) => {
            "load_timeout_ms passed before PostgreSQL answered: this node has dropped it, others may not have"
        }
        Watching::Sql(_) | Watching::List => {
            "load_timeout_ms passed before PostgreSQL answered: try again, or raise it"
        }
    };
    Error::new(ErrorKind::Timeout, text)
}

/// `ERR`.
fn nobody_listens() -> Error {
    Error::malformed(
        "no source tells of changes: its setting invalidation is off, so that each node has to be flushed by itself",
    )
}

fn listed(source: &str, prefix: &str, table: &Watched) -> Value {
    let number = |number: i64| Value::Integer(number);
    let columns = match (&table.published_as, &table.columns) {
        (None, _) => Value::Nil,
        (_, None) => Value::from("all"),
        (_, Some(columns)) => Value::List(columns.iter().cloned().map(Value::Text).collect()),
    };
    let fields = vec![
        ("table", Value::Text(format!("{prefix}{}", table.name))),
        ("source", Value::from(source)),
        ("mode", Value::from(table.mode.name())),
        ("watched", Value::from(if table.is_whole { "yes" } else { "partly" })),
        ("triggers", number(table.triggers)),
        ("partitions", number(table.partitions)),
        ("event_trigger", Value::Bool(table.has_event_triggers)),
        ("published_as", table.published_as.as_deref().map_or(Value::Nil, Value::from)),
        ("columns", columns),
    ];
    Value::map(fields)
}
