//! `PGCACHE.WRITE <table> <key-json> <data-json> [ttl]`: stores an entry, in the cache only.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::{parse_ttl, wrong_key};
use crate::cache::canonical::{shown, Rule};
use crate::cache::key::{LookupKey, IN_A_SHELL};
use crate::cache::{Access, Answer, Error, ErrorKind, Purpose, Reply, Ttl};
use crate::engine::host::Host;
use crate::engine::{Caller, Engine, Keys, StoreKey, Table, TableCommand};
use crate::module::{run_on_table, Command, Outcome};
use crate::plugins::Event;
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};
use crate::settings::EventType;

/// The command.
#[derive(Debug)]
pub struct Write;

impl Command for Write {
    const SPEC: Spec = Spec {
        name: c"pgcache.write",
        flags: c"write deny-oom",
        categories: c"write",
        accesses: &[Access::Write],
        summary: c"Stores the JSON of a row in the cache; PostgreSQL is not written",
        complexity: c"O(1)",
        arguments: &[
            Argument::required(c"table", ArgumentKind::Text),
            Argument::required(c"key-json", ArgumentKind::LookupKey),
            Argument::required(c"data-json", ArgumentKind::Text),
            Argument::optional(c"ttl", ArgumentKind::Integer),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let key = arguments.required(1);
        // What stands in the data's place may be a piece of the key.
        let data = row(arguments.required(2)).map_err(|error| wrong_key(key).unwrap_or(error));
        match (data, parse_ttl(arguments.get(3), key)) {
            (Ok(data), Ok(ttl)) => {
                let command = WriteRow { key: key.into(), data: data.into(), ttl };
                run_on_table(ctx, arguments, arguments.required(0), &command)
            }
            (Err(error), _) | (_, Err(error)) => error.into(),
        }
    }
}

/// The data as it will be stored: a JSON object, or `null` for a row known to be absent. White space around
/// it is not kept.
fn row(data: &[u8]) -> Result<&[u8], Error> {
    let json: &RawValue = serde_json::from_slice(data).map_err(|_| {
        Error::malformed(format!("the data is not valid JSON: {IN_A_SHELL} '{{\"id\":1,\"name\":\"Ada\"}}'"))
    })?;
    let json = json.get();
    if json.starts_with('{') || json == "null" {
        return Ok(json.as_bytes());
    }
    Err(Error::malformed("the data must be a JSON object, or null for a row that does not exist"))
}

/// The command on its table.
pub(super) struct WriteRow<'a> {
    pub(super) key: Cow<'a, [u8]>,
    pub(super) data: Cow<'a, [u8]>,
    pub(super) ttl: Option<Ttl>,
}

impl WriteRow<'_> {
    /// `ERR` for the data of another row than the one that the key names.
    fn check_data(&self, rules: &[Rule]) -> Result<(), Error> {
        let (key, data) = (LookupKey::parse(&self.key)?, std::str::from_utf8(&self.data).unwrap_or_default());
        key.contradicted_by(rules, data).map_or(Ok(()), |column| {
            let column = shown(column);
            Err(Error::malformed(format!(
                "the data contradicts the lookup key in column {column}: a row is stored under its own key"
            )))
        })
    }
}

impl<H: Host> TableCommand<H> for WriteRow<'_> {
    fn purpose(&self) -> Purpose {
        Write::SPEC.purpose()
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
        if self.data.len() > engine.settings().max_entry_bytes {
            return Err(Error::malformed("the data is larger than max_entry_bytes"));
        }
        let resolved_key = engine.checked_key(ctx, caller, Write::SPEC.purpose(), table, &self.key)?;
        self.check_data(&resolved_key.lookup.rules)?;
        engine.check_routed(ctx, table, &self.key, resolved_key.cache_key.as_bytes())?;
        let ttl_s = engine.ttl_s(self.ttl);
        if !resolved_key.needs_postgres {
            put(engine, ctx, table, resolved_key.cache_key.as_bytes(), &self.data, ttl_s)?;
            return Ok(Answer::Now(Reply::Ok));
        }
        let (data, table_then, sent) = (self.data.to_vec(), Rc::clone(table), self.key.to_vec());
        let user = caller.user.clone();
        engine.ask_for_own_key(
            ctx,
            table,
            resolved_key,
            caller,
            Box::new(move |engine, ctx, loaded| {
                let result = loaded.as_ref().map_err(Clone::clone).and_then(|loaded| {
                    let own_key = loaded.own_key.as_ref().ok_or_else(no_spelling)?;
                    engine.check_own_key(ctx, &user, loaded, Write::SPEC.purpose())?;
                    engine.check_routed(ctx, &table_then, &sent, own_key)?;
                    put(engine, ctx, &table_then, own_key, &data, ttl_s)
                });
                result.map_or_else(Reply::Error, |()| Reply::Ok)
            }),
        )
    }

    fn boxed(&self) -> Box<dyn TableCommand<H>> {
        let (key, data) = (Cow::Owned(self.key.to_vec()), Cow::Owned(self.data.to_vec()));
        Box::new(WriteRow { key, data, ttl: self.ttl })
    }
}

fn put<H: Host>(
    engine: &mut Engine<H>,
    ctx: H::Context<'_>,
    table: &Rc<Table>,
    key: &[u8],
    data: &[u8],
    ttl_s: u32,
) -> Result<(), Error> {
    let key = engine.put_entry(ctx, table, key, data, ttl_s)?;
    let lookup_len = table.lookup_key_in(&key).unwrap_or_default().len();
    let what = Event::new(EventType::Write).key(&key, key.len() - lookup_len);
    engine.emit(ctx, table, Event { ttl_s: Some(ttl_s), ..what });
    Ok(())
}

/// Equal values of such a type can have several texts (interval, citext, jsonb), and there is no row to take
/// the text from: stored under any of them, an invalidation might miss it.
fn no_spelling() -> Error {
    Error::new(
        ErrorKind::BadValue,
        "no row has this key, and a value of its type has no one spelling to store it under",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn data_is_an_object_or_null() {
        assert_eq!(row(b" {\"a\": 1} ").unwrap(), b"{\"a\": 1}");
        assert_eq!(row(b"null").unwrap(), b"null");
        for bad in [&b"1"[..], b"[]", b"\"x\"", b"{", b"", b"{} x", b"\xff", b"nul"] {
            assert_eq!(row(bad).unwrap_err().code(), "ERR");
        }
    }
}
