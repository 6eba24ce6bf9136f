//! Culprits: which statements of a slice did what.

use super::invariant::Invariant;
use super::slice::{Tally, LENGTH};
use crate::support::{Database, Server};

/// So many slices are searched for their culprits; the others are only counted.
const SEARCHED: usize = 3;

/// A way to start servers and to attack them.
pub struct Attack<'a> {
    /// The database that all of them use.
    pub database: &'a Database<'a>,
    /// Starts one.
    pub start: &'a dyn Fn() -> Server,
    /// Attacks one.
    pub send: &'a dyn Fn(&Server, &[String]) -> Tally,
}

impl Attack<'_> {
    /// Sends all statements in slices. Returns how they ended, with everything that was wrong.
    pub fn run(&self, statements: &[String]) -> Tally {
        let mut tally = Tally::default();
        let mut stage = self.stage();
        let mut broken = 0;
        for slice in statements.chunks(LENGTH) {
            tally.add((self.send)(&stage.0, slice));
            let violations = stage.1.violations();
            if !violations.is_empty() {
                broken += 1;
                tally.wrong.push(format!("after a slice: {}", violations.join("; ")));
                drop(stage);
                if broken <= SEARCHED {
                    tally.wrong.extend(self.culprits(slice));
                }
                stage = self.stage();
            }
        }
        tally
    }

    /// A fresh server on a database that is as it was.
    fn stage(&self) -> (Server, Invariant) {
        Invariant::heal(self.database);
        let server = (self.start)();
        let invariant = Invariant::of(&server, self.database);
        (server, invariant)
    }

    /// The statements that break something by themselves.
    fn culprits(&self, slice: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        let mut stage = self.stage();
        for sql in slice {
            (self.send)(&stage.0, std::slice::from_ref(sql));
            let violations = stage.1.violations();
            if !violations.is_empty() {
                found.push(format!("{sql}\n  {}", violations.join("\n  ")));
                drop(stage);
                stage = self.stage();
            }
        }
        if found.is_empty() {
            found.push(format!("none by itself, but these together:\n  {}", slice.join("\n  ")));
        }
        found
    }
}
