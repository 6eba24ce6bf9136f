//! `PGCACHE.READ <table> <key-json> [ttl] [MINLSN <lsn>]`: the row, from memory or from PostgreSQL.

use std::borrow::Cow;
use std::rc::Rc;

use super::read_words::ReadWords;
use crate::cache::{Access, Age, Answer, Error, Lsn, Purpose, Reply, Ttl};
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
            Argument::optional(c"lsn", ArgumentKind::Behind(c"MINLSN")),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        match ReadWords::of(arguments) {
            Ok(ReadWords { ttl, min_lsn }) => {
                let read = ReadRow { key: arguments.required(1).into(), ttl, min_lsn };
                run_on_table(ctx, arguments, arguments.required(0), &read)
            }
            Err(error) => error.into(),
        }
    }
}

/// The command on its table.
pub(super) struct ReadRow<'a> {
    pub(super) key: Cow<'a, [u8]>,
    pub(super) ttl: Option<Ttl>,
    pub(super) min_lsn: Option<Lsn>,
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
        let (wanted, in_command) = ((self.ttl, self.min_lsn), caller.is_in_command());
        if let Some((reply, age)) = engine.reply_from_cache(ctx, table, &resolved_key.cache_key, wanted, in_command) {
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
        let waiting = FlightWaiter::Row { waiter, user, min_lsn: self.min_lsn };
        engine.join(ctx, table, row, ttl_s, waiting, &mut requests);
        engine.submit(ctx, table.source, requests);
        Ok(Answer::Blocked(waiter))
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(ReadRow { key: Cow::Owned(self.key.to_vec()), ttl: self.ttl, min_lsn: self.min_lsn })
    }
}
