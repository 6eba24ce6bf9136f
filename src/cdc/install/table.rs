//! What has to be watched for the relation that a user names: tables, and the tables below them.

use ::postgres::types::Oid;
use ::postgres::Row;

use super::asking::Asking;
use super::question::ask;
use crate::cache::{Error, ErrorKind};
use crate::postgres::catalog::{is_malformed_name, no_table};
use crate::settings::AllowTables;

const RELATION: &str = include_str!("relation.sql");
const TREE: &str = include_str!("tree.sql");

/// What PostgreSQL says of an object of the wrong kind (wrong_object_type).
const WRONG_KIND: &str = "42809";

/// A relation that a user may name, or that one of those reads.
struct Relation {
    oid: Oid,
    name: String,
    kind: String,
    is_temporary: bool,
    is_system: bool,
    schema: String,
    relation: String,
}

/// A table that stands in the tree of a watched one: itself, a partition, a partition's partition, an heir.
pub(crate) struct Member {
    pub(crate) oid: Oid,
    /// Qualified and quoted.
    pub(crate) name: String,
    pub(crate) is_partitioned: bool,
    /// Whether a subscription writes to it, whose worker fires nothing but row triggers.
    pub(crate) is_subscribed: bool,
    /// The watched table whose function its triggers call.
    pub(crate) top: Option<Oid>,
    pub(crate) has_triggers: bool,
    /// Whether publication `pgcache` names it.
    pub(crate) is_published: bool,
    schema: String,
    relation: String,
}

impl Member {
    /// Why it must not be watched when `asked` is: `allow_tables` does not open it.
    pub(crate) fn objection(&self, allow: &AllowTables, asked: &str) -> Option<Error> {
        (!allow.allows(&self.schema, &self.relation, asked)).then(|| denied(&self.name))
    }
}

/// What READ says of such a table.
fn denied(name: &str) -> Error {
    let text = format!("table {name} is not allowed: see allow_tables; catalogs are always closed");
    Error::new(ErrorKind::Denied, text)
}

/// The tables to watch for the relation called `name` (SQL quoting rules): itself, or all that a view reads.
pub(crate) fn tables(
    client: &mut dyn Asking,
    name: &str,
    allow: &AllowTables,
) -> Result<Result<Vec<Oid>, Error>, ::postgres::Error> {
    let rows = match ask(client, RELATION, &[&name]) {
        Ok(rows) => rows,
        Err(error) if is_malformed_name(&error) => return Ok(Err(no_table(name))),
        Err(error) => return Err(error),
    };
    let relations: Vec<Relation> = rows.iter().map(Relation::from_row).collect::<Result<_, _>>()?;
    if relations.is_empty() {
        return Ok(Err(no_table(name)));
    }
    if let Some(closed) = relations.iter().find(|relation| !relation.is_allowed(allow, name)) {
        return Ok(Err(denied(&closed.name)));
    }
    Ok(watchable(&relations, name))
}

fn watchable(relations: &[Relation], name: &str) -> Result<Vec<Oid>, Error> {
    if let Some(reason) = relations.iter().find_map(Relation::objection) {
        return Err(refusal(&reason));
    }
    let tables: Vec<Oid> = relations.iter().filter(|table| table.kind != "v").map(|table| table.oid).collect();
    if tables.is_empty() {
        return Err(refusal(&format!("{name} reads no table")));
    }
    Ok(tables)
}

/// A refusal of what PostgreSQL has no word to say about.
pub(super) fn refusal(reason: &str) -> Error {
    let text = format!("{reason}: nothing tells of its changes, so its entries live by their TTL");
    Error::new(ErrorKind::Postgres(WRONG_KIND.into()), text)
}

impl Relation {
    fn from_row(row: &Row) -> Result<Self, ::postgres::Error> {
        Ok(Self {
            oid: row.try_get(0)?,
            name: row.try_get(1)?,
            kind: row.try_get(2)?,
            is_temporary: row.try_get::<_, String>(3)? == "t",
            is_system: row.try_get(4)?,
            schema: row.try_get(6)?,
            relation: row.try_get(7)?,
        })
    }

    /// Whether `allow_tables` opens it, written as `asked`. What cannot be watched is refused for that.
    fn is_allowed(&self, allow: &AllowTables, asked: &str) -> bool {
        self.is_temporary || allow.allows(&self.schema, &self.relation, asked)
    }

    /// Why it cannot be watched.
    fn objection(&self) -> Option<String> {
        let kind = match self.kind.as_str() {
            "f" => "a foreign table",
            "m" => "a materialised view",
            _ if self.is_temporary => "a temporary table",
            _ if self.is_system => "a system table",
            _ => return None,
        };
        Some(format!("{} is {kind}", self.name))
    }
}

/// The table and everything below it. `counts` says whether the table itself is watched or to be.
pub(crate) fn tree(
    client: &mut dyn Asking,
    table: Oid,
    counts: bool,
) -> Result<Result<Vec<Member>, Error>, ::postgres::Error> {
    let mut members = Vec::new();
    for row in ask(client, TREE, &[&table, &counts])? {
        let (name, kind): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        if counts && kind == "f" {
            return Ok(Err(refusal(&format!("{name}, a part of it, is a foreign table"))));
        }
        members.push(Member {
            oid: row.try_get(0)?,
            name,
            is_partitioned: kind == "p",
            is_subscribed: row.try_get(3)?,
            top: row.try_get(4)?,
            has_triggers: row.try_get(5)?,
            schema: row.try_get(6)?,
            relation: row.try_get(7)?,
            is_published: row.try_get(8)?,
        });
    }
    Ok(Ok(members))
}
