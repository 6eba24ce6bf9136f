//! `PGCACHE.INVALIDATE <table> <key-json>`: what is cached for that key is out of date.

use std::borrow::Cow;
use std::rc::Rc;

use crate::cache::{Access, Answer, Error, ErrorKind, Purpose, Reply};
use crate::engine::host::Host;
use crate::engine::{Caller, Engine, Keys, LoadedRow, ResolvedKey, Store, StoreKey, Table, TableCommand};
use crate::module::{run_on_table, Command, Outcome};
use crate::plugins::Event;
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};
use crate::settings::EventType;

/// The command.
#[derive(Debug)]
pub struct Invalidate;

impl Command for Invalidate {
    const SPEC: Spec = Spec {
        name: c"pgcache.invalidate",
        flags: c"write",
        categories: c"write",
        accesses: &[Access::Delete],
        summary: c"Drops the cached row of a key; loads that are under way for it are not stored",
        complexity: c"O(1)",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"key-json", ArgumentKind::LookupKey),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        run_on_table(ctx, arguments, arguments.required(0), &InvalidateRow { key: arguments.required(1).into() })
    }
}

/// The command on its table.
pub(super) struct InvalidateRow<'a> {
    pub(super) key: Cow<'a, [u8]>,
}

impl<H: Host> TableCommand<H> for InvalidateRow<'_> {
    fn purpose(&self) -> Purpose {
        Invalidate::SPEC.purpose()
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
        let resolved_key = engine.checked_key(ctx, caller, Invalidate::SPEC.purpose(), table, &self.key)?;
        engine.check_routed(ctx, table, &self.key, resolved_key.cache_key.as_bytes())?;
        engine.count_invalidation();
        engine.drop_entry(ctx, table, resolved_key.cache_key.as_bytes())?;
        if let Some(as_written) = &resolved_key.as_written {
            engine.drop_entry(ctx, table, as_written)?;
        }
        let what = Event::new(EventType::Invalidate);
        let what = what.key(resolved_key.cache_key.as_bytes(), resolved_key.prefix_len).reason("command");
        engine.emit(ctx, table, what);
        if is_settled(&resolved_key) {
            return Ok(Answer::Now(Reply::Ok));
        }
        drop_own_key(engine, ctx, table, resolved_key, &self.key, caller)
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(InvalidateRow { key: Cow::Owned(self.key.to_vec()) })
    }
}

/// Whether the row cannot stand under another key than the one that was dropped.
fn is_settled(resolved_key: &ResolvedKey<impl StoreKey>) -> bool {
    let has_one_spelling = resolved_key.lookup.rules.iter().all(|rule| rule.text_is_unique());
    !resolved_key.needs_postgres || (resolved_key.as_written.is_some() && has_one_spelling)
}

/// The row may stand under a spelling that only PostgreSQL knows: it is asked. Where it cannot be asked or has
/// no such row, nobody can say under which key the entry stands, and doubt drops the table.
fn drop_own_key<H: Host>(
    engine: &mut Engine<H>,
    ctx: H::Context<'_>,
    table: &Rc<Table>,
    resolved_key: ResolvedKey<H::Key>,
    sent: &[u8],
    caller: &mut Caller<H>,
) -> Result<Answer, Error> {
    let (table_then, user, sent) = (Rc::clone(table), caller.user.clone(), sent.to_vec());
    let asked = engine.ask_for_own_key(
        ctx,
        table,
        resolved_key,
        caller,
        Box::new(move |engine, ctx, loaded| {
            let done = match loaded {
                Ok(loaded) if loaded.own_key.is_some() => drop_brought(engine, ctx, &table_then, &user, &sent, loaded),
                // No row can have such a value, so nothing is cached for it.
                Err(error) if *error.kind() == ErrorKind::BadValue => Err(error.clone()),
                Ok(_) | Err(_) => drop_table(engine, ctx, &table_then, &user),
            };
            done.map_or_else(Reply::Error, |()| Reply::Ok)
        }),
    );
    match asked {
        Err(error) if matches!(error.kind(), ErrorKind::Miss | ErrorKind::Busy) => {
            drop_table(engine, ctx, table, &caller.user).map(|()| Answer::Now(Reply::Ok))
        }
        other => other,
    }
}

fn drop_brought<H: Host>(
    engine: &mut Engine<H>,
    ctx: H::Context<'_>,
    table: &Rc<Table>,
    user: &H::User,
    sent: &[u8],
    loaded: &LoadedRow,
) -> Result<(), Error> {
    engine.check_own_key(ctx, user, loaded, Invalidate::SPEC.purpose())?;
    let Some(own_key) = &loaded.own_key else { return Ok(()) };
    engine.check_routed(ctx, table, sent, own_key)?;
    engine.drop_entry(ctx, table, own_key)
}

/// Drops the whole table, for a user who may do so by FLUSH TABLE as far as keys are concerned.
fn drop_table<H: Host>(
    engine: &mut Engine<H>,
    ctx: H::Context<'_>,
    table: &Rc<Table>,
    user: &H::User,
) -> Result<(), Error> {
    let prefix = ctx.key(&table.acl_prefix);
    engine.may_access(ctx, user, Invalidate::SPEC.purpose(), &[&prefix]).map_err(|_| needs_table())?;
    if ctx.is_node() {
        return Err(needs_all_nodes());
    }
    engine.start_epoch(ctx, table);
    Ok(())
}

/// The entry may stand on any node, and only those of this one are within reach.
fn needs_all_nodes() -> Error {
    Error::malformed(
        "no row is known under this spelling, so that its entry may be on any node of the cluster: use the key as the row spells \
         it, or flush the table on all nodes",
    )
}

fn needs_table() -> Error {
    Error::new(
        ErrorKind::Denied,
        "no row is known under this spelling, so the whole table would have to be dropped, which this user's ACL does not \
         allow: use the key as the row spells it",
    )
}
