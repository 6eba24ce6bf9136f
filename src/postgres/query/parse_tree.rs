//! What PostgreSQL's own parse of a query says of it: whether its result depends on rows and parameters alone.
//!
//! PostgreSQL keeps the parse tree of a function whose body is SQL (`BEGIN ATOMIC`), with names resolved. So the query becomes the body
//! of a temporary function, in a transaction that is rolled back.

use ::postgres::types::Type;
use ::postgres::{Error, Row};

use super::describe::types_of;
use super::statement::trimmed;
use crate::postgres::error::is_lost;
use crate::postgres::Session;

const REASONS: &str = include_str!("parse_tree.sql");

/// Nothing of the body is run by this. The role needs the right TEMPORARY on the database.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL check_function_bodies = off";

/// Words that mean another moment each time they are read as a date or a time, and what may stand for their letters.
const MOMENTS: [&str; 6] = ["now", "today", "tomorrow", "yesterday", "\\", "u&"];

/// What a parse tree says.
#[derive(Debug, Default)]
pub struct ParseTree {
    /// The relations that are named in the query and in its views.
    pub named: Vec<NamedRelation>,
    /// Why its result may change without a change of a table, a sentence each, sorted.
    pub untracked: Vec<String>,
    /// Whether code of somebody's runs in it: what that reads is not told by a tree.
    pub runs_code: bool,
}

/// A relation as somebody named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRelation {
    /// Its schema.
    pub schema: String,
    /// Its own name.
    pub relation: String,
    /// Its name as PostgreSQL prints it: with the schema where the search path does not find it.
    pub display: String,
}

/// The parse tree of `sql`, which has parameters of these types and is known to be one statement.
///
/// # Errors
/// That the connection is lost; whatever else PostgreSQL says against it is a reason.
pub fn read(session: &mut Session, sql: &str, types: &[Type]) -> Result<ParseTree, Error> {
    session.begin(BEGIN, "")?;
    let tree = tree(session, sql, types);
    let ended = session.end();
    match tree {
        Err(error) if is_lost(&error) => Err(error),
        Err(error) => ended.map(|()| ParseTree::unknown(&error)),
        Ok(tree) => ended.map(|()| tree),
    }
}

fn tree(session: &mut Session, sql: &str, types: &[Type]) -> Result<ParseTree, Error> {
    session.execute(&function(sql, types))?;
    let lower = sql.to_ascii_lowercase();
    let may_be_a_moment = MOMENTS.iter().any(|word| lower.contains(word));
    let mut tree = ParseTree::default();
    for row in session.query(REASONS, &[&may_be_a_moment])? {
        tree.add(&row)?;
    }
    tree.untracked.sort_unstable();
    tree.untracked.dedup();
    Ok(tree)
}

impl ParseTree {
    fn add(&mut self, row: &Row) -> Result<(), Error> {
        self.runs_code |= row.try_get::<_, bool>(4)?;
        match row.try_get(3)? {
            Some(reason) => self.untracked.push(reason),
            None => self.named.push(NamedRelation {
                schema: row.try_get(0)?,
                relation: row.try_get(1)?,
                display: row.try_get(2)?,
            }),
        }
        Ok(())
    }

    fn unknown(error: &Error) -> Self {
        Self { named: Vec::new(), untracked: vec![unknown(error)], runs_code: true }
    }
}

/// One statement stays one behind a line break, which ends its comment.
fn function(sql: &str, types: &[Type]) -> String {
    format!(
        "CREATE FUNCTION pg_temp.pgcache_described({}) RETURNS SETOF record LANGUAGE sql BEGIN ATOMIC\n{}\n;\nEND",
        types_of(types),
        trimmed(sql)
    )
}

fn unknown(error: &Error) -> String {
    match error.code().map(|code| code.code()) {
        Some("42501") => "PostgreSQL shows what it calls to roles with the right TEMPORARY on the database only".into(),
        code => format!("PostgreSQL does not show what it calls ({})", code.unwrap_or("XX000")),
    }
}
