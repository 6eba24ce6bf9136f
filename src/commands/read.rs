//! `PGCACHE.READ <table> <key-json> [ttl]`: the row, from memory or from PostgreSQL.

use std::borrow::Cow;
use std::rc::Rc;

use crate::cache::age::Age;
use crate::cache::error::Error;
use crate::cache::ttl::Ttl;
use crate::engine::catalog::lookup::{locate, Located};
use crate::engine::catalog::tables::Table;
use crate::engine::command_names;
use crate::engine::loads::load_requests::{Departures, RowLoad};
use crate::engine::loads::waiter::Ticket;
use crate::engine::requests::caller::Caller;
use crate::engine::requests::command::{Command, Outcome};
use crate::engine::requests::table_command::{on_table, OnTable};
use crate::engine::Engine;
use crate::server::acl::{Access, User};
use crate::server::command::{Answer, Argument, ArgumentKind, Arguments, Spec};
use crate::server::context::Context;
use crate::server::reply::Reply;

/// The command.
#[derive(Debug)]
pub struct Read;

impl Command for Read {
    const SPEC: Spec = Spec {
        name: command_names::READ,
        flags: c"readonly",
        categories: c"read",
        accesses: &[Access::Read],
        summary: c"Returns a row of a PostgreSQL table as JSON, from the cache or from PostgreSQL",
        complexity: c"O(1) for a hit; a miss loads one row by its key",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"key-json", ArgumentKind::LookupKey),
            Argument::optional(c"ttl", ArgumentKind::Integer),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        match arguments.get(2).map(Ttl::parse).transpose() {
            Ok(ttl) => on_table(
                ctx,
                arguments,
                arguments.required(0),
                &ReadRow { key: arguments.required(1).into(), ttl },
            ),
            Err(error) => error.into(),
        }
    }
}

/// The command on its table.
struct ReadRow<'a> {
    key: Cow<'a, [u8]>,
    ttl: Option<Ttl>,
}

impl OnTable for ReadRow<'_> {
    fn spec(&self) -> &'static Spec {
        &Read::SPEC
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
        engine.check(ctx, caller, Read::SPEC.name, table, &located, Access::Read)?;
        let in_command = caller.is_in_command();
        if let Some((reply, age)) =
            engine.reply_from_cache(ctx, table, &located.cache_key, self.ttl, in_command)
        {
            let is_negative = matches!(reply, Reply::Nil);
            engine.tell_hit(ctx, table, &located, age, is_negative);
            if age != Age::Fresh {
                engine.refresh(ctx, table, RowLoad::of(located).into_iter().collect(), self.ttl);
            }
            return Ok(Answer::Now(reply));
        }
        let row = RowLoad::of(located)?;
        let waiter = caller.wait(engine, ctx)?;
        let user = Rc::new(std::mem::replace(&mut caller.user, User::server()));
        engine.tell_miss(ctx, table, &row.located);
        let mut departures = Departures::default();
        let ttl_s = engine.ttl_s(self.ttl);
        engine.join(ctx, table, row, ttl_s, Ticket::Row { waiter, user }, &mut departures);
        engine.depart(ctx, table.source, departures);
        Ok(Answer::Blocked(waiter))
    }

    fn parked(&self) -> Box<dyn OnTable> {
        Box::new(ReadRow { key: Cow::Owned(self.key.to_vec()), ttl: self.ttl })
    }
}
