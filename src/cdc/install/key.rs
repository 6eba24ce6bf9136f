//! The SQL expressions that write a row's key columns as a JSON object, each value as `to_json` prints it.
//!
//! They run with the rights of whoever installed them, on columns whose types belong to others and may change at any
//! time. So no expression may use a cast or an operator of a type's owner: not when it runs, and not when PostgreSQL
//! looks for what it means or computes parts of it beforehand. A column of a built-in type is proven to have it before the
//! statement means anything ([`KeyColumns::rows`]); of any other column nothing is used but its output function, or
//! `to_json` once its type has been compared.

use ::postgres::types::Oid;

use super::asking::Asking;
use super::question::ask;
use super::template::literal;

const KEY_COLUMNS: &str = include_str!("key_columns.sql");
/// Between two texts. `concat` would look up the type of each argument in every statement.
const AND: &str = " OPERATOR(pg_catalog.||) ";

/// The columns of all unique keys of a table; none when one of them cannot be told.
pub(crate) struct KeyColumns {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    quoted: String,
    is_integer: bool,
    is_settled: bool,
    is_nullable: bool,
    told_as: String,
    type_oid: Oid,
    proof: Option<String>,
}

impl KeyColumns {
    /// Reads them for the table `root`, with those of the tables below it (`tree` holds them all).
    pub(crate) fn read(client: &mut dyn Asking, root: Oid, tree: &[Oid]) -> Result<Self, ::postgres::Error> {
        let rows = ask(client, KEY_COLUMNS, &[&root, &tree])?;
        let columns = rows.iter().map(|row| {
            Ok(Column {
                name: row.try_get(0)?,
                quoted: row.try_get(1)?,
                is_integer: row.try_get(2)?,
                is_settled: row.try_get(3)?,
                is_nullable: row.try_get(4)?,
                told_as: row.try_get(5)?,
                type_oid: row.try_get(6)?,
                proof: row.try_get(7)?,
            })
        });
        let mut columns: Vec<Column> = columns.collect::<Result<_, ::postgres::Error>>()?;
        if columns.iter().any(|column| column.told_as == "table") {
            columns.clear();
        }
        Ok(Self { columns })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether the text of a value may depend on the session's settings.
    pub(crate) fn needs_settings(&self) -> bool {
        self.columns.iter().any(|column| !column.is_settled)
    }

    /// The rows of the transition table `table` with these columns only. A name that were qualified would be taken for
    /// a call of a function of that name, once the column is gone. The statement fails before it means anything when a
    /// column has another type than the built-in one that it had; that costs nothing when it runs.
    pub(crate) fn rows(&self, table: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.quoted.as_str()).collect();
        let proof = self.proof("");
        format!("(SELECT {} FROM {table} WHERE true{proof})", names.join(", "))
    }

    /// The object for the row called `alias`; NULL when a column has another type than before.
    pub(crate) fn object(&self, alias: &str) -> String {
        self.guarded(alias, &self.members(alias))
    }

    /// The same for the row variable `variable` of a trigger.
    pub(crate) fn object_of(&self, variable: &str) -> String {
        let object = self.guarded(variable, &self.members(variable));
        match self.proof(&format!("{variable}.")).as_str() {
            "" => object,
            proof => format!("CASE WHEN true{proof} THEN {object} END"),
        }
    }

    /// The notice that has this object only. `format` is one step where `object` has several for each column, but
    /// it takes no more than 100 values.
    pub(crate) fn notice(&self, alias: &str) -> String {
        let (mut text, mut values) = (String::new(), String::new());
        for column in &self.columns {
            let comma = if text.is_empty() { "" } else { "," };
            text.push_str(&format!("{comma}{}:%s", column.label().replace('%', "%%")));
            values.push_str(&format!(", coalesce({}, 'null')", column.json(alias)));
        }
        let text = literal(&format!(r#"{{"pgcache":1,"rel":%s,"keys":[{{{text}}}]}}"#));
        self.guarded(alias, &format!("pg_catalog.format({text}, TG_RELID{values})"))
    }

    /// The notice of `one`, if `other` has the same object; NULL otherwise, and perhaps when it has.
    pub(crate) fn notice_if_same(&self, one: &str, other: &str) -> String {
        let same: Vec<String> = self.columns.iter().map(|column| column.is_same(one, other)).collect();
        let notice = format!("CASE WHEN {} THEN {} END", same.join(" AND "), self.notice(one));
        self.guarded(one, &notice)
    }

    fn members(&self, alias: &str) -> String {
        let members = self.columns.iter().enumerate().map(|(n, column)| column.member(n == 0, alias));
        format!("{}{AND}'}}'", members.collect::<Vec<_>>().join(AND))
    }

    /// What parses only if every column that had a built-in type still has it. Never run: `true OR` stands before it.
    fn proof(&self, prefix: &str) -> String {
        let proof = |column: &Column| {
            let value = format!("{prefix}{}", column.quoted);
            let arguments = column.proof.as_ref()?.replace("@value@", &value);
            Some(format!(" OR pg_catalog.array_eq({arguments})"))
        };
        self.columns.iter().filter_map(proof).collect()
    }

    /// `expression`, unless a column whose type is not built in has another type than before.
    fn guarded(&self, alias: &str, expression: &str) -> String {
        let guards: Vec<String> = self.columns.iter().filter_map(|column| column.guard(alias)).collect();
        match guards.as_slice() {
            [] => expression.to_owned(),
            _ => format!("CASE WHEN {} THEN {expression} END", guards.join(" AND ")),
        }
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

    /// Names and casts of a type that is not built in are its owner's to change; its number is not.
    fn guard(&self, alias: &str) -> Option<String> {
        let guard = || {
            format!(
                "pg_catalog.pg_typeof({alias}.{}) OPERATOR(pg_catalog.=) {}::pg_catalog.oid",
                self.quoted, self.type_oid
            )
        };
        self.proof.is_none().then(guard)
    }

    /// The value as JSON, or NULL.
    fn json(&self, alias: &str) -> String {
        let value = format!("{alias}.{}", self.quoted);
        match self.told_as.as_str() {
            "text" => {
                format!("CASE WHEN {value} IS NOT NULL THEN pg_catalog.to_json(pg_catalog.format('%s', {value})) END")
            }
            _ => format!("pg_catalog.to_json({value})"),
        }
    }

    /// An integer prints the same without the detour over JSON.
    fn text(&self, alias: &str) -> String {
        match self.is_integer {
            true => format!("{alias}.{}::pg_catalog.text", self.quoted),
            false => format!("({})::pg_catalog.text", self.json(alias)),
        }
    }

    /// Equal values of other types may still be spelled differently: 1.0 and 1.00.
    fn is_same(&self, one: &str, other: &str) -> String {
        let (left, right) = (format!("{one}.{}", self.quoted), format!("{other}.{}", self.quoted));
        let equal = match (self.is_integer, self.is_settled && self.proof.is_some()) {
            (true, _) => format!("{left} OPERATOR(pg_catalog.=) {right}"),
            (_, true) => same_text(&format!("{left}::pg_catalog.text"), &format!("{right}::pg_catalog.text")),
            _ => same_text(&self.text(one), &self.text(other)),
        };
        match self.is_nullable {
            true => format!("coalesce({equal}, {left} IS NULL AND {right} IS NULL)"),
            // Should it hold NULL one day, that is not the same as anything, and the row takes the longer way.
            false => equal,
        }
    }
}

fn same_text(one: &str, other: &str) -> String {
    format!("{one} OPERATOR(pg_catalog.=) {other} COLLATE pg_catalog.\"C\"")
}
