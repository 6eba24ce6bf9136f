//! Actors: each has objects of its own, changes them step by step, and says what is to be asked of them.

use crate::random::Random;

/// A kind of actor. `@i` stands for its number, `@reader` for the role that asks and its schema, which is the first of its search
/// path, `@owner` and `@group` for two more roles.
pub struct Role {
    /// What it has from the beginning.
    pub setup: &'static str,
    /// What it does, in turn: after the last one comes the first again.
    pub steps: &'static [&'static str],
    /// What is asked.
    pub queries: &'static [&'static str],
    /// Expressions that stand in queries with those of others.
    pub expressions: &'static [&'static str],
    /// Rows that are read: the relation, and the value of its column `id`.
    pub rows: &'static [(&'static str, u64)],
    /// Tables that are watched.
    pub watched: &'static [&'static str],
}

/// A kind without anything.
pub const NOBODY: Role = Role { setup: "", steps: &[], queries: &[], expressions: &[], rows: &[], watched: &[] };

/// The names of the roles of one database.
#[derive(Debug, Clone)]
pub struct Names {
    /// The database, which they end with: roles are the cluster's.
    pub database: String,
}

impl Names {
    /// The role that asks.
    pub fn reader(&self) -> String {
        format!("reader_{}", self.database)
    }

    /// `text` of the actor with that number.
    pub fn fill(&self, text: &str, number: usize) -> String {
        text.replace("@i", &number.to_string())
            .replace("@reader", &self.reader())
            .replace("@owner", &format!("owner_{}", self.database))
            .replace("@group", &format!("group_{}", self.database))
    }
}

/// One actor.
pub struct Actor {
    role: &'static Role,
    number: usize,
    next: usize,
}

impl Actor {
    /// The actor with that number.
    pub fn new(role: &'static Role, number: usize) -> Self {
        Self { role, number, next: 0 }
    }

    /// What makes everything that it has.
    pub fn setup(&self, names: &Names) -> String {
        names.fill(self.role.setup, self.number)
    }

    /// What it does next.
    pub fn step(&mut self, names: &Names) -> String {
        let step = self.role.steps[self.next % self.role.steps.len()];
        self.next += 1;
        names.fill(step, self.number)
    }

    /// What is asked of it.
    pub fn queries(&self, names: &Names) -> Vec<String> {
        self.role.queries.iter().map(|sql| names.fill(sql, self.number)).collect()
    }

    /// One of its expressions.
    pub fn expression(&self, names: &Names, random: &mut Random) -> Option<String> {
        let all = self.role.expressions;
        (!all.is_empty()).then(|| names.fill(random.pick::<&str>(all), self.number))
    }

    /// The rows that are read.
    pub fn rows(&self, names: &Names) -> Vec<(String, u64)> {
        self.role.rows.iter().map(|(table, id)| (names.fill(table, self.number), *id)).collect()
    }

    /// The tables that are watched.
    pub fn watched(&self, names: &Names) -> Vec<String> {
        self.role.watched.iter().map(|table| names.fill(table, self.number)).collect()
    }
}
