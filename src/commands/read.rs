//! `PGCACHE.READ <table> <key-json> [ttl]`: the row, from memory or from PostgreSQL.

use std::borrow::Cow;
use std::rc::Rc;

use crate::cache::{Access, Answer, Reply};
use crate::cache::{Age, Error, Ttl};
use crate::engine::loads::load_requests::{LoadRequests, RowLoad};
use crate::engine::{
    command_names, run_on_table, Caller, Command, Engine, FlightWaiter, Keys, Outcome, Table, TableCommand,
};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec, User};

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
            Ok(ttl) => {
                run_on_table(ctx, arguments, arguments.required(0), &ReadRow { key: arguments.required(1).into(), ttl })
            }
            Err(error) => error.into(),
        }
    }
}

/// The command on its table.
struct ReadRow<'a> {
    key: Cow<'a, [u8]>,
    ttl: Option<Ttl>,
}

impl TableCommand for ReadRow<'_> {
    fn spec(&self) -> &'static Spec {
        &Read::SPEC
    }

    fn keys(&self) -> Keys<'_> {
        Keys::One(&self.key)
    }

    fn run(
        &self,
        engine: &mut Engine,
        ctx: Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let resolved_key = engine.checked_key(ctx, caller, Read::SPEC.purpose(), table, &self.key)?;
        let in_command = caller.is_in_command();
        if let Some((reply, age)) = engine.reply_from_cache(ctx, table, &resolved_key.cache_key, self.ttl, in_command) {
            let is_negative = matches!(reply, Reply::Nil);
            engine.emit_hit(ctx, table, &resolved_key, age, is_negative);
            if age != Age::Fresh {
                engine.refresh(ctx, table, RowLoad::of(resolved_key).into_iter().collect(), self.ttl);
            }
            return Ok(Answer::Now(reply));
        }
        let row = RowLoad::of(resolved_key)?;
        let waiter = caller.wait(engine, ctx)?;
        let user = Rc::new(std::mem::replace(&mut caller.user, User::server()));
        engine.emit_miss(ctx, table, &row.resolved_key);
        let mut requests = LoadRequests::default();
        let ttl_s = engine.ttl_s(self.ttl);
        engine.join(ctx, table, row, ttl_s, FlightWaiter::Row { waiter, user }, &mut requests);
        engine.submit(ctx, table.source, requests);
        Ok(Answer::Blocked(waiter))
    }

    fn boxed(&self) -> Box<dyn TableCommand> {
        Box::new(ReadRow { key: Cow::Owned(self.key.to_vec()), ttl: self.ttl })
    }
}
