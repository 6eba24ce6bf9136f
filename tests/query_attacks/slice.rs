//! Slices: statements that are sent together, and what came of them.

use super::effect::MARKER;
use crate::support::queries::{ask, inspect};
use crate::support::{Client, Reply, Server};

/// How many statements are sent before the invariants are looked at.
pub const LENGTH: usize = 40;
/// One statement in so many is defined and asked by its name.
const NAMED: usize = 8;
/// One statement in so many is inspected.
const INSPECTED: usize = 16;

/// How statements ended.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// They returned rows.
    pub ran: usize,
    /// PostgreSQL refused them.
    pub failed: usize,
    /// The module refused them.
    pub refused: usize,
    /// What no reply may be.
    pub wrong: Vec<String>,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.ran += other.ran;
        self.failed += other.failed;
        self.refused += other.refused;
        self.wrong.extend(other.wrong);
    }

    /// Counts one reply.
    pub fn count(&mut self, sql: &str, reply: &Reply, is_secret: bool) {
        match reply {
            Reply::Bulk(_) => self.ran += 1,
            Reply::Error(text) if text.starts_with("NOPERM") => self.refused += 1,
            _ => self.failed += 1,
        }
        let text = match reply {
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        if is_secret && text.contains(MARKER) {
            self.wrong.push(format!("{sql}\n  returned a forbidden row: {text}"));
        }
        if reply.code() == "PGTIMEOUT" {
            self.wrong.push(format!("{sql}\n  runs too long to tell anything: {text}"));
        }
    }
}

/// Sends all of `statements`, from so many clients at once.
pub fn send(server: &Server, statements: &[String], clients: usize, is_secret: bool) -> Tally {
    let mut tally = Tally::default();
    let mut clients: Vec<Client> = (0..clients).map(|_| server.client()).collect();
    for (number, sql) in statements.iter().enumerate() {
        let client = number % clients.len();
        send_one(&mut clients[client], number, sql);
    }
    for (number, sql) in statements.iter().enumerate() {
        let client = number % clients.len();
        tally.count(sql, &receive_one(&mut clients[client], number, sql), is_secret);
    }
    for sql in statements.iter().step_by(INSPECTED) {
        tally.wrong.extend(tracked(&mut clients[0], sql));
    }
    tally
}

fn send_one(client: &mut Client, number: usize, sql: &str) {
    let params = if sql.contains("$1") { "[1]" } else { "[]" };
    if number % NAMED != 0 {
        return ask(client, &[sql, params]);
    }
    let name = format!("named_{number}");
    client.send(&["PGCACHE.DEFINE", &name, sql]);
    ask(client, &["NAME", &name, params]);
}

/// The reply to a query: where it was asked by its name, that of DEFINE stands in front.
fn receive_one(client: &mut Client, number: usize, sql: &str) -> Reply {
    if number % NAMED == 0 {
        let defined = client.receive();
        assert_eq!(defined, Reply::Simple("OK".into()));
    }
    client.try_receive().unwrap_or_else(|error| panic!("no reply to {sql}: {error}"))
}

/// What is wrong when a statement that calls what nobody has proven is said to be tracked.
fn tracked(client: &mut Client, sql: &str) -> Option<String> {
    let reply = inspect(client, &[sql]);
    if matches!(reply, Reply::Error(_)) || reply.field("tracked") == Reply::Integer(0) {
        return None;
    }
    Some(format!("{sql}\n  is said to be tracked"))
}
