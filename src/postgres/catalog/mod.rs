//! The catalog: what a relation is, as PostgreSQL itself resolves and describes it.

pub(crate) mod fingerprint;
pub mod vocabulary;

use std::collections::HashMap;
use std::sync::LazyLock;

use ::postgres::types::{Oid, Type};
use ::postgres::Row;

use crate::cache::canonical::{rule_for, TypeFacts};
use crate::cache::table::{Clock, Column};
use crate::cache::{Error, ErrorKind, TableDefinition};
use crate::postgres::rows::Form;
use crate::postgres::Session;
use crate::settings::Invalidation;

const RELATION: &str = include_str!("relation.sql");
const COLUMNS: &str = include_str!("columns.sql");
const PLAIN: &str = include_str!("plain.sql");
const UNIQUE_KEYS: &str = include_str!("unique_keys.sql");
/// Rows of one: the relations that concern relation `$1` (`oid`), and whether all their changes are told in the way `$2`.
pub(crate) static CONCERNS: LazyLock<String> =
    LazyLock::new(|| include_str!("concerns.sql").replace("@identity@", IDENTITY));
/// A subquery for `LATERAL`: whether a published table `c` still has a replica identity that does for UPDATE.
const IDENTITY: &str = include_str!("identity.sql");
/// The tables in publication `pgcache` of which, or of whose partitions, an UPDATE fails, because their replica identity does not do.
pub(crate) static HARMED: LazyLock<String> =
    LazyLock::new(|| include_str!("harmed.sql").replace("@identity@", IDENTITY));

/// Relation kinds that hold rows: table, partitioned table, view, materialised view, foreign table.
pub(crate) const READABLE_KINDS: [&str; 5] = ["r", "p", "v", "m", "f"];

/// How deep a column's type is unwrapped (domain over array over domain …) before it counts as unknown.
const MAX_TYPE_DEPTH: usize = 8;

/// Describes the relation that `name` (SQL quoting rules) names in this session's search path, and whether its changes
/// are told in the way `invalidation`.
///
/// `Ok(Err(_))` is `PGNOTABLE`: PostgreSQL answered, and there is no such relation or it holds no rows.
pub fn describe(
    session: &mut Session,
    name: &str,
    invalidation: Invalidation,
) -> Result<Result<TableDefinition, Error>, ::postgres::Error> {
    let rows = match session.query(RELATION, &[&name]) {
        Ok(rows) => rows,
        // to_regclass answers a malformed name with an error instead of NULL.
        Err(error) if is_malformed_name(&error) => return Ok(Err(no_table(name))),
        Err(error) => return Err(error),
    };
    let Some(relation) = rows.first() else { return Ok(Err(no_table(name))) };
    let kind: String = relation.try_get(4)?;
    if !READABLE_KINDS.contains(&kind.as_str()) {
        return Ok(Err(Error::new(ErrorKind::NoTable, format!("{name} is not a table or a view"))));
    }
    definition(session, relation, invalidation).map(Ok)
}

pub(crate) fn is_malformed_name(error: &::postgres::Error) -> bool {
    // invalid_name, syntax_error, feature_not_supported (another database's name).
    error.code().is_some_and(|code| matches!(code.code(), "42602" | "42601" | "0A000"))
}

pub(crate) fn no_table(name: &str) -> Error {
    let hint = match (name.contains('"'), name.contains(|c: char| c.is_ascii_uppercase())) {
        (false, true) => "capitals count between double quotes only (\"Orders\")",
        _ => "check the name, and write its schema as well (app.orders) unless the search_path has it",
    };
    Error::new(ErrorKind::NoTable, format!("no table or view named {name}: {hint}"))
}

/// Whether the publication has tables whose UPDATE fails for its sake.
///
/// # Errors
/// What PostgreSQL says.
pub(crate) fn publication_harms(session: &mut Session) -> Result<bool, ::postgres::Error> {
    Ok(!session.query(&HARMED, &[])?.is_empty())
}

/// Describes `relation`, a row with the columns of `relation.sql`.
pub(crate) fn definition(
    session: &mut Session,
    relation: &Row,
    invalidation: Invalidation,
) -> Result<TableDefinition, ::postgres::Error> {
    let oid: Oid = relation.try_get(0)?;
    let display: String = relation.try_get(3)?;
    // Before all else: what changes while the rest is read is found by the next comparison.
    let fingerprint = fingerprint::read(session, oid, &display)?;
    let (concerns, is_watched) = concerns(session, oid, invalidation)?;
    let is_plain = is_plain(session, oid)?;
    let (columns, attnums) = columns(session, oid)?;
    let keys = unique_keys(session, oid, &attnums, invalidation)?;
    Ok(TableDefinition {
        oid,
        schema: relation.try_get(1)?,
        relation: relation.try_get(2)?,
        display,
        columns,
        named_keys: keys.iter().filter(|(_, is_named)| *is_named).map(|(key, _)| key.clone()).collect(),
        unique_keys: keys.into_iter().map(|(key, _)| key).collect(),
        is_watched,
        is_plain,
        concerns,
        fingerprint,
    })
}

/// The unique keys of `oid`, as positions in its columns, and whether notices name rows by them.
fn unique_keys(
    session: &mut Session,
    oid: Oid,
    attnums: &[i16],
    invalidation: Invalidation,
) -> Result<Vec<(Vec<usize>, bool)>, ::postgres::Error> {
    let mut keys = Vec::new();
    for row in session.query(UNIQUE_KEYS, &[&oid, &invalidation.name()])? {
        let key: Vec<i16> = row.try_get(0)?;
        let positions = key.iter().map(|attnum| attnums.iter().position(|other| other == attnum));
        if let Some(mut positions) = positions.collect::<Option<Vec<usize>>>() {
            positions.sort_unstable();
            keys.push((positions, row.try_get(1)?));
        }
    }
    Ok(keys)
}

/// The relations whose changes concern those of `oid`, and whether all of these are told.
fn concerns(
    session: &mut Session,
    oid: Oid,
    invalidation: Invalidation,
) -> Result<(Vec<Oid>, bool), ::postgres::Error> {
    let rows = session.query(&CONCERNS, &[&oid, &invalidation.name()])?;
    let Some(row) = rows.first() else { return Ok((vec![oid], false)) };
    let concerns: Option<Vec<Oid>> = row.try_get(0)?;
    let is_watched: Option<bool> = row.try_get(1)?;
    Ok((concerns.unwrap_or_else(|| vec![oid]), is_watched.unwrap_or(false)))
}

/// Whether reading the rows of `oid` runs nobody's code.
fn is_plain(session: &mut Session, oid: Oid) -> Result<bool, ::postgres::Error> {
    let rows = session.query(PLAIN, &[&oid])?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

/// A row of `pg_type`, as far as the spelling of a value depends on it.
struct TypeRow {
    sql_type: String,
    name: String,
    is_builtin: bool,
    kind: char,
    base: Oid,
    element: Oid,
    equality: Option<String>,
}

impl TypeRow {
    fn from_row(row: &Row) -> Result<Self, ::postgres::Error> {
        Ok(Self {
            sql_type: row.try_get(4)?,
            name: row.try_get(5)?,
            is_builtin: row.try_get(6)?,
            kind: row.try_get::<_, String>(7)?.chars().next().unwrap_or('b'),
            base: row.try_get(8)?,
            element: row.try_get(9)?,
            equality: row.try_get(10)?,
        })
    }
}

type Types = HashMap<Oid, TypeRow>;

fn columns(session: &mut Session, oid: Oid) -> Result<(Vec<Column>, Vec<i16>), ::postgres::Error> {
    let (mut types, mut columns, mut attnums) = (Types::new(), Vec::new(), Vec::new());
    for row in session.query(COLUMNS, &[&oid])? {
        // Types come first (no attnum), so each column finds its own.
        match row.try_get::<_, Option<i16>>(0)? {
            None => drop(types.insert(row.try_get(3)?, TypeRow::from_row(&row)?)),
            Some(attnum) => {
                if let Some(column) = column(&types, row.try_get(1)?, row.try_get(3)?, row.try_get(2)?) {
                    columns.push(column);
                    attnums.push(attnum);
                }
            }
        }
    }
    Ok((columns, attnums))
}

fn column(types: &Types, name: String, type_oid: Oid, deterministic: bool) -> Option<Column> {
    let declared = types.get(&type_oid)?;
    let (base_oid, base) = base_type(types, type_oid)?;
    let facts = facts(types, type_oid, deterministic, 0)?;
    Some(Column {
        name,
        sql_type: declared.sql_type.clone(),
        equality: equality(base),
        rule: rule_for(&facts),
        clock: clock(&facts),
        is_domain: declared.kind == 'd',
        // A result names the type behind a domain.
        has_form: Type::from_oid(base_oid).is_some_and(|base| Form::of(&base).is_some()),
    })
}

/// The type behind a domain, however many domains deep.
fn base_type(types: &Types, mut oid: Oid) -> Option<(Oid, &TypeRow)> {
    for _ in 0..MAX_TYPE_DEPTH {
        let row = types.get(&oid)?;
        if row.kind != 'd' {
            return Some((oid, row));
        }
        oid = row.base;
    }
    None
}

fn facts(types: &Types, oid: Oid, deterministic: bool, depth: usize) -> Option<TypeFacts<'_>> {
    let (_, base) = base_type(types, oid)?;
    let element = match base.element {
        0 => None,
        _ if depth == MAX_TYPE_DEPTH => return None,
        element => facts(types, element, deterministic, depth + 1).map(Box::new),
    };
    Some(TypeFacts {
        typname: &base.name,
        is_builtin: base.is_builtin,
        typtype: base.kind,
        element,
        deterministic_collation: deterministic,
    })
}

/// Of an array or range, what its element reads.
fn clock(facts: &TypeFacts<'_>) -> Clock {
    match (facts.typname, facts.typtype, &facts.element) {
        ("date" | "time" | "timestamp" | "timestamptz", ..) => Clock::Words,
        ("timetz", ..) | (_, 'c', _) => Clock::Zones,
        (.., Some(element)) => clock(element),
        (.., None) => Clock::Unread,
    }
}

/// Equality as the type's own B-tree class has it, so that a search path without the extension's schema
/// cannot turn citext into text. Types that borrow another's class (varchar, enums, arrays, ranges,
/// composites) use the built-in operator; a foreign type without a class is left to the search path.
fn equality(base: &TypeRow) -> String {
    match &base.equality {
        Some(operator) => operator.clone(),
        None if base.is_builtin || base.element != 0 || matches!(base.kind, 'e' | 'c' | 'r' | 'm') => {
            "OPERATOR(pg_catalog.=)".into()
        }
        None => "=".into(),
    }
}
