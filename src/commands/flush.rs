//! `PGCACHE.FLUSH ALL | TABLE <table> [<table> …] | TAG <tag> [<tag> …]`: drops whole tables from the cache, or all queries that
//! carry a tag, at once.

use std::rc::Rc;

use super::misused;
use crate::cache::{tag, Access, Answer, Error, Purpose, Reply, Value};
use crate::engine::host::{Callback, Host};
use crate::engine::{Caller, Engine, Keys, Store, Table, TableCall, TableCommand};
use crate::module;
use crate::module::{run_on_table, Command, Outcome, PluginCheck};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

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
            Argument::required(c"what", ArgumentKind::Text),
            Argument::many(c"table|tag", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.FLUSH ALL",
        "    Drops every table and every query from the cache, at once.",
        "PGCACHE.FLUSH TABLE <table> [<table> ...]",
        "    Drops these tables, all or none, and the queries that read them.",
        "PGCACHE.FLUSH TAG <tag> [<tag> ...]",
        "    Drops the queries that carry any of these tags.",
        "PGCACHE.FLUSH HELP",
        "    Prints this.",
    ];

    fn plugin_check(arguments: Arguments<'_>) -> PluginCheck {
        if arguments.required(0).eq_ignore_ascii_case(b"TABLE") {
            PluginCheck::OnceItsTableIsKnown
        } else {
            PluginCheck::AtOnce
        }
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let names: Vec<Box<[u8]>> = (1..arguments.len()).map(|index| arguments.required(index).into()).collect();
        let word = arguments.required(0).to_ascii_uppercase();
        match (word.as_slice(), names.first()) {
            (b"ALL", None) => flush_all(ctx).into(),
            (b"TABLE", Some(first)) => run_on_table(ctx, arguments, &first.clone(), &FlushTables { names }),
            (b"TAG", Some(_)) => flush_tags(ctx, &names).unwrap_or_else(Reply::Error).into(),
            (b"HELP", None) => Reply::lines(Flush::HELP).into(),
            _ => misused(
                "FLUSH takes ALL, TABLE and at least one table, TAG and at least one tag, or HELP",
                &word,
                &WORDS,
            )
            .into(),
        }
    }
}

/// What may stand first.
const WORDS: [&str; 4] = ["ALL", "TABLE", "TAG", "HELP"];

fn flush_all(ctx: Context<'_>) -> Reply {
    module::with(|engine| match may_flush(engine, ctx) {
        Ok(()) => dropped(engine.flush_all(ctx)),
        Err(error) => Reply::Error(error),
    })
}

fn flush_tags(ctx: Context<'_>, names: &[Box<[u8]>]) -> Result<Reply, Error> {
    let tags: Vec<&str> = names.iter().map(|name| tag::parse(name)).collect::<Result<_, _>>()?;
    module::with(|engine| Some(may_flush(engine, ctx).map(|()| dropped(engine.flush_tags(ctx, &tags)))))
        .unwrap_or_else(|| Ok(Reply::default()))
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
        Ok(Answer::Now(dropped(tables.len())))
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(Self { names: self.names.clone() })
    }
}
