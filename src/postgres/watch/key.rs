//! The SQL expression that writes a row's key columns as a JSON object, each value as `to_json` prints it.

use ::postgres::types::Oid;
use ::postgres::Client;

use super::template::literal;

const KEY_COLUMNS: &str = include_str!("key_columns.sql");
/// A function takes at most 100 arguments; a column needs two.
const COLUMNS_PER_CALL: usize = 40;

/// The columns of all unique keys of a table.
pub(super) struct KeyColumns {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    quoted: String,
    is_integer: bool,
    is_settled: bool,
}

impl KeyColumns {
    /// Reads them for the table `root`, with those of the tables below it (`tree` holds them all).
    pub(super) fn read(client: &mut Client, root: Oid, tree: &[Oid]) -> Result<Self, ::postgres::Error> {
        let rows = client.query(KEY_COLUMNS, &[&root, &tree])?;
        let columns = rows.iter().map(|row| {
            Ok(Column {
                name: row.try_get(0)?,
                quoted: row.try_get(1)?,
                is_integer: row.try_get(2)?,
                is_settled: row.try_get(3)?,
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
        let members: Vec<String> =
            self.columns.iter().enumerate().map(|(n, column)| column.member(n == 0, alias)).collect();
        let groups: Vec<String> = members.chunks(COLUMNS_PER_CALL).map(|group| group.join(", ")).collect();
        match groups.as_slice() {
            [group] => format!("pg_catalog.concat({group}, '}}')"),
            _ => {
                let calls = groups.iter().map(|group| format!("pg_catalog.concat({group})"));
                format!("pg_catalog.concat({}, '}}')", calls.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Column {
    fn member(&self, is_first: bool, alias: &str) -> String {
        let lead = if is_first { '{' } else { ',' };
        let name = serde_json::Value::from(self.name.as_str());
        let label = literal(&format!("{lead}{name}:"));
        // An integer prints the same without the detour.
        let value = if self.is_integer {
            format!("{alias}.{}::pg_catalog.text", self.quoted)
        } else {
            format!("pg_catalog.to_json({alias}.{})::pg_catalog.text", self.quoted)
        };
        format!("{label}, coalesce({value}, 'null')")
    }
}
