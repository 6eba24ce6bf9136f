//! Describing a query before it is run: the tables that it may read, and what makes its result change without them.

use ::postgres::types::{Kind, Type};
use ::postgres::{Error as PgError, SimpleQueryMessage};

use super::explain::Mentions;
use super::relations::{accounted, described};
use super::statement::{check, trimmed, wrapped};
use super::transaction::{abandon, begin, end, forget, Purpose};
use super::trouble::Trouble;
use super::{explain, functions};
use crate::cache::error::Error;
use crate::cache::table::TableDefinition;
use crate::postgres::Session;
use crate::settings::Invalidation;

/// What the statement is called while it is looked at, and how it is removed: a rollback does not.
const NAME: &str = "pgcache_described";
const REMOVE: &str = "DEALLOCATE pgcache_described";

/// What errors call the query.
const TITLE: &str = "the query";

/// What is known of a query before it is run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryDescription {
    /// The relations whose rows it may read, system catalogs too.
    pub tables: Vec<TableDefinition>,
    /// Every relation (`pg_class.oid`) that `tables` account for, sorted: themselves, what stands below them, and what needs
    /// no account of its own, such as their indexes.
    pub relations: Vec<u32>,
    /// Why its result may change without a change of a table being told, a sentence each.
    pub untracked: Vec<String>,
    /// Whether it does nothing but read these relations: it may be run like any load.
    pub is_plain: bool,
}

/// What PostgreSQL tells of a statement that it has planned.
struct Explained {
    relations: Box<[u32]>,
    mentions: Mentions,
}

/// Describes `sql` without running it.
///
/// # Errors
/// Outside what PostgreSQL says; inside that the statement is wrong.
pub fn describe(
    session: &mut Session,
    sql: &str,
    invalidation: Invalidation,
) -> Result<Result<QueryDescription, Error>, PgError> {
    if let Err(error) = check(sql, TITLE) {
        return Ok(Err(error));
    }
    let explained = match explained(session, trimmed(sql)) {
        Ok(explained) => explained,
        Err(trouble) => return trouble.told(TITLE).map(Err),
    };
    let mut description = describe_relations(session, &explained.relations, invalidation)?;
    let functions = functions::examined(session, explained.mentions)?;
    description.untracked.extend(functions.untracked);
    let mut sources = view_sources(session, &explained.relations)?;
    sources.push(sql.to_owned());
    description.is_plain = functions.are_plain && functions::are_plain(session, &sources)?;
    Ok(Ok(description))
}

/// The statements of the views among `relations`.
fn view_sources(session: &mut Session, relations: &[u32]) -> Result<Vec<String>, PgError> {
    let sql = "SELECT pg_catalog.pg_get_viewdef(oid) FROM pg_catalog.pg_class
               WHERE oid = ANY ($1::pg_catalog.oid[]) AND relkind = 'v'";
    session.query(sql, &[&relations])?.iter().map(|row| row.try_get(0)).collect()
}

/// The same for relations (`pg_class.oid`) that only a run has shown. Those that are gone are left out.
///
/// # Errors
/// What PostgreSQL says.
pub fn describe_relations(
    session: &mut Session,
    relations: &[u32],
    invalidation: Invalidation,
) -> Result<QueryDescription, PgError> {
    let (mut tables, untracked) = described(session, relations, invalidation)?;
    let roots: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let accounted = accounted(session, &roots, relations)?;
    tables.retain(|table| accounted.binary_search(&table.oid).is_ok());
    Ok(QueryDescription { tables, relations: accounted, untracked, is_plain: false })
}

fn explained(session: &mut Session, sql: &str) -> Result<Explained, Trouble> {
    let types = match prepare(session, sql) {
        Ok(types) => types,
        Err(trouble) => {
            abandon(session, "");
            return Err(trouble);
        }
    };
    match plan(session, types) {
        Ok(plan) => {
            let relations = end(session, REMOVE).map_err(Trouble::Around)?;
            Ok(Explained { relations, mentions: explain::mentions(sql, &plan) })
        }
        Err(error) => {
            abandon(session, REMOVE);
            Err(Trouble::Run(error))
        }
    }
}

/// Begins the transaction, and prepares the statement in the way that the server knows by name. Returns how many
/// parameters it has.
fn prepare(session: &mut Session, sql: &str) -> Result<usize, Trouble> {
    begin(session, Purpose::Prepare).map_err(Trouble::Around)?;
    let statement = session.prepare_once(sql).map_err(Trouble::Parse)?;
    // What may not stand where a query's statement is put is refused now.
    session.prepare_once(&wrapped(sql, 1)).map_err(Trouble::Parse)?;
    forget(session).map_err(Trouble::Around)?;
    let types = declared(statement.params());
    session.execute(&format!("PREPARE {NAME}{types} AS\n{sql}")).map_err(Trouble::Parse)?;
    Ok(statement.params().len())
}

/// The plan for whatever parameters: sessions have `plan_cache_mode = force_generic_plan`.
fn plan(session: &mut Session, parameters: usize) -> Result<String, PgError> {
    let nulls = match parameters {
        0 => String::new(),
        _ => format!("({})", vec!["NULL"; parameters].join(", ")),
    };
    let answers = session.ask(&format!("EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) EXECUTE {NAME}{nulls}"))?;
    let text = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(text.unwrap_or_default().to_owned())
}

/// The types of the parameters, for PREPARE. Domains are left out: one that is NOT NULL would refuse the NULLs.
fn declared(types: &[Type]) -> String {
    if types.is_empty() {
        return String::new();
    }
    let names: Vec<String> = types.iter().map(base).map(quoted).collect();
    format!(" ({})", names.join(", "))
}

fn base(kind: &Type) -> &Type {
    match kind.kind() {
        Kind::Domain(inner) => base(inner),
        _ => kind,
    }
}

fn quoted(kind: &Type) -> String {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quote(kind.schema()), quote(kind.name()))
}
