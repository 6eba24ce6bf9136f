//! Publication `pgcache`: which tables of a tree it is to have, and what stands in the way.

use ::postgres::types::Oid;

use super::asking::Asking;
use super::question::ask;
use super::table::{refusal, Member};
use super::template::fill;
use crate::cache::{Error, ErrorKind};

const PUBLISHABLE: &str = include_str!("publishable.sql");
const PUBLICATION: &str = include_str!("publication.sql");
const UNPUBLISH: &str = include_str!("unpublish.sql");

/// What PostgreSQL says where something must be done first (object_not_in_prerequisite_state).
const NOT_READY: &str = "55000";

/// Why nothing can be decoded from the log, if that is so.
pub(super) fn wal_level_is_too_low(wal_level: &str) -> Option<Error> {
    let text = format!(
        "wal_level of PostgreSQL is {wal_level}, and its write-ahead log tells of changes only with logical: \
         ALTER SYSTEM SET wal_level = 'logical', and restart PostgreSQL"
    );
    (wal_level != "logical").then(|| Error::new(ErrorKind::Postgres(NOT_READY.into()), text))
}

/// Writes the part of a script that publishes these trees.
pub(super) fn addition(
    client: &mut dyn Asking,
    trees: &[(Oid, Vec<Member>)],
) -> Result<Result<String, Error>, ::postgres::Error> {
    let tables = trees.iter().flat_map(|(_, members)| members);
    let published = trees.iter().flat_map(|(_, members)| published(members));
    let question = fill(PUBLISHABLE, &[("tables", &oids(tables)), ("published", &oids(published))]);
    for row in ask(client, &question, &[])? {
        if let Some(objection) = row.try_get::<_, Option<&str>>(3)? {
            return Ok(Err(sentence(row.try_get(1)?, objection)));
        }
    }
    Ok(Ok(fill(PUBLICATION, &[("publishable", &question)])))
}

/// Those of a tree that the publication names: partitions come with their table, heirs do not.
fn published(members: &[Member]) -> &[Member] {
    match members {
        [root, ..] if root.is_partitioned => std::slice::from_ref(root),
        members => members,
    }
}

/// Writes the part of a script that takes those of `members` out which are published; nothing when none is.
pub(super) fn removal<'a>(members: impl Iterator<Item = &'a Member> + Clone) -> String {
    match members.clone().any(|member| member.is_published) {
        true => format!("\n{}", fill(UNPUBLISH, &[("tables", &oids(members))])),
        false => String::new(),
    }
}

fn oids<'a>(members: impl Iterator<Item = &'a Member>) -> String {
    members.map(|member| member.oid.to_string()).collect::<Vec<_>>().join(",")
}

/// Why the table called `name` cannot be published, and what to do about it.
fn sentence(name: &str, objection: &str) -> Error {
    let text = match objection {
        "unlogged" => return refusal(&format!("{name} is an unlogged table")),
        "generated" => format!(
            "the replica identity of {name} has a generated column, which the write-ahead log does not carry: \
             ALTER TABLE {name} REPLICA IDENTITY USING INDEX … (a unique index over other columns that are NOT NULL)"
        ),
        _ => format!(
            "{name} has no replica identity, without which its UPDATE would fail: give it a primary key, or \
             ALTER TABLE {name} REPLICA IDENTITY USING INDEX … (a unique index over columns that are NOT NULL) or FULL"
        ),
    };
    Error::new(ErrorKind::Postgres(NOT_READY.into()), text)
}
