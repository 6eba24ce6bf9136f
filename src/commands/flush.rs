//! `PGCACHE.FLUSH [EVERYWHERE] ALL | TABLE <table> [<table> …] | TAG <tag> [<tag> …]`: drops whole tables from the cache, or all queries
//! that carry a tag, at once; EVERYWHERE has every server do so that listens to the same PostgreSQL.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::misused;
use crate::cache::{tag, Access, Answer, Error, Purpose, Reply, Value};
use crate::engine::host::{Callback, Host};
use crate::engine::{Caller, Engine, Keys, Store, Table, TableCall, TableCommand};
use crate::module;
use crate::module::{run_on_table, Command, Outcome, PluginCheck};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};
use crate::workers::watch_request::Told;
use crate::workers::SourceIndex;

/// The command.
#[derive(Debug)]
pub struct Flush;

impl Command for Flush {
    const SPEC: Spec = Spec {
        name: c"pgcache.flush",
        flags: c"write",
        categories: c"write",
        accesses: &[Access::Delete],
        summary:
            c"Drops all tables and queries, or those named or tagged, from the cache; their memory is given back in the background",
        complexity: c"O(N) for N tables or tags, whatever they hold",
        arguments: &[
            Argument::required(c"ALL|TABLE|TAG|EVERYWHERE|HELP", ArgumentKind::Text),
            Argument::many(c"ALL|TABLE|TAG|table|tag", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.FLUSH ALL",
        "    Drops every table and every query from the cache, at once.",
        "PGCACHE.FLUSH TABLE <table> [<table> ...]",
        "    Drops these tables, all or none, and the queries that read them.",
        "PGCACHE.FLUSH TAG <tag> [<tag> ...]",
        "    Drops the queries that carry any of these tags.",
        "PGCACHE.FLUSH EVERYWHERE ALL | TABLE ... | TAG ...",
        "    The same, and PostgreSQL tells every other server to do it too, as it tells of changes.",
        "PGCACHE.FLUSH HELP",
        "    Prints this.",
    ];

    fn plugin_check(arguments: Arguments<'_>) -> PluginCheck {
        if words(arguments).1.first().is_some_and(|word| word.eq_ignore_ascii_case(b"TABLE")) {
            PluginCheck::OnceItsTableIsKnown
        } else {
            PluginCheck::AtOnce
        }
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let (reach, words) = words(arguments);
        let Some((word, names)) = words.split_first() else { return misuse(b"").into() };
        let names: Vec<Box<[u8]>> = names.iter().map(|name| (*name).into()).collect();
        let word = word.to_ascii_uppercase();
        match (word.as_slice(), names.first()) {
            (b"ALL", None) => flush_all(ctx, reach).into(),
            (b"TABLE", Some(first)) => run_on_table(ctx, arguments, &first.clone(), &FlushTables { names, reach }),
            (b"TAG", Some(_)) => flush_tags(ctx, &names, reach).into(),
            (b"HELP", None) if reach == Reach::Here => Reply::lines(Flush::HELP).into(),
            _ => misuse(&word).into(),
        }
    }
}

/// Which servers drop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// This one, and its replicas.
    Here,
    /// All that listen to the same PostgreSQL.
    Everywhere,
}

/// Which servers drop it, and the words that say what.
fn words(arguments: Arguments<'_>) -> (Reach, Vec<&[u8]>) {
    let mut words = arguments.all();
    if words.first().is_some_and(|word| word.eq_ignore_ascii_case(b"EVERYWHERE")) {
        words.remove(0);
        return (Reach::Everywhere, words);
    }
    (Reach::Here, words)
}

/// What may stand first.
const WORDS: [&str; 5] = ["ALL", "TABLE", "TAG", "EVERYWHERE", "HELP"];

fn misuse(word: &[u8]) -> Error {
    misused(
        "FLUSH takes ALL, TABLE and at least one table, or TAG and at least one tag, each of them behind EVERYWHERE as well, or HELP",
        word,
        &WORDS,
    )
}

fn flush_all(ctx: Context<'_>, reach: Reach) -> Answer {
    or_error(module::with(|engine| {
        Some(may_flush(engine, ctx).and_then(|()| {
            let count = engine.flush_all(ctx);
            tell_all(engine, ctx, reach, count, &Told::All)
        }))
    }))
}

fn flush_tags(ctx: Context<'_>, names: &[Box<[u8]>], reach: Reach) -> Answer {
    let tags: Result<Vec<&str>, Error> = names.iter().map(|name| tag::parse(name)).collect();
    or_error(module::with(|engine| {
        Some(tags.and_then(|tags| {
            may_flush(engine, ctx)?;
            let count = engine.flush_tags(ctx, &tags);
            tell_all(engine, ctx, reach, count, &Told::Tags(tags.into_iter().map(str::to_owned).collect()))
        }))
    }))
}

/// Has every source tell the others, if they are to be told, and answers how many things were dropped here.
fn tell_all<H: Host>(
    engine: &mut Engine<H>,
    ctx: H::Context<'_>,
    reach: Reach,
    count: usize,
    what: &Told,
) -> Result<Answer, Error> {
    if reach == Reach::Here {
        return Ok(Answer::Now(dropped(count)));
    }
    let flushes = engine.telling_sources().into_iter().map(|source| (source, what.clone())).collect();
    engine.flush_everywhere(ctx, &mut Caller::server(ctx), flushes, count)
}

fn or_error(answer: Option<Result<Answer, Error>>) -> Answer {
    answer.unwrap_or_else(|| Ok(Answer::Now(Reply::default()))).unwrap_or_else(|error| Answer::Now(Reply::Error(error)))
}

/// What is dropped may stand under any key of the cache.
fn may_flush<H: Host>(engine: &Engine<H>, ctx: H::Context<'_>) -> Result<(), Error> {
    let prefix = ctx.key(engine.settings().cache_prefix.as_bytes());
    engine.may_access(ctx, &ctx.user(), Flush::SPEC.purpose(), &[&prefix])
}

fn dropped(count: usize) -> Reply {
    Reply::Value(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// The command on its tables: dropped once every one of them is known, all or none.
pub(super) struct FlushTables {
    pub(super) names: Vec<Box<[u8]>>,
    pub(super) reach: Reach,
}

impl<H: Host> TableCommand<H> for FlushTables {
    fn purpose(&self) -> Purpose {
        Flush::SPEC.purpose()
    }

    fn keys(&self) -> Keys<'_> {
        Keys::None
    }

    fn run(
        &self,
        engine: &mut Engine<H>,
        ctx: H::Context<'_>,
        _: &Rc<Table>,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error> {
        let mut tables: Vec<Rc<Table>> = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let Some(table) = engine.known(ctx, name) else {
                return engine.await_table(&mut TableCall { ctx, spelling: name, command: self, caller });
            };
            if tables.iter().all(|other| other.id != table.id) {
                tables.push(table);
            }
        }
        for table in &tables {
            engine.may_access(ctx, &caller.user, Flush::SPEC.purpose(), &[&ctx.key(&table.acl_prefix)])?;
        }
        for table in &tables {
            engine.start_epoch(ctx, table);
        }
        if self.reach == Reach::Here {
            return Ok(Answer::Now(dropped(tables.len())));
        }
        engine.flush_everywhere(ctx, caller, by_source(&tables), tables.len())
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(Self { names: self.names.clone(), reach: self.reach })
    }
}

/// What each source is to tell.
fn by_source(tables: &[Rc<Table>]) -> Vec<(SourceIndex, Told)> {
    let mut sources: BTreeMap<SourceIndex, Vec<(u32, String)>> = BTreeMap::new();
    for table in tables {
        sources.entry(table.source).or_default().push((table.definition.oid, table.definition.relation.clone()));
    }
    sources.into_iter().map(|(source, tables)| (source, Told::Tables(tables))).collect()
}
