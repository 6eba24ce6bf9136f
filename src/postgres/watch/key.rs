//! The SQL expression that writes a row's key columns as a JSON object, each value as `to_json` prints it.

use crate::postgres::Client;
use ::postgres::types::Oid;

use super::question::ask;
use super::template::literal;

const KEY_COLUMNS: &str = include_str!("key_columns.sql");
/// Between two texts. `concat` would look up the type of each argument in every statement.
const AND: &str = " OPERATOR(pg_catalog.||) ";

/// The columns of all unique keys of a table.
pub(super) struct KeyColumns {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    quoted: String,
    is_integer: bool,
    is_settled: bool,
    is_nullable: bool,
}

impl KeyColumns {
    /// Reads them for the table `root`, with those of the tables below it (`tree` holds them all).
    pub(super) fn read(client: &mut Client, root: Oid, tree: &[Oid]) -> Result<Self, ::postgres::Error> {
        let rows = ask(client, KEY_COLUMNS, &[&root, &tree])?;
        let columns = rows.iter().map(|row| {
            Ok(Column {
                name: row.try_get(0)?,
                quoted: row.try_get(1)?,
                is_integer: row.try_get(2)?,
                is_settled: row.try_get(3)?,
                is_nullable: row.try_get(4)?,
            })
        });
        Ok(Self { columns: columns.collect::<Result<_, ::postgres::Error>>()? })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether the text of a value may depend on the session's settings.
    pub(super) fn needs_settings(&self) -> bool {
        self.columns.iter().any(|column| !column.is_settled)
    }

    /// The object for the row called `alias`.
    pub(super) fn object(&self, alias: &str) -> String {
        let members = self.columns.iter().enumerate().map(|(n, column)| column.member(n == 0, alias));
        format!("{}{AND}'}}'", members.collect::<Vec<_>>().join(AND))
    }

    /// The notice that has this object only. `format` is one step where `object` has several for each column, but
    /// it takes no more than 100 values.
    pub(super) fn notice(&self, alias: &str) -> String {
        let (mut text, mut values) = (String::new(), String::new());
        for column in &self.columns {
            let comma = if text.is_empty() { "" } else { "," };
            text.push_str(&format!("{comma}{}:%s", column.label().replace('%', "%%")));
            values.push_str(&format!(", coalesce(pg_catalog.to_json({alias}.{}), 'null')", column.quoted));
        }
        let text = literal(&format!(r#"{{"pgcache":1,"rel":%s,"keys":[{{{text}}}]}}"#));
        format!("pg_catalog.format({text}, TG_RELID{values})")
    }

    /// Whether two rows have the same object: true only if they have.
    pub(super) fn is_same(&self, one: &str, other: &str) -> String {
        let same: Vec<String> = self.columns.iter().map(|column| column.is_same(one, other)).collect();
        same.join(" AND ")
    }
}

impl Column {
    fn label(&self) -> String {
        serde_json::Value::from(self.name.as_str()).to_string()
    }

    fn member(&self, is_first: bool, alias: &str) -> String {
        let lead = if is_first { '{' } else { ',' };
        let label = literal(&format!("{lead}{}:", self.label()));
        format!("{label}{AND}coalesce({}, 'null')", self.text(alias))
    }

    /// An integer prints the same without the detour over JSON.
    fn text(&self, alias: &str) -> String {
        match self.is_integer {
            true => format!("{alias}.{}::pg_catalog.text", self.quoted),
            false => format!("pg_catalog.to_json({alias}.{})::pg_catalog.text", self.quoted),
        }
    }

    /// Equal values of other types may still be spelled differently: 1.0 and 1.00.
    fn is_same(&self, one: &str, other: &str) -> String {
        let (one, other) = (format!("{one}.{}", self.quoted), format!("{other}.{}", self.quoted));
        let equal = match (self.is_integer, self.is_settled) {
            (true, _) => format!("{one} OPERATOR(pg_catalog.=) {other}"),
            (_, true) => same_text(&format!("{one}::pg_catalog.text"), &format!("{other}::pg_catalog.text")),
            _ => same_text(
                &format!("pg_catalog.to_json({one})::pg_catalog.text"),
                &format!("pg_catalog.to_json({other})::pg_catalog.text"),
            ),
        };
        match self.is_nullable {
            true => format!("coalesce({equal}, {one} IS NULL AND {other} IS NULL)"),
            // Should it hold NULL one day, that is not the same as anything, and the row takes the longer way.
            false => equal,
        }
    }
}

fn same_text(one: &str, other: &str) -> String {
    format!("{one} OPERATOR(pg_catalog.=) {other} COLLATE pg_catalog.\"C\"")
}
