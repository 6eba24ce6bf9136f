//! `PGCACHE.QUERY <sql> | NAME <name> [<params>] [TTL <s>] [TAGS <n> <tag> …] [SOURCE <name>] [MINLSN <lsn>]`: the rows of a statement, from
//! memory or from PostgreSQL.

use super::query_words;
use crate::cache::Access;
use crate::engine::command_names;
use crate::engine::queries::Wanted;
use crate::module;
use crate::module::{Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Query;

impl Command for Query {
    const SPEC: Spec = Spec {
        name: command_names::QUERY,
        flags: c"readonly",
        categories: c"read",
        accesses: &[Access::Read],
        summary: c"Returns the rows of a read-only SQL statement as a JSON array, from the cache or from PostgreSQL",
        complexity: c"O(N) for N tables and tags of the query; a miss runs it",
        arguments: &[
            Argument::required(c"sql|NAME", ArgumentKind::Text),
            Argument::many(c"name|params-json-array|TTL|TAGS|SOURCE|MINLSN", ArgumentKind::Routing),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        match query_words::asked(&arguments.all()) {
            Ok(asked) => module::with(|engine| engine.ask(ctx, &asked, Wanted::Rows)).into(),
            Err(error) => error.into(),
        }
    }
}
