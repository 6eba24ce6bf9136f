//! The scripts that install and remove what tells of changes.

use std::fmt;

use ::postgres::types::Oid;

use super::asking::Asking;
use super::key::KeyColumns;
use super::mode::Mode;
use super::publication;
use super::question::ask;
use super::table::{self, Member};
use super::template::{dollar_quote, fill, title};
use crate::cache::Error;
use crate::postgres::catalog::HARMED;
use crate::settings::AllowTables;

const BEGIN: &str = include_str!("begin.sql");
const SCHEMA: &str = include_str!("schema.sql");
const NOTICES: &str = include_str!("notices.sql");
const SECRET: &str = include_str!("secret.sql");
const OUTBOX: &str = include_str!("outbox.sql");
const STATEMENT: &str = include_str!("statement.sql");
const KEYLESS: &str = include_str!("statement_keyless.sql");
const ROW: &str = include_str!("row.sql");
const TRIGGERS: &str = include_str!("triggers.sql");
const TRIGGERS_ROW: &str = include_str!("triggers_row.sql");
const TRIGGERS_TRUNCATE: &str = include_str!("triggers_truncate.sql");
const TRIGGERS_NONE: &str = include_str!("triggers_none.sql");
const EVENT_TRIGGERS: &str = include_str!("event_triggers.sql");
const EVENT_TELL: &str = include_str!("event_tell.sql");
const HEAL: &str = include_str!("heal.sql");
const HEAL_NOW: &str = include_str!("heal_now.sql");
const RIGHTS: &str = include_str!("rights.sql");
const STRANGERS: &str = include_str!("strangers.sql");
const ORPHANS: &str = include_str!("orphans.sql");
const REMOVAL: &str = include_str!("removal.sql");
const REMOVAL_LAST: &str = include_str!("removal_last.sql");

/// Who installs, and whether texts are kept in UTF-8.
const ROLE: &str = "\
SELECT pg_catalog.quote_ident(current_user), pg_catalog.current_setting('server_encoding') = 'UTF8'";

/// What a key's text depends on, as `postgres::session` has it.
const SETTINGS: &str = "
    SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'
    SET extra_float_digits = 1 SET bytea_output = 'hex'";

/// What WATCH ADD runs and WATCH SQL prints. Running it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// One transaction: schema, functions, triggers, and the outbox with the rights that pgcache needs; or the publication.
    pub triggers: String,
    /// One transaction that only a superuser may run, and that is better but not needed.
    pub event_triggers: String,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n-- Needs superuser; the rest works without.\n{}", self.triggers, self.event_triggers)
    }
}

/// Writes the script that has `tables` and everything below them watched.
pub(crate) fn installation(
    client: &mut dyn Asking,
    tables: &[Oid],
    mode: Mode,
    allow: &AllowTables,
    asked: &str,
) -> Result<Result<Script, Error>, ::postgres::Error> {
    let trees = match trees(client, tables, mode != Mode::Wal)? {
        Ok(trees) => trees,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(error) = members(&trees).find_map(|member| member.objection(allow, asked)) {
        return Ok(Err(error));
    }
    let installed = match mode {
        Mode::Wal => publishing(client, &trees)?,
        Mode::Notify | Mode::Outbox => triggering(client, &trees, mode).map(Ok)?,
    };
    Ok(installed.map(|triggers| Script { triggers, event_triggers: event_triggers(mode) }))
}

/// Each table with its members.
type Trees = Vec<(Oid, Vec<Member>)>;

fn trees(client: &mut dyn Asking, tables: &[Oid], counts: bool) -> Result<Result<Trees, Error>, ::postgres::Error> {
    let mut trees = Vec::new();
    for table in tables {
        match table::tree(client, *table, counts)? {
            Ok(members) => trees.push((*table, members)),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(trees))
}

fn members(trees: &Trees) -> impl Iterator<Item = &Member> + Clone {
    trees.iter().flat_map(|(_, members)| members)
}

/// Has triggers tell of the changes of `trees`, and nothing else.
fn triggering(client: &mut dyn Asking, trees: &Trees, mode: Mode) -> Result<String, ::postgres::Error> {
    let mut script = begin(members(trees), "SHARE ROW EXCLUSIVE");
    script.push_str(&section(SCHEMA));
    script.push_str(&section(NOTICES));
    let rows = ask(client, ROLE, &[])?;
    let role: &str = rows.first().map_or(Ok(""), |row| row.try_get(0))?;
    let is_utf8: bool = rows.first().map_or(Ok(true), |row| row.try_get(1))?;
    // Elsewhere the search path decides how a text becomes UTF-8.
    let pins = if is_utf8 { "" } else { " SET search_path = pg_catalog, pg_temp" };
    let values = [("role", role), ("pins", pins)];
    script.push_str(&match mode {
        Mode::Outbox => fill(&section(OUTBOX), &values),
        Mode::Notify | Mode::Wal => fill(&section(SECRET), &values),
    });
    for (table, members) in trees {
        script.push_str(&functions(client, *table, members, mode)?);
        members.iter().for_each(|member| script.push_str(&triggers(member)));
    }
    script.push_str(&publication::removal(members(trees)));
    script.push_str(&section(ORPHANS));
    script.push_str(&section(RIGHTS));
    script.push_str("\nCOMMIT;\n");
    Ok(script)
}

/// Has the write-ahead log tell of the changes of `trees`, and nothing else.
fn publishing(client: &mut dyn Asking, trees: &Trees) -> Result<Result<String, Error>, ::postgres::Error> {
    let addition = match publication::addition(client, trees)? {
        Ok(addition) => section(&addition),
        Err(error) => return Ok(Err(error)),
    };
    let were_triggering = members(trees).any(|member| member.has_triggers);
    // What has been written before the table is published, and is committed later, would not be told.
    let mut script = begin(members(trees), if were_triggering { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" });
    if were_triggering {
        script.push_str(&without_triggers(trees));
    }
    script.push_str(&addition);
    if were_triggering {
        script.push_str(&section(ORPHANS));
        script.push_str(&section(REMOVAL_LAST));
    }
    script.push_str("\nCOMMIT;\n");
    Ok(Ok(script))
}

/// Takes our triggers and functions from `trees`.
fn without_triggers(trees: &Trees) -> String {
    let mut script = String::new();
    for (table, members) in trees {
        members.iter().filter(|member| member.has_triggers).for_each(|member| script.push_str(&triggers(member)));
        script.push_str(&fill(REMOVAL, &[("root", &table.to_string())]));
    }
    script
}

fn event_triggers(mode: Mode) -> String {
    let tell = fill(EVENT_TELL, &[("bound", Mode::OUTBOX_BOUND)]);
    let heal = fill(HEAL, &[("harmed", &HARMED)]);
    // The others have the schema already.
    let schema = if mode == Mode::Wal { SCHEMA } else { "" };
    let values = [("schema", schema), ("triggers", TRIGGERS), ("tell", &tell), ("heal", &heal), ("rights", RIGHTS)];
    fill(EVENT_TRIGGERS, &values)
}

/// Writes the script that takes tables out of the publication whose UPDATE fails for its sake.
pub(crate) fn healing() -> String {
    let heal = fill(HEAL, &[("harmed", &HARMED)]);
    format!("{}{}COMMIT;\n", fill(BEGIN, &[("locks", "")]), fill(HEAL_NOW, &[("heal", &heal)]))
}

/// Writes the script that ends the watch over `tables`, and with the last one removes everything.
pub(crate) fn removal(client: &mut dyn Asking, tables: &[Oid]) -> Result<Result<String, Error>, ::postgres::Error> {
    let trees = match trees(client, tables, false)? {
        Ok(trees) => trees,
        Err(error) => return Ok(Err(error)),
    };
    let triggering = members(&trees).filter(|member| member.has_triggers);
    let mut script = begin(triggering, "ACCESS EXCLUSIVE");
    script.push_str(&without_triggers(&trees));
    script.push_str(&publication::removal(members(&trees)));
    script.push_str(&section(ORPHANS));
    script.push_str(&section(REMOVAL_LAST));
    script.push_str("\nCOMMIT;\n");
    Ok(Ok(script))
}

fn begin<'a>(members: impl Iterator<Item = &'a Member>, lock: &str) -> String {
    let mut names: Vec<String> = members.map(|member| format!("ONLY {}", member.name)).collect();
    names.dedup();
    let locks = match names.as_slice() {
        [] => String::new(),
        _ => format!("LOCK TABLE {} IN {lock} MODE;\n", names.join(", ")),
    };
    fill(BEGIN, &[("locks", &locks)])
}

fn section(template: &str) -> String {
    format!("\n{template}")
}

/// The functions of a watched table: for statements, and where a subscription writes, for rows.
fn functions(client: &mut dyn Asking, table: Oid, members: &[Member], mode: Mode) -> Result<String, ::postgres::Error> {
    let tree: Vec<Oid> = members.iter().map(|member| member.oid).collect();
    let key = KeyColumns::read(client, table, &tree)?;
    let name = members.first().map_or("", |member| member.name.as_str());
    let mut script = fill(&section(STRANGERS), &[("function", &names(table).0)]);
    script.push_str(&function(if key.is_empty() { KEYLESS } else { STATEMENT }, table, name, &key, mode));
    if members.iter().any(|member| member.is_subscribed) {
        script.push_str(&function(ROW, table, name, &key, mode));
    }
    Ok(script)
}

fn function(template: &str, table: Oid, name: &str, key: &KeyColumns, mode: Mode) -> String {
    let row = |name| if key.is_empty() { "NULL".to_owned() } else { key.object_of(name) };
    let (old_row, new_row) = (row("old"), row("new"));
    let (old_key, new_key, old_rows, new_rows) =
        (key.object("o"), key.object("n"), key.rows("old_rows"), key.rows("new_rows"));
    let (old_notice, new_notice, same_notice) = (key.notice("o"), key.notice("n"), key.notice_if_same("o", "n"));
    let settings = if key.needs_settings() { SETTINGS } else { "" };
    // Without settings the function pins no search path either: each costs every statement.
    let pins = match settings {
        "" => String::new(),
        _ => format!(" SET search_path = pg_catalog, pg_temp{settings}"),
    };
    let (function, row_function) = names(table);
    let (title, quote) = (title(name), dollar_quote(&[&old_key, &old_notice]));
    let mut values = vec![
        ("function", function.as_str()),
        ("row_function", &row_function),
        ("title", &title),
        ("quote", &quote),
        ("pins", &pins),
        ("settings", settings),
        ("old_key", &old_key),
        ("new_key", &new_key),
        ("old_rows", &old_rows),
        ("new_rows", &new_rows),
        ("same_notice", &same_notice),
        ("old_notice", &old_notice),
        ("new_notice", &new_notice),
        ("old_row", &old_row),
        ("new_row", &new_row),
    ];
    values.extend(mode.parts());
    fill(&section(template), &values)
}

/// What the functions of a watched table are called.
fn names(table: Oid) -> (String, String) {
    (format!("pgcache.changed_{table}"), format!("pgcache.changed_{table}_row"))
}

/// The triggers that a table needs, instead of those that it has.
fn triggers(member: &Member) -> String {
    let template = match (member.top, member.is_subscribed, member.is_partitioned) {
        (None, ..) => TRIGGERS_NONE,
        (_, false, _) => TRIGGERS,
        (_, true, false) => TRIGGERS_ROW,
        (_, true, true) => TRIGGERS_TRUNCATE,
    };
    let (function, row_function) = names(member.top.unwrap_or_default());
    let values = [("relation", member.name.as_str()), ("function", &function), ("row_function", &row_function)];
    fill(&section(template), &values)
}
