//! The relations of a query, described like every table of the cache.

use ::postgres::Error;

use crate::cache::TableDefinition;
use crate::postgres::{catalog, Session};
use crate::settings::Invalidation;

const RELATIONS: &str = include_str!("relations.sql");
const ACCOUNTED: &str = include_str!("relations_accounted.sql");

/// The tables among `relations` that no other of them speaks for, and why changes of some are not told.
pub fn described(
    session: &mut Session,
    relations: &[u32],
    invalidation: Invalidation,
) -> Result<(Vec<TableDefinition>, Vec<String>), Error> {
    let (mut tables, mut untracked) = (Vec::new(), Vec::new());
    for row in session.query(RELATIONS, &[&relations])? {
        let (name, kind): (String, String) = (row.try_get(3)?, row.try_get(4)?);
        let is_spoken_for: bool = row.try_get(5)?;
        if catalog::READABLE_KINDS.contains(&kind.as_str()) && !is_spoken_for {
            tables.push(catalog::definition(session, &row, invalidation)?);
        }
        untracked.extend(why_untracked(&kind, is_spoken_for).map(|why| format!("{name} is {why}")));
    }
    Ok((tables, untracked))
}

/// What `tables` account for, and of `relations` what needs no account, sorted.
pub fn accounted(session: &mut Session, tables: &[u32], relations: &[u32]) -> Result<Vec<u32>, Error> {
    session.query(ACCOUNTED, &[&tables, &relations])?.iter().map(|row| row.try_get(0)).collect()
}

fn why_untracked(kind: &str, is_spoken_for: bool) -> Option<&'static str> {
    match kind {
        "f" => Some("a foreign table"),
        "m" => Some("a materialised view"),
        "S" => Some("a sequence"),
        "t" if !is_spoken_for => Some("a TOAST table"),
        _ => None,
    }
}
