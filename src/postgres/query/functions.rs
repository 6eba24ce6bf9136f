//! The functions that a query calls: which of them answer differently although no table has changed.

use std::collections::BTreeSet;

use ::postgres::types::Oid;
use ::postgres::{Error, Row};

use super::explain::Mentions;
use super::expression::{in_source, Mention};
use crate::postgres::Session;

const FUNCTIONS: &str = include_str!("functions.sql");
const HIDDEN: &str = include_str!("hidden_functions.sql");

/// Functions of PostgreSQL's that read the clock and are not volatile, since it stands still in a transaction.
const CLOCKS: [&str; 3] = ["now", "transaction_timestamp", "statement_timestamp"];

/// Functions of PostgreSQL's that are not volatile and tell of the transaction, the connection or the server.
const STATES: [&str; 11] = [
    "txid_current",
    "txid_current_if_assigned",
    "txid_current_snapshot",
    "pg_current_xact_id",
    "pg_current_xact_id_if_assigned",
    "pg_current_snapshot",
    "pg_backend_pid",
    "inet_client_port",
    "pg_postmaster_start_time",
    "pg_conf_load_time",
    "pg_last_committed_xact",
];

/// How deep functions are followed into those that they call.
const MAX_DEPTH: usize = 8;

/// What the functions of a query mean for it.
#[derive(Debug)]
pub struct Functions {
    /// Why they make results change, a sentence each.
    pub untracked: Vec<String>,
    /// Whether each of them is PostgreSQL's own, reads no table and does nothing but compute.
    pub are_plain: bool,
}

/// What those that `mentions` names mean. A function that is not built in and says that it is stable is searched for what it
/// calls.
pub fn examined(session: &mut Session, mentions: Mentions) -> Result<Functions, Error> {
    let mut found = Found {
        reasons: mentions.untracked.into_iter().collect(),
        searched: BTreeSet::new(),
        are_plain: mentions.is_complete,
    };
    let mut mentioned = mentions.expressions;
    for _ in 0..MAX_DEPTH {
        mentioned = found.add(session, mentioned)?;
        if mentioned.is_empty() {
            break;
        }
    }
    Ok(Functions { untracked: found.reasons.into_iter().collect(), are_plain: found.are_plain })
}

/// Whether nothing is called in `sources`, a statement and the views that it reads, but functions of PostgreSQL's own that do
/// nothing but compute. A plan does not show those that were put in the place of their call, and neither shows those that run
/// without being called by name: a database that has such is left alone.
pub fn are_plain(session: &mut Session, sources: &[String]) -> Result<bool, Error> {
    let calls = sources.iter().flat_map(|source| in_source(source)).filter_map(|mention| match mention {
        Mention::Call { schema, name } => Some((schema, name)),
        Mention::Clock(_) => None,
    });
    let (schemas, names): (Vec<_>, Vec<_>) = calls.unzip();
    for row in session.query(FUNCTIONS, &[&schemas, &names])? {
        if !row.try_get::<_, bool>(5)? {
            return Ok(false);
        }
    }
    match session.query(HIDDEN, &[])?.first() {
        Some(row) => Ok(!row.try_get::<_, bool>(0)?),
        None => Ok(false),
    }
}

struct Found {
    reasons: BTreeSet<String>,
    /// Functions that were searched, so that those that call each other come to an end.
    searched: BTreeSet<Oid>,
    are_plain: bool,
}

impl Found {
    /// Adds what is wrong with `mentioned` and returns what is mentioned in turn.
    fn add(
        &mut self,
        session: &mut Session,
        mentioned: BTreeSet<Mention>,
    ) -> Result<BTreeSet<Mention>, Error> {
        let (mut schemas, mut names) = (Vec::new(), Vec::new());
        for mention in mentioned {
            match mention {
                Mention::Clock(word) => drop(self.reasons.insert(format!("{word} reads the clock"))),
                Mention::Call { schema, name } => {
                    schemas.push(schema);
                    names.push(name);
                }
            }
        }
        let mut further = BTreeSet::new();
        if !names.is_empty() {
            for row in session.query(FUNCTIONS, &[&schemas, &names])? {
                further.extend(self.add_function(&row)?);
            }
        }
        Ok(further)
    }

    fn add_function(&mut self, row: &Row) -> Result<Vec<Mention>, Error> {
        let (name, volatility): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
        let is_builtin: bool = row.try_get(3)?;
        self.reasons.extend(why(name, volatility, is_builtin).map(|why| format!("{name}() {why}")));
        self.are_plain &= row.try_get::<_, bool>(5)?;
        let source: Option<&str> = row.try_get(4)?;
        match source {
            Some(source) if self.searched.insert(row.try_get(0)?) => Ok(in_source(source)),
            _ => Ok(Vec::new()),
        }
    }
}

fn why(name: &str, volatility: &str, is_builtin: bool) -> Option<&'static str> {
    if volatility == "v" {
        return Some("is volatile");
    }
    if !is_builtin {
        return None;
    }
    if CLOCKS.contains(&name) {
        return Some("reads the clock");
    }
    let tells_state = STATES.contains(&name) || name.starts_with("pg_stat_get_");
    tells_state.then_some("tells of the server's state")
}
