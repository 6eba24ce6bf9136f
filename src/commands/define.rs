//! `PGCACHE.DEFINE <name> <sql> [TTL <s>] [TAGS <n> <tag> …] | DEL <name> | LIST | HELP`: queries that may be asked by name.

use super::first_word::check_statement;
use super::query_words::Options;
use crate::cache::named_query::{parse_name, parse_sql, NamedQuery};
use crate::cache::{Access, Error, ErrorKind, Reply, Ttl, Value};
use crate::engine::command_names;
use crate::module;
use crate::module::{Command, Engine, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec, User};

/// The command.
#[derive(Debug)]
pub struct Define;

impl Command for Define {
    const SPEC: Spec = Spec {
        name: command_names::DEFINE,
        flags: c"admin",
        categories: c"admin dangerous",
        accesses: &[Access::Read, Access::Write],
        summary: c"Defines queries that may be asked by name",
        complexity: c"O(sqrt(N)) on average for N definitions, O(N) for LIST",
        arguments: &[
            Argument::required(c"name|DEL|LIST|HELP", ArgumentKind::Text),
            Argument::many(c"sql|name|TTL|TAGS", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.DEFINE <name> <sql> [TTL <seconds>] [TAGS <n> <tag> ...]",
        "    Defines a query, in the place of one that has its name. It is checked when it is asked.",
        "PGCACHE.DEFINE DEL <name>",
        "    Removes a definition.",
        "PGCACHE.DEFINE LIST",
        "    Returns all definitions.",
        "PGCACHE.DEFINE HELP",
        "    Prints this.",
    ];

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        run(ctx, &arguments.all()).unwrap_or_else(Reply::Error).into()
    }
}

fn run(ctx: Context<'_>, words: &[&[u8]]) -> Result<Reply, Error> {
    let Some((first, rest)) = words.split_first() else { return Err(malformed()) };
    match (first.to_ascii_uppercase().as_slice(), rest) {
        (b"DEL", [name]) => {
            let name = parse_name(name)?;
            change(ctx, |engine| engine.remove_query(ctx, name))
        }
        (b"LIST", []) => module::with(|engine| Some(list(engine, ctx))).unwrap_or_else(|| Ok(Reply::default())),
        (b"HELP", []) => Ok(Reply::lines(Define::HELP)),
        (_, [sql, options @ ..]) => {
            let query = query(first, sql, options)?;
            change(ctx, |engine| {
                engine.define_query(ctx, query);
                Ok(())
            })
        }
        _ => Err(malformed()),
    }
}

fn query(name: &[u8], sql: &[u8], options: &[&[u8]]) -> Result<NamedQuery, Error> {
    let (name, sql) = (parse_name(name)?.to_owned(), parse_sql(sql)?.to_owned());
    check_statement(&sql)?;
    let Options { ttl, tags, source, min_lsn } = Options::parse(options)?;
    if source.is_some() {
        return Err(Error::malformed("SOURCE belongs to PGCACHE.QUERY: a definition is for every source"));
    }
    if min_lsn.is_some() {
        return Err(Error::malformed("MINLSN belongs to PGCACHE.QUERY: each call has a position of its own"));
    }
    Ok(NamedQuery { name, sql, ttl, tags: tags.unwrap_or_default() })
}

/// Changes the definitions, and saves them. On a replica they are the master's.
fn change(ctx: Context<'_>, work: impl FnOnce(&mut Engine) -> Result<(), Error>) -> Result<Reply, Error> {
    if ctx.flags().is_replica() {
        return Err(Error::new(ErrorKind::ReadOnly, "You can't write against a read only replica."));
    }
    let changed = module::with(|engine| {
        // What was saved before is not to be lost by this.
        engine.know_definitions(ctx);
        Some(engine.may_define(ctx, &User::of(ctx), Access::Write).and_then(|()| work(engine)))
    });
    changed.unwrap_or(Ok(())).map(|()| Reply::Ok)
}

/// For a user who may read the record that they stand in.
fn list(engine: &mut Engine, ctx: Context<'_>) -> Result<Reply, Error> {
    engine.may_define(ctx, &User::of(ctx), Access::Read)?;
    engine.know_definitions(ctx);
    Ok(Reply::Value(Value::List(engine.defined_queries().map(described).collect())))
}

fn described(query: &NamedQuery) -> Value {
    let tags = query.tags.iter().map(|tag| Value::from(tag.as_str())).collect();
    Value::map(vec![
        ("name", Value::from(query.name.as_str())),
        ("sql", Value::from(query.sql.as_str())),
        ("ttl", query.ttl.map(Ttl::seconds).map_or(Value::Nil, |seconds| Value::Integer(seconds.into()))),
        ("tags", Value::List(tags)),
    ])
}

fn malformed() -> Error {
    Error::malformed("DEFINE takes a name and a query, DEL <name>, LIST or HELP; see PGCACHE.DEFINE HELP")
}
