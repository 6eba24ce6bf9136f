//! `PGCACHE.INSPECT <table> <key-json> | QUERY <query> …`: what the cache knows of one row, or of one query.

use std::borrow::Cow;
use std::rc::Rc;

use super::query_words;
use crate::cache::{Access, Age, Answer, Entry, Error, Purpose, Reply, Stored, Value};
use crate::engine::host::Host;
use crate::engine::queries::{Asked, Wanted};
use crate::engine::requests::routing::is_routed;
use crate::engine::{command_names, Caller, Engine, Keys, ResolvedKey, Store, StoreKey, Table, TableCommand};
use crate::module;
use crate::module::{run_on_table, Command, Outcome, PluginCheck};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Inspect;

impl Command for Inspect {
    const SPEC: Spec = Spec {
        name: command_names::INSPECT,
        flags: c"readonly",
        categories: c"read",
        accesses: &[Access::Read],
        summary: c"Describes what the cache holds for a key or a query, and the statement that would load it",
        complexity: c"O(1)",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"key-json", ArgumentKind::LookupKey),
            Argument::many(c"argument", ArgumentKind::Text),
        ],
    };

    fn plugin_check(arguments: Arguments<'_>) -> PluginCheck {
        if is_query(arguments) {
            PluginCheck::AtOnce
        } else {
            PluginCheck::OnceItsTableIsKnown
        }
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        if is_query(arguments) {
            return match query_words::asked(arguments.all().get(1..).unwrap_or_default()) {
                Ok(asked) => {
                    // As the query itself is routed.
                    let asked = Asked { routed_by: arguments.get(2).map(<[u8]>::to_vec), ..asked };
                    module::with(|engine| engine.ask(ctx, &asked, Wanted::Inspection)).into()
                }
                Err(error) => error.into(),
            };
        }
        if arguments.len() > 2 {
            return Error::malformed("INSPECT takes a table and a key, or QUERY and a query").into();
        }
        run_on_table(ctx, arguments, arguments.required(0), &InspectRow { key: arguments.required(1).into() })
    }
}

/// Whether it is about a query: a table may be called so, but no SQL begins like a lookup key.
fn is_query(arguments: Arguments<'_>) -> bool {
    arguments.required(0).eq_ignore_ascii_case(b"QUERY") && !arguments.required(1).trim_ascii_start().starts_with(b"{")
}

/// The command on its table.
pub(super) struct InspectRow<'a> {
    pub(super) key: Cow<'a, [u8]>,
}

impl<H: Host> TableCommand<H> for InspectRow<'_> {
    fn purpose(&self) -> Purpose {
        Inspect::SPEC.purpose()
    }

    fn keys(&self) -> Keys<'_> {
        Keys::One(&self.key)
    }

    fn run(
        &self,
        engine: &mut Engine<H>,
        ctx: H::Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error> {
        let resolved_key = engine.checked_key(ctx, caller, Inspect::SPEC.purpose(), table, &self.key)?;
        Ok(Answer::Now(Reply::Value(describe(engine, ctx, table, &resolved_key, &self.key))))
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(InspectRow { key: Cow::Owned(self.key.to_vec()) })
    }
}

/// What stands under the key, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Row,
    Absent,
    Other,
}

impl Kind {
    fn of(bytes: &[u8]) -> Self {
        match Entry::classify(bytes) {
            Entry::Row(_) => Self::Row,
            Entry::Absent => Self::Absent,
            Entry::Foreign => Self::Other,
        }
    }
}

/// What is left of the life of an entry that the server keeps for `left_ms` more, and whether only its grace is left.
fn life<H: Host>(engine: &Engine<H>, entry: Kind, left_ms: Option<u64>) -> (Option<u64>, bool) {
    let ageing = engine.ageing();
    match left_ms {
        Some(left_ms) if entry == Kind::Row => {
            (Some(ageing.life_ms(left_ms)), ageing.age(Some(left_ms), 0) == Age::Stale)
        }
        _ => (left_ms, false),
    }
}

fn describe<H: Host>(
    engine: &Engine<H>,
    ctx: H::Context<'_>,
    table: &Table,
    resolved_key: &ResolvedKey<H::Key>,
    sent: &[u8],
) -> Value {
    let ((bytes, entry), left_ms) = ctx.read_with_ttl(&resolved_key.cache_key, |stored| match stored {
        Stored::Bytes(bytes) => (Some(bytes.len()), Kind::of(bytes)),
        Stored::Nothing | Stored::OtherType => (None, Kind::Other),
    });
    let (ttl_ms, is_stale) = life(engine, entry, left_ms);
    let waiters = engine.waiters_of(resolved_key.flight_key());
    let waiters = waiters.or_else(|| engine.waiters_of(resolved_key.cache_key.as_bytes()));
    let group = if resolved_key.needs_postgres { resolved_key.lookup.asking() } else { resolved_key.lookup.plain() };
    let source = engine.sources().get(table.source).map_or("", |source| &source.name);
    let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let fields = vec![
        ("key", Value::Text(String::from_utf8_lossy(resolved_key.cache_key.as_bytes()).into_owned())),
        ("cached", Value::Bool(bytes.is_some())),
        ("ttl_ms", ttl_ms.map_or(Value::Nil, Value::from)),
        ("bytes", number(bytes.unwrap_or_default())),
        ("negative", Value::Bool(entry == Kind::Absent)),
        (
            "stale",
            Value::Bool(
                is_stale || (bytes.is_some() && !engine.may_serve(ctx, table, resolved_key.cache_key.as_bytes())),
            ),
        ),
        ("in_flight", Value::Bool(waiters.is_some())),
        ("waiters", number(waiters.unwrap_or_default())),
        ("epoch", Value::Integer(table.epoch.and_then(|epoch| i64::try_from(epoch).ok()).unwrap_or_default())),
        ("dropped_by", dropped_by(table, resolved_key.lookup.is_non_unique)),
        ("send_as", send_as(ctx, resolved_key, sent)),
        ("source", Value::from(source)),
        ("sql", Value::from(group.plan().sql())),
    ];
    Value::map(fields)
}

/// In a cluster: the spelling that reaches the entry's node. Nothing where the one that was sent does.
fn send_as<K: StoreKey>(store: impl Store, resolved_key: &ResolvedKey<K>, sent: &[u8]) -> Value {
    if is_routed(store, sent, resolved_key.cache_key.as_bytes()) {
        return Value::Nil;
    }
    Value::Text(String::from_utf8_lossy(resolved_key.lookup_key()).into_owned())
}

/// Which changes drop the entry: those of its row, or any of its table. Nothing where no changes are told.
fn dropped_by(table: &Table, is_non_unique: bool) -> Value {
    match (table.definition.is_watched, is_non_unique) {
        (false, _) => Value::Nil,
        (true, false) => Value::from("row"),
        (true, true) => Value::from("table"),
    }
}
