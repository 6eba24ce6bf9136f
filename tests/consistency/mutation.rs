//! Mutations: what a statement or two can do to the rows of a key set.

use super::key::email;
use super::key_set::{KeySet, Rows};
use super::key_sets::KeySets;
use super::row::{Row, COLUMNS};

/// What is done, and what is there then.
pub struct Mutation {
    /// Statements; PostgreSQL takes them as one transaction when they are sent together.
    pub sql: String,
    /// How many rows they touch.
    pub touches: u64,
    /// The rows of the key set afterwards.
    pub rows: Rows,
}

/// A mutation in the making.
struct Sketch<'a> {
    key_sets: &'a KeySets,
    set: &'a KeySet,
    slot: usize,
    rng: &'a mut fastrand::Rng,
}

/// One of all that are possible; plain updates more often than the others.
pub fn random(key_sets: &KeySets, set: &KeySet, rng: &mut fastrand::Rng) -> Mutation {
    let slot = rng.usize(..set.rows.len());
    let choice = rng.u8(..100);
    let mut sketch = Sketch { key_sets, set, slot, rng };
    let chosen = match choice {
        0..=54 => None,
        55..=62 => sketch.readdress(),
        63..=69 => sketch.renumber(),
        70..=74 => sketch.hand_over(),
        75..=82 => sketch.delete(),
        83..=88 => sketch.replace(),
        89..=93 => sketch.upsert(),
        _ => sketch.insert(),
    };
    chosen.or_else(|| sketch.update()).or_else(|| sketch.insert()).expect("a row is there or it is not")
}

/// The next version of a row, with the same keys.
pub fn update(key_sets: &KeySets, row: Row) -> Row {
    key_sets.row(row.id, row.email)
}

/// The UPDATE that makes this version of the one before.
pub fn update_sql(row: Row, table: &str) -> String {
    format!("UPDATE {table} SET {} WHERE id = {}", assignments(row), row.id)
}

/// What sets everything but the keys.
fn assignments(row: Row) -> String {
    format!("ver = {}, chk = {}, pad = '{}'", row.version, row.checksum(), row.padding())
}

fn inserted(row: Row) -> String {
    format!("INSERT INTO t ({COLUMNS}) VALUES ({})", row.values())
}

impl Sketch<'_> {
    fn row(&self) -> Option<Row> {
        self.set.rows[self.slot]
    }

    fn other(&self) -> usize {
        1 - self.slot
    }

    fn free_email(&mut self) -> Option<u32> {
        self.rng.choice(self.set.free_emails())
    }

    /// With `row` in the slot instead of what is there.
    fn with(&self, row: Option<Row>, sql: String, touches: u64) -> Option<Mutation> {
        let mut rows = self.set.rows;
        rows[self.slot] = row;
        Some(Mutation { sql, touches, rows })
    }

    fn update(&mut self) -> Option<Mutation> {
        let row = update(self.key_sets, self.row()?);
        self.with(Some(row), update_sql(row, "t"), 1)
    }

    /// Another address.
    fn readdress(&mut self) -> Option<Mutation> {
        let row = self.key_sets.row(self.row()?.id, self.free_email()?);
        let address = email(row.email);
        let sql = format!("UPDATE t SET email = '{address}', {} WHERE id = {}", assignments(row), row.id);
        self.with(Some(row), sql, 1)
    }

    /// Another id.
    fn renumber(&mut self) -> Option<Mutation> {
        let old = self.row()?;
        if self.set.rows[self.other()].is_some() {
            return None;
        }
        let row = self.key_sets.row(self.set.id(self.other()), old.email);
        let sql = format!("UPDATE t SET id = {}, {} WHERE id = {}", row.id, assignments(row), old.id);
        let mut mutation = self.with(None, sql, 1)?;
        mutation.rows[self.other()] = Some(row);
        Some(mutation)
    }

    /// One row takes another address, and its old one goes to the other row.
    fn hand_over(&mut self) -> Option<Mutation> {
        let (giver, taker) = (self.row()?, self.set.rows[self.other()]?);
        let giver_after = self.key_sets.row(giver.id, self.free_email()?);
        let taker_after = self.key_sets.row(taker.id, giver.email);
        let readdressed = |row: Row| {
            format!("UPDATE t SET email = '{}', {} WHERE id = {}", email(row.email), assignments(row), row.id)
        };
        let sql = format!("{}; {}", readdressed(giver_after), readdressed(taker_after));
        let mut mutation = self.with(Some(giver_after), sql, 2)?;
        mutation.rows[self.other()] = Some(taker_after);
        Some(mutation)
    }

    fn delete(&mut self) -> Option<Mutation> {
        self.with(None, format!("DELETE FROM t WHERE id = {}", self.row()?.id), 1)
    }

    /// Delete and reinsert in one transaction.
    fn replace(&mut self) -> Option<Mutation> {
        let row = self.key_sets.row(self.row()?.id, self.free_email()?);
        self.with(Some(row), format!("DELETE FROM t WHERE id = {}; {}", row.id, inserted(row)), 2)
    }

    /// Whether the row is there or not.
    fn upsert(&mut self) -> Option<Mutation> {
        let row = self.key_sets.row(self.set.id(self.slot), self.free_email()?);
        let sets = "email = excluded.email, ver = excluded.ver, chk = excluded.chk, pad = excluded.pad";
        self.with(Some(row), format!("{} ON CONFLICT (id) DO UPDATE SET {sets}", inserted(row)), 1)
    }

    fn insert(&mut self) -> Option<Mutation> {
        if self.row().is_some() {
            return None;
        }
        let row = self.key_sets.row(self.set.id(self.slot), self.free_email()?);
        self.with(Some(row), inserted(row), 1)
    }
}
