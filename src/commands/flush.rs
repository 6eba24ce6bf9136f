//! `PGCACHE.FLUSH ALL | TABLE <table> [<table> …]`: drops whole tables from the cache, at once.

use std::rc::Rc;

use crate::cache::error::Error;
use crate::engine;
use crate::engine::caller::Caller;
use crate::engine::lookup::Located;
use crate::engine::on_table::{on_table, Answer, OnTable};
use crate::engine::tables::Table;
use crate::engine::Engine;
use crate::server::acl::{Access, User};
use crate::server::command::{Argument, ArgumentKind, Arguments, Command, Spec, Veto};
use crate::server::context::Context;
use crate::server::reply::{Reply, Value};
use crate::server::text::Text;

const HELP: [&str; 6] = [
    "PGCACHE.FLUSH ALL",
    "    Drops every table from the cache, at once.",
    "PGCACHE.FLUSH TABLE <table> [<table> ...]",
    "    Drops these tables, all or none.",
    "PGCACHE.FLUSH HELP",
    "    Prints this.",
];

/// The command.
#[derive(Debug)]
pub struct Flush;

impl Command for Flush {
    const SPEC: Spec = Spec {
        name: c"pgcache.flush",
        flags: c"write",
        categories: c"write",
        summary:
            c"Drops all tables, or those named, from the cache; their memory is given back in the background",
        complexity: c"O(N) for N tables, whatever they hold",
        arguments: &[
            Argument::required(c"what", ArgumentKind::Text),
            Argument::many(c"table", ArgumentKind::Text),
        ],
    };

    fn veto(arguments: Arguments<'_>) -> Veto {
        if arguments.required(0).eq_ignore_ascii_case(b"TABLE") {
            Veto::OnceItsTableIsKnown
        } else {
            Veto::AtOnce
        }
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Reply {
        let names: Vec<Box<[u8]>> =
            (1..arguments.len()).map(|index| arguments.required(index).into()).collect();
        match (arguments.required(0).to_ascii_uppercase().as_slice(), names.first()) {
            (b"ALL", None) => flush_all(ctx),
            (b"TABLE", Some(first)) => on_table(ctx, arguments, &first.clone(), &FlushTables { names }),
            (b"HELP", None) => Reply::lines(&HELP),
            _ => Error::malformed("FLUSH takes ALL, TABLE and at least one table, or HELP").into(),
        }
    }
}

fn flush_all(ctx: Context<'_>) -> Reply {
    engine::with(|engine| {
        let prefix = engine.settings.get().cache_prefix.clone();
        let (user, prefix) = (User::of(ctx), Text::new(prefix.as_bytes()));
        if let Err(error) = engine.may_access(ctx, &user, &[&prefix], Access::Delete) {
            return Reply::Error(error);
        }
        dropped(engine.flush_all(ctx))
    })
}

fn dropped(count: usize) -> Reply {
    Reply::Value(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// The command on its tables: dropped once every one of them is known, all or none.
struct FlushTables {
    names: Vec<Box<[u8]>>,
}

impl OnTable for FlushTables {
    fn spec(&self) -> &'static Spec {
        &Flush::SPEC
    }

    fn access(&self) -> Access {
        Access::Delete
    }

    fn located(&self, _: &Engine, _: &Table) -> Result<Vec<Located>, Error> {
        Ok(vec![])
    }

    fn run(
        &self,
        engine: &mut Engine,
        ctx: Context<'_>,
        _: &Rc<Table>,
        caller: &mut Caller,
    ) -> Result<Answer, Error> {
        let mut tables: Vec<Rc<Table>> = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let Some(table) = engine.known(ctx, name) else {
                return engine.park(ctx, name, self, caller);
            };
            if tables.iter().all(|other| other.id != table.id) {
                tables.push(table);
            }
        }
        for table in &tables {
            engine.may_access(ctx, &caller.user, &[&Text::new(&table.acl_prefix)], Access::Delete)?;
        }
        for table in &tables {
            engine.start_epoch(ctx, table);
        }
        Ok(Answer::Now(dropped(tables.len())))
    }

    fn parked(&self) -> Box<dyn OnTable> {
        Box::new(Self { names: self.names.clone() })
    }

    fn writes(&self) -> bool {
        true
    }
}
