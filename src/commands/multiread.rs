//! `PGCACHE.MULTIREAD <table> <array-of-key-json> [ttl] [MINLSN <lsn>]`: many rows in the order asked, the missing ones in
//! one statement.

use std::borrow::Cow;
use std::rc::Rc;

use super::read_words::ReadWords;
use crate::cache::{Access, Age, Answer, Entry, Error, Purpose, Reply, Timings};
use crate::engine::catalog::lookup::resolve_keys;
use crate::engine::host::{Callback, Host};
use crate::engine::loads::entries::Found;
use crate::engine::loads::load_requests::{LoadRequests, RowLoad};
use crate::engine::loads::pending_multiread::PendingMultiread;
use crate::engine::loads::rows::Rows;
use crate::engine::{command_names, Caller, Engine, FlightWaiter, Keys, ResolvedKey, Table, TableCommand};
use crate::module::{run_on_table, Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct MultiRead;

impl Command for MultiRead {
    const SPEC: Spec = Spec {
        name: command_names::MULTIREAD,
        flags: c"readonly",
        categories: c"read",
        accesses: &[Access::Read],
        summary: c"Returns rows of a PostgreSQL table as one JSON array, in the order of the keys, null where absent",
        complexity: c"O(N) for N keys; those that are missing are loaded in one statement",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"array-of-key-json", ArgumentKind::LookupKey),
            Argument::optional(c"ttl", ArgumentKind::Integer),
            Argument::optional(c"lsn", ArgumentKind::Behind(c"MINLSN")),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        match ReadWords::of(arguments) {
            Ok(words) => run_on_table(
                ctx,
                arguments,
                arguments.required(0),
                &ReadRows { keys: arguments.required(1).into(), words },
            ),
            Err(error) => error.into(),
        }
    }
}

/// The command on its table.
pub(super) struct ReadRows<'a> {
    pub(super) keys: Cow<'a, [u8]>,
    pub(super) words: ReadWords,
}

/// What the cache has of the keys.
struct LookedUp<K> {
    rows: Rows,
    /// Rows that are not in the cache, each with its place.
    missing: Vec<(usize, RowLoad<K>)>,
    to_refresh: Vec<RowLoad<K>>,
}

impl<H: Host> TableCommand<H> for ReadRows<'_> {
    fn purpose(&self) -> Purpose {
        MultiRead::SPEC.purpose()
    }

    fn keys(&self) -> Keys<'_> {
        Keys::Several(&self.keys)
    }

    fn run(
        &self,
        engine: &mut Engine<H>,
        ctx: H::Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error> {
        let keys = resolve_keys(engine, table, &self.keys)?;
        if let Some(answer) = engine.go_beyond_slot(ctx, table, &keys, self, caller)? {
            return Ok(answer);
        }
        let LookedUp { rows, missing, to_refresh } = look_up_all(engine, ctx, table, caller, keys, self.words)?;
        if missing.is_empty() {
            engine.refresh(ctx, table, to_refresh, self.words.ttl);
            let json = rows.into_json();
            return Ok(Answer::Now(if caller.is_in_command() {
                let reply = ctx.reply_with(&json, true);
                engine.keep_scratch(json);
                reply
            } else {
                Reply::Buffer(json)
            }));
        }
        let waiter = caller.wait(engine, ctx)?;
        let user = Rc::new(caller.take_user());
        let multiread = engine.start_multiread(PendingMultiread {
            waiter,
            user,
            spare_bytes: rows.spare_bytes(),
            slots: rows.slots(),
            pending: missing.len(),
            timings: Timings::default(),
        });
        let (ttl_s, mut requests) = (engine.ttl_s(self.words.ttl), LoadRequests::default());
        for (index, row) in missing {
            engine.emit_miss(ctx, table, &row.resolved_key);
            let waiting = FlightWaiter::Part { multiread, index, min_lsn: self.words.min_lsn };
            engine.join(ctx, table, row, ttl_s, waiting, &mut requests);
        }
        engine.submit(ctx, table.source, requests);
        engine.refresh(ctx, table, to_refresh, self.words.ttl);
        Ok(Answer::Blocked(waiter))
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(ReadRows { keys: Cow::Owned(self.keys.to_vec()), words: self.words })
    }
}

/// Every key is checked before any is read: a refusal tells nothing about the others.
fn look_up_all<H: Host>(
    engine: &mut Engine<H>,
    ctx: H::Context<'_>,
    table: &Rc<Table>,
    caller: &Caller<H>,
    keys: Vec<ResolvedKey<H::Key>>,
    ReadWords { ttl, min_lsn }: ReadWords,
) -> Result<LookedUp<H::Key>, Error> {
    engine.check_all(ctx, caller, MultiRead::SPEC.purpose(), table, &keys)?;
    let is_reliable = engine.may_answer(ctx, table, min_lsn);
    let max_bytes = engine.settings().max_multiread_bytes;
    let rows = Rows::new(keys.len(), max_bytes, engine.take_scratch());
    let mut looked_up = LookedUp { rows, missing: Vec::new(), to_refresh: Vec::new() };
    let LookedUp { rows, missing, to_refresh } = &mut looked_up;
    for (index, resolved_key) in keys.into_iter().enumerate() {
        let (found, age) = engine.look_up(ctx, table, is_reliable, &resolved_key.cache_key, ttl, |row| rows.add(row));
        let is_negative = matches!(found, Found::Absent);
        match found {
            Found::Row(added) => added?,
            Found::Absent => rows.add(Entry::ABSENT)?,
            Found::Foreign | Found::Nothing => {
                rows.add_pending()?;
                missing.push((index, RowLoad::of(resolved_key)?));
                continue;
            }
        }
        engine.emit_hit(ctx, table, &resolved_key, age, is_negative);
        if age != Age::Fresh {
            to_refresh.extend(RowLoad::of(resolved_key));
        }
    }
    Ok(looked_up)
}
