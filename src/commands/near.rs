//! `PGCACHE.NEAR <table> <key-json | array-of-key-json> | QUERY <routed-by> <query> …`: whether a client may keep the answer that it asks for next.

use std::borrow::Cow;
use std::rc::Rc;

use super::query_words;
use crate::cache::{Access, Answer, Error, Purpose, Reply};
use crate::engine::host::Host;
use crate::engine::queries::Wanted;
use crate::engine::{command_names, Caller, Engine, Keys, Table, TableCommand};
use crate::module;
use crate::module::{run_on_table, Command, Outcome, PluginCheck};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Near;

impl Command for Near {
    const SPEC: Spec = Spec {
        name: command_names::NEAR,
        flags: c"readonly",
        categories: c"read",
        accesses: &[Access::Read],
        summary:
            c"Tells whether a client may keep the answer of the READ, MULTIREAD or QUERY that follows, and what ends it",
        complexity: c"O(N) for N keys",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"key-json", ArgumentKind::LookupKey),
            Argument::many(c"argument", ArgumentKind::Text),
        ],
    };

    fn plugin_check(arguments: Arguments<'_>) -> PluginCheck {
        if is_query(arguments) {
            PluginCheck::AtOnce
        } else {
            PluginCheck::OnceItsTableIsKnown
        }
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        if is_query(arguments) {
            // The word behind QUERY has brought the command to the node that has the result.
            return match query_words::asked(arguments.all().get(2..).unwrap_or_default()) {
                Ok(asked) => module::with(|engine| engine.ask(ctx, &asked, Wanted::Vouching)).into(),
                Err(error) => error.into(),
            };
        }
        if arguments.len() > 2 {
            let usage = "NEAR takes a table and a key or an array of keys, or QUERY, what the query is routed by, and the query";
            return Error::malformed(usage).into();
        }
        run_on_table(ctx, arguments, arguments.required(0), &VouchForRows { keys: arguments.required(1).into() })
    }
}

/// Whether it is about a query: a table that is called so has one more word only.
fn is_query(arguments: Arguments<'_>) -> bool {
    arguments.len() > 2 && arguments.required(0).eq_ignore_ascii_case(b"QUERY")
}

/// The command on its table.
pub(super) struct VouchForRows<'a> {
    pub(super) keys: Cow<'a, [u8]>,
}

impl VouchForRows<'_> {
    fn is_array(&self) -> bool {
        self.keys.trim_ascii_start().starts_with(b"[")
    }
}

impl<H: Host> TableCommand<H> for VouchForRows<'_> {
    fn purpose(&self) -> Purpose {
        Near::SPEC.purpose()
    }

    fn keys(&self) -> Keys<'_> {
        if self.is_array() {
            Keys::Several(&self.keys)
        } else {
            Keys::One(&self.keys)
        }
    }

    fn run(
        &self,
        engine: &mut Engine<H>,
        ctx: H::Context<'_>,
        table: &Rc<Table>,
        caller: &mut Caller<H>,
    ) -> Result<Answer, Error> {
        let keys = TableCommand::<H>::keys(self).resolve(engine, table)?;
        engine.check_all(ctx, caller, Near::SPEC.purpose(), table, &keys)?;
        let vouched = engine.vouch_for_rows(ctx, table, &keys);
        Ok(Answer::Now(if self.is_array() {
            Reply::Buffer([b"[", &*vouched.join(&b','), b"]"].concat())
        } else {
            vouched.into_iter().next().filter(|vouched| vouched != b"null").map_or(Reply::Nil, Reply::Buffer)
        }))
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        Box::new(VouchForRows { keys: Cow::Owned(self.keys.to_vec()) })
    }
}
