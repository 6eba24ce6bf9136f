//! `PGCACHE.READ <table> <key-json> [ttl]`: the row, from memory or from PostgreSQL.

use std::borrow::Cow;
use std::rc::Rc;

use super::parse_ttl;
use crate::cache::{Access, Age, Answer, Error, Purpose, Reply, Ttl};
use crate::engine::host::Host;
use crate::engine::loads::load_requests::{LoadRequests, RowLoad};
use crate::engine::{command_names, Caller, Engine, FlightWaiter, Keys, Table, TableCommand};
use crate::module::{run_on_table, Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

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
        match parse_ttl(arguments.get(2), arguments.required(1)) {
            Ok(ttl) => {
                run_on_table(ctx, arguments, arguments.required(0), &ReadRow { key: arguments.required(1).into(), ttl })
            }
            Err(error) => error.into(),
        }
    }
}

/// The command on its table.
pub(super) struct ReadRow<'a> {
    pub(super) key: Cow<'a, [u8]>,
    pub(super) ttl: Option<Ttl>,
}

impl<H: Host> TableCommand<H> for ReadRow<'_> {
    fn purpose(&self) -> Purpose {
        Read::SPEC.purpose()
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
        let user = Rc::new(caller.take_user());
        engine.emit_miss(ctx, table, &row.resolved_key);
        let mut requests = LoadRequests::default();
        let ttl_s = engine.ttl_s(self.ttl);
        engine.join(ctx, table, row, ttl_s, FlightWaiter::Row { waiter, user }, &mut requests);
        engine.submit(ctx, table.source, requests);
        Ok(Answer::Blocked(waiter))
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(ReadRow { key: Cow::Owned(self.key.to_vec()), ttl: self.ttl })
    }
}
