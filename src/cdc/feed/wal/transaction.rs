//! The transaction that the stream is in: its changes become notices.

use std::collections::HashMap;

use super::pgoutput::{Old, Tuple};
use super::relation::{Part, Relation};
use crate::cache::{Notice, Relation as Named};

/// So many rows of one table are told one by one; more are told as a change of all of it, so that nothing grows with the transaction.
const ROWS_TOLD: usize = 10_000;
/// How many rows stand in one notice.
const ROWS_PER_NOTICE: usize = 500;

/// The changes of one transaction that have not been told yet.
#[derive(Debug)]
pub struct Transaction {
    /// Its number, with the epoch.
    pub xid: u64,
    notices: Vec<Notice>,
    /// How many rows of each table were told; `None`: all of it.
    rows: HashMap<u32, Option<usize>>,
    waiting: usize,
}

impl Transaction {
    /// One that begins.
    pub fn new(xid: u64) -> Self {
        Self { xid, notices: Vec::new(), rows: HashMap::new(), waiting: 0 }
    }

    /// A row of `oid` is now `new`, where it is there, and was `old`, as far as that is told.
    pub fn changed(&mut self, oid: u32, relation: Option<&Relation>, old: Option<&Old<'_>>, new: Option<&Tuple<'_>>) {
        if self.rows.get(&oid) == Some(&None) {
            return;
        }
        match relation.and_then(|relation| objects(relation, old, new)) {
            Some(rows) => self.add_rows(oid, rows),
            None => self.all_changed(oid),
        }
    }

    /// Anything of `oid` may have changed.
    pub fn all_changed(&mut self, oid: u32) {
        if self.rows.insert(oid, None) != Some(None) {
            self.waiting += 1;
            self.notices.push(Notice::Table(Named::Oid(oid)));
        }
    }

    /// It tells this by itself.
    pub fn told(&mut self, notice: Notice) {
        self.waiting += 1;
        self.notices.push(notice);
    }

    /// How many rows and tables wait to be told.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// What has not been told yet.
    pub fn take(&mut self) -> Vec<Notice> {
        self.waiting = 0;
        std::mem::take(&mut self.notices)
    }

    fn add_rows(&mut self, oid: u32, rows: Vec<Box<str>>) {
        let count = self.rows.entry(oid).or_insert(Some(0));
        let total = count.unwrap_or_default() + rows.len();
        *count = Some(total);
        if total > ROWS_TOLD {
            return self.all_changed(oid);
        }
        self.waiting += rows.len();
        match self.notices.last_mut() {
            Some(Notice::Rows { relation: Named::Oid(last), rows: before })
                if *last == oid && before.len() < ROWS_PER_NOTICE =>
            {
                before.extend(rows);
            }
            _ => self.notices.push(Notice::Rows { relation: Named::Oid(oid), rows }),
        }
    }
}

/// The row as it was and as it is, without the same twice. `None`: one of them cannot be named.
fn objects(relation: &Relation, old: Option<&Old<'_>>, new: Option<&Tuple<'_>>) -> Option<Vec<Box<str>>> {
    let before = old.map(|old| match old {
        Old::Key(tuple) => (tuple, Part::Identity),
        Old::Row(tuple) => (tuple, Part::Row),
    });
    let mut rows = Vec::with_capacity(2);
    if let Some((tuple, part)) = before {
        rows.push(relation.object(tuple, part, None)?);
    }
    if let Some(tuple) = new {
        let row = relation.object(tuple, Part::Row, before.map(|(tuple, _)| tuple.as_slice()))?;
        if rows.first() != Some(&row) {
            rows.push(row);
        }
    }
    Some(rows)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::pgoutput::{self, Cell, Column};
    use super::super::relation::KeyType;
    use super::*;

    fn users() -> Relation {
        let columns = vec![Column { is_identity: true, name: "id", type_oid: 23 }];
        let key = KeyType { name: "id".into(), type_oid: 23, spelled_as: 23 };
        Relation::new(&pgoutput::Relation { oid: 5, columns }, &[key])
    }

    fn rows(notice: &Notice) -> Vec<String> {
        match notice {
            Notice::Rows { rows, .. } => rows.iter().map(|row| row.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_row_is_told_as_it_was_and_as_it_is() {
        let (users, mut transaction) = (users(), Transaction::new(7));
        let (one, two) = (vec![Cell::Text("1")], vec![Cell::Text("2")]);
        transaction.changed(5, Some(&users), None, Some(&one));
        transaction.changed(5, Some(&users), Some(&Old::Key(one.clone())), Some(&two));
        transaction.changed(5, Some(&users), Some(&Old::Row(one.clone())), Some(&one));
        let told = transaction.take();
        assert_eq!(told.len(), 1);
        assert_eq!(rows(&told[0]), [r#"{"id":1}"#, r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":1}"#]);
        assert!(transaction.take().is_empty());
    }

    #[test]
    fn many_rows_of_a_table_are_told_as_one_change_of_it() {
        let (users, mut transaction) = (users(), Transaction::new(7));
        let mut told = 0;
        for n in 0..3 * ROWS_TOLD {
            let id = n.to_string();
            transaction.changed(5, Some(&users), None, Some(&vec![Cell::Text(&id)]));
            transaction.changed(6, Some(&users), None, Some(&vec![Cell::Text("1")]));
            if transaction.waiting() >= 1000 {
                told += transaction.take().len();
            }
        }
        let last = transaction.take();
        told += last.len();
        assert!(told <= 2 * ROWS_TOLD + 2, "{told}");
        transaction.changed(5, Some(&users), None, Some(&vec![Cell::Text("1")]));
        transaction.all_changed(5);
        assert!(transaction.take().is_empty());
    }

    #[test]
    fn what_names_no_row_is_a_change_of_the_table() {
        let mut transaction = Transaction::new(7);
        transaction.changed(5, None, None, Some(&vec![Cell::Text("1")]));
        transaction.changed(5, Some(&users()), None, Some(&vec![Cell::Unchanged]));
        assert_eq!(transaction.take(), [Notice::Table(Named::Oid(5))]);
    }
}
