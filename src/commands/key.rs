//! `PGCACHE.KEY <table> <key-json>`: the cache key, for GET, TTL and CLIENT TRACKING.

use std::borrow::Cow;
use std::rc::Rc;

use crate::cache::error::Error;
use crate::cache::stored::Stored;
use crate::engine::catalog::lookup::{locate, Located};
use crate::engine::catalog::tables::Table;
use crate::engine::requests::caller::Caller;
use crate::engine::requests::command::{Command, Outcome};
use crate::engine::requests::table_command::{on_table, OnTable};
use crate::engine::Engine;
use crate::server::acl::Access;
use crate::server::command::{Answer, Argument, ArgumentKind, Arguments, Spec};
use crate::server::context::Context;
use crate::server::keyspace;
use crate::server::reply::Reply;

/// The command.
#[derive(Debug)]
pub struct Key;

impl Command for Key {
    const SPEC: Spec = Spec {
        name: c"pgcache.key",
        flags: c"readonly",
        categories: c"read",
        accesses: &[Access::Read],
        summary: c"Returns the key under which the server stores a row, for GET, TTL or CLIENT TRACKING",
        complexity: c"O(1)",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"key-json", ArgumentKind::LookupKey),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        on_table(ctx, arguments, arguments.required(0), &KeyOfRow { key: arguments.required(1).into() })
    }
}

/// The command on its table.
struct KeyOfRow<'a> {
    key: Cow<'a, [u8]>,
}

impl OnTable for KeyOfRow<'_> {
    fn spec(&self) -> &'static Spec {
        &Key::SPEC
    }

    fn access(&self) -> Access {
        Access::Read
    }

    fn keys(&self) -> &[u8] {
        &self.key
    }

    fn located(&self, engine: &Engine, table: &Table) -> Result<Vec<Located>, Error> {
        Ok(vec![locate(engine, table, &self.key)?])
    }

    fn run(
        &self,
        engine: &mut Engine,
        ctx: Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let located = locate(engine, table, &self.key)?;
        engine.check(ctx, caller, Key::SPEC.name, table, &located, Access::Read)?;
        // An entry is stored under its row's own key only: where one stands, that is it.
        let stands = keyspace::read(ctx, &located.cache_key, |stored| stored != Stored::Nothing);
        if !located.asks || stands {
            return Ok(Answer::Now(Reply::Buffer(located.cache_key.as_bytes().to_vec())));
        }
        let literal = located.cache_key.as_bytes().to_vec();
        let user = caller.user.clone();
        engine.ask_for_own_key(
            ctx,
            table,
            located,
            caller,
            Box::new(move |engine, ctx, brought| {
                let key = brought.as_ref().map_err(Clone::clone).and_then(|brought| {
                    engine.check_own_key(ctx, &user, brought, Key::SPEC.name, Access::Read)?;
                    Ok(brought.own_key.as_ref().map_or(literal, |own_key| own_key.to_vec()))
                });
                key.map_or_else(Reply::Error, Reply::Buffer)
            }),
        )
    }

    fn parked(&self) -> Box<dyn OnTable> {
        Box::new(KeyOfRow { key: Cow::Owned(self.key.to_vec()) })
    }
}
