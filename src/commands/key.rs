//! `PGCACHE.KEY <table> <key-json>`: the cache key, for GET, TTL and CLIENT TRACKING.

use std::borrow::Cow;
use std::rc::Rc;

use crate::cache::{Access, Answer, Error, Purpose, Reply, Stored};
use crate::engine::host::Host;
use crate::engine::{Caller, Engine, Keys, Store, StoreKey, Table, TableCommand};
use crate::module::{run_on_table, Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

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
        run_on_table(ctx, arguments, arguments.required(0), &KeyOfRow { key: arguments.required(1).into() })
    }
}

/// The command on its table.
pub(super) struct KeyOfRow<'a> {
    pub(super) key: Cow<'a, [u8]>,
}

impl<H: Host> TableCommand<H> for KeyOfRow<'_> {
    fn purpose(&self) -> Purpose {
        Key::SPEC.purpose()
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
        let resolved_key = engine.checked_key(ctx, caller, Key::SPEC.purpose(), table, &self.key)?;
        // An entry is stored under its row's own key only: where one stands, that is it.
        let stands = ctx.read(&resolved_key.cache_key, |stored| stored != Stored::Nothing);
        if !resolved_key.needs_postgres || stands {
            return Ok(Answer::Now(Reply::Buffer(resolved_key.cache_key.as_bytes().to_vec())));
        }
        let as_written = resolved_key.cache_key.as_bytes().to_vec();
        let user = caller.user.clone();
        engine.ask_for_own_key(
            ctx,
            table,
            resolved_key,
            caller,
            Box::new(move |engine, ctx, loaded| {
                let key = loaded.as_ref().map_err(Clone::clone).and_then(|loaded| {
                    engine.check_own_key(ctx, &user, loaded, Key::SPEC.purpose())?;
                    Ok(loaded.own_key.as_ref().map_or(as_written, |own_key| own_key.to_vec()))
                });
                key.map_or_else(Reply::Error, Reply::Buffer)
            }),
        )
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(KeyOfRow { key: Cow::Owned(self.key.to_vec()) })
    }
}
