//! Describing a query before it is run: the tables that it may read, and what makes its result change without them.

use ::postgres::types::{Kind, Type};
use ::postgres::Error as PgError;

use super::error::QueryError;
use super::parse_tree::{self, NamedRelation};
use super::plan::QueryLimits;
use super::relations::{accounted, described};
use super::statement::{check, trimmed, wrapped};
use super::transaction::{abandon, abandon_described, begin, end, forget};
use crate::cache::{Error, ErrorKind, TableDefinition};
use crate::postgres::catalog::vocabulary;
use crate::postgres::Session;
use crate::settings::Invalidation;

/// What the statement is called while it is looked at, and how it is removed: a rollback does not.
const NAME: &str = "pgcache_described";
const REMOVE: &str = "; DEALLOCATE pgcache_described";

/// Limits of a statement that is only parsed.
const ANY_LIMITS: QueryLimits = QueryLimits { max_rows: 1, max_bytes: 1 };

/// How often a query is described that means something else each time.
const TRIES: usize = 5;

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
    /// Whether it does nothing but read these relations: nothing else needs to be looked for when it is run.
    pub is_plain: bool,
    /// The relations that it or a view of it names: of those that are read because of a parent there is nothing said.
    pub named: Vec<NamedRelation>,
    /// Whether code of somebody's runs in it, which may hide what it reads.
    pub runs_code: bool,
    /// The number of the functions and types that there were before it was described.
    pub vocabulary: i64,
}

/// What PostgreSQL tells of a statement that it has planned.
struct Explained {
    relations: Box<[u32]>,
    /// The types of its parameters.
    types: Vec<Type>,
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
    match described_steadily(session, sql, invalidation) {
        Ok(Some(description)) => Ok(Ok(description)),
        Ok(None) => Ok(Err(Error::new(ErrorKind::Busy, "what the query uses is being altered: try again"))),
        Err(error) => error.told(TITLE).map(Err),
    }
}

/// Describes the query until it still means the same relations at the end: a table may take another's name meanwhile, and what was said
/// of the other one would be said of it. `None` when it never does.
fn described_steadily(
    session: &mut Session,
    sql: &str,
    invalidation: Invalidation,
) -> Result<Option<QueryDescription>, QueryError> {
    for _ in 0..TRIES {
        let vocabulary = vocabulary::read(session).map_err(QueryError::Around)?;
        session.use_vocabulary(vocabulary);
        let before = explained(session, trimmed(sql))?;
        let described = describe_explained(session, sql, &before, invalidation).map_err(QueryError::Around)?;
        if explained(session, trimmed(sql))?.relations == before.relations {
            return Ok(Some(QueryDescription { vocabulary, ..described }));
        }
    }
    Ok(None)
}

fn describe_explained(
    session: &mut Session,
    sql: &str,
    explained: &Explained,
    invalidation: Invalidation,
) -> Result<QueryDescription, PgError> {
    let mut description = describe_relations(session, &explained.relations, invalidation)?;
    let tree = parse_tree::read(session, sql, &explained.types)?;
    description.is_plain = tree.untracked.is_empty();
    description.untracked.extend(tree.untracked);
    description.named = tree.named;
    description.runs_code = tree.runs_code;
    Ok(description)
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
    Ok(QueryDescription { tables, relations: accounted, untracked, ..QueryDescription::default() })
}

fn explained(session: &mut Session, sql: &str) -> Result<Explained, QueryError> {
    let types = match prepare(session, sql) {
        Ok(types) => types,
        Err(error) => {
            abandon(session);
            return Err(error);
        }
    };
    match plan(session, types.len()) {
        Ok(()) => {
            let relations = end(session, REMOVE).map_err(QueryError::Around)?;
            Ok(Explained { relations, types })
        }
        Err(error) => {
            abandon_described(session);
            Err(QueryError::Run(error))
        }
    }
}

/// Begins the transaction, and prepares the statement in the way that the server knows by name. Returns the types of
/// its parameters.
fn prepare(session: &mut Session, sql: &str) -> Result<Vec<Type>, QueryError> {
    begin(session).map_err(QueryError::Around)?;
    let statement = session.prepare_once(sql).map_err(QueryError::Parse)?;
    // What may not stand where a query's statement is put is refused now.
    session.prepare_once(&wrapped(sql, ANY_LIMITS)).map_err(QueryError::Parse)?;
    forget(session).map_err(QueryError::Around)?;
    let types = declared(statement.params());
    session.execute(&format!("PREPARE {NAME}{types} AS\n{sql}")).map_err(QueryError::Parse)?;
    Ok(statement.params().to_vec())
}

/// Plans it for whatever parameters: sessions have `plan_cache_mode = force_generic_plan`. What is planned is locked.
fn plan(session: &mut Session, parameters: usize) -> Result<(), PgError> {
    let nulls = match parameters {
        0 => String::new(),
        _ => format!("({})", vec!["NULL"; parameters].join(", ")),
    };
    session.ask(&format!("EXPLAIN (COSTS OFF) EXECUTE {NAME}{nulls}")).map(drop)
}

/// The types of the parameters, for PREPARE.
fn declared(types: &[Type]) -> String {
    match types {
        [] => String::new(),
        _ => format!(" ({})", types_of(types)),
    }
}

/// Types as they are declared. Domains are left out: one that is NOT NULL would refuse the NULLs.
pub(super) fn types_of(types: &[Type]) -> String {
    let names: Vec<String> = types.iter().map(base).map(quoted).collect();
    names.join(", ")
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
