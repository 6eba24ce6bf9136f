//! How rows of a table are looked up by one set of columns.

use std::sync::Arc;

use once_cell::unsync::OnceCell;

use crate::cache::canonical::shown;
use crate::cache::key::{FastPath, LookupKey};
use crate::cache::{Error, ErrorKind, Rule, TableDefinition};
use crate::postgres::rows::load::KeyValues;
use crate::postgres::rows::statement::LoadPlan;
use crate::workers::batch::Batch;

/// One set of columns that rows of a table are looked up by.
#[derive(Debug)]
pub struct Lookup {
    table: Arc<TableDefinition>,
    /// Positions in the table's columns, sorted by column name.
    columns: Vec<usize>,
    /// The columns' rules, in that order.
    pub rules: Vec<Rule>,
    /// How its keys look.
    pub(super) shape: FastPath,
    /// Whether notices of a watched table do not name its rows by these columns, so that any change of the table may be about them.
    pub is_non_unique: bool,
    plain: OnceCell<Arc<Batch>>,
    asking: OnceCell<Arc<Batch>>,
    refreshing_plain: OnceCell<Arc<Batch>>,
    refreshing_asking: OnceCell<Arc<Batch>>,
}

impl Lookup {
    pub(super) fn new(table: &Arc<TableDefinition>, key: &LookupKey<'_>) -> Result<Self, Error> {
        let mut columns = Vec::with_capacity(key.len());
        for name in key.columns() {
            columns.push(table.column(name).ok_or_else(|| no_column(table, name))?);
        }
        let rules: Vec<Rule> = columns.iter().map(|position| table.columns[*position].rule).collect();
        let shape = FastPath::new(key.columns().zip(rules.iter().copied()));
        let is_non_unique = table.is_watched && !table.is_named_by(&columns);
        Ok(Self {
            table: Arc::clone(table),
            columns,
            rules,
            shape,
            is_non_unique,
            plain: OnceCell::new(),
            asking: OnceCell::new(),
            refreshing_plain: OnceCell::new(),
            refreshing_asking: OnceCell::new(),
        })
    }

    pub(super) fn is_for(&self, key: &LookupKey<'_>) -> bool {
        self.columns.len() == key.len()
            && self.columns.iter().zip(key.columns()).all(|(position, name)| self.table.columns[*position].name == name)
    }

    /// The values of a canonical key of these columns as its plain statement takes them; `None`: a case for the parser.
    pub fn plain_values(&self, key: &[u8]) -> Option<KeyValues> {
        self.shape.texts(key)
    }

    /// Whether the meaning of a lookup key with these values (JSON) depends on when it is read.
    pub fn reads_clock(&self, values: &KeyValues) -> bool {
        let mut columns = self.columns.iter().map(|position| &self.table.columns[*position]).zip(values);
        columns.any(|(column, value)| column.clock.is_read_by(value))
    }

    /// The loads of keys whose every value has its canonical spelling.
    pub fn plain(&self) -> &Arc<Batch> {
        self.plain.get_or_init(|| Batch::new(LoadPlan::plain(Arc::clone(&self.table), self.columns.clone())))
    }

    /// The loads of keys with a value that only PostgreSQL can spell.
    pub fn asking(&self) -> &Arc<Batch> {
        self.asking.get_or_init(|| Batch::new(LoadPlan::asking(Arc::clone(&self.table), self.columns.clone())))
    }

    /// The same loads where nobody waits for them.
    pub fn refreshing(&self, needs_postgres: bool) -> &Arc<Batch> {
        let (cell, batch) = if needs_postgres {
            (&self.refreshing_asking, self.asking())
        } else {
            (&self.refreshing_plain, self.plain())
        };
        cell.get_or_init(|| Batch::in_background(batch.plan().clone()))
    }
}

/// Only the client's own word is told: who may not read a table is not to learn its columns here.
fn no_column(table: &TableDefinition, name: &str) -> Error {
    Error::new(ErrorKind::NoColumn, format!("{} has no column {}", table.display, shown(name)))
}
