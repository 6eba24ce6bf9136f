//! The SQL that loads rows by lookup keys: one statement per table and set of key columns.

use std::sync::Arc;

use crate::cache::table::Column;
use crate::cache::TableDefinition;

/// From so many keys on the statement for many is quicker.
pub const MANY: usize = 16;

/// How a column's lookup values travel to PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// As an array of 64-bit integers.
    Integers,
    /// As an array of texts, cast element by element to the column's type.
    Texts,
}

/// How the keys of one statement travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bindings {
    /// One array per key column.
    Arrays(Vec<Binding>),
    /// One JSON array of objects, which PostgreSQL itself turns into typed columns: the way for every type.
    Json,
}

/// How rows travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsAs {
    /// As the columns they have, of which their JSON is made here: where each is of a type for that.
    Columns,
    /// As JSON, by PostgreSQL: the way for every type.
    Json,
}

/// A statement that loads any number of keys of one table by the same columns.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlan {
    /// The relation it was built for.
    pub table: Arc<TableDefinition>,
    /// Key columns as positions in the table's columns, sorted by column name.
    pub columns: Vec<usize>,
    /// The statement. Columns of its result: ordinal, then the row, as its columns or as JSON (see `rows`), then
    /// (`reports_keys`) each key column's text as the row has it, then as the lookup value reads.
    pub sql: String,
    /// The statement for [`MANY`] keys and more, where there is a quicker one: one key column, of integers, that a unique
    /// index serves. Columns of its result: the row's key, then the row as its columns.
    pub sql_for_many: Option<String>,
    /// How the rows come back.
    pub rows: RowsAs,
    /// What its parameters are.
    pub bindings: Bindings,
    /// Whether it also returns key texts, for types whose spelling only PostgreSQL knows.
    pub reports_keys: bool,
    /// Whether a unique index serves it, so that any number of keys may share one statement.
    pub is_unique: bool,
}

impl LoadPlan {
    /// The plan for `columns` (positions, sorted by column name) of `table`, for keys whose every value is in
    /// its canonical spelling already.
    pub fn plain(table: Arc<TableDefinition>, columns: Vec<usize>) -> Self {
        let bindings = columns.iter().map(|position| binding(&table.columns[*position])).collect();
        Self::build(table, columns, Bindings::Arrays(bindings), false)
    }

    /// The plan for keys with a value that only PostgreSQL can spell: it also returns the row's own key.
    pub fn asking(table: Arc<TableDefinition>, columns: Vec<usize>) -> Self {
        Self::build(table, columns, Bindings::Json, true)
    }

    /// The same kind of plan for another table, or for what this one has become.
    pub fn for_table(&self, table: Arc<TableDefinition>, columns: Vec<usize>) -> Self {
        if self.reports_keys {
            Self::asking(table, columns)
        } else {
            Self::plain(table, columns)
        }
    }

    fn build(table: Arc<TableDefinition>, columns: Vec<usize>, bindings: Bindings, reports_keys: bool) -> Self {
        let key: Vec<&Column> = columns.iter().map(|position| &table.columns[*position]).collect();
        let has_forms = table.columns.iter().all(|column| column.has_form);
        let rows = if has_forms && !reports_keys { RowsAs::Columns } else { RowsAs::Json };
        let sql = sql(&table, &key, &bindings, rows, reports_keys);
        let is_unique = table.has_unique_key(&columns);
        let sql_for_many = match (&*key, &bindings, rows) {
            ([key], Bindings::Arrays(bindings), RowsAs::Columns) if is_unique && **bindings == [Binding::Integers] => {
                Some(sql_for_many(&table, key))
            }
            _ => None,
        };
        Self { table, columns, sql, sql_for_many, rows, bindings, reports_keys, is_unique }
    }

    /// The key columns' descriptions, sorted by name.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().map(|position| &self.table.columns[*position])
    }
}

fn binding(column: &Column) -> Binding {
    if column.rule.is_integer() && !column.is_domain {
        Binding::Integers
    } else {
        Binding::Texts
    }
}

/// Each key is looked up by itself (LATERAL with a LIMIT): PostgreSQL pushes the restriction down to an
/// index, or into a view, and never turns it into a join that scans. Two rows are enough to see that a key
/// is not unique.
fn sql(table: &TableDefinition, key: &[&Column], bindings: &Bindings, rows: RowsAs, reports_keys: bool) -> String {
    let keys = (1..=key.len()).map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ");
    let relation = relation(table);
    let join = if reports_keys { "LEFT JOIN LATERAL" } else { "CROSS JOIN LATERAL" };
    let on = if reports_keys { " ON true" } else { "" };
    format!(
        "SELECT k.ord, {row}{texts} FROM {input} WITH ORDINALITY AS k({keys}, ord) \
         {join} (SELECT * FROM {relation} AS t WHERE {condition} LIMIT 2) AS r{on}",
        row = if rows == RowsAs::Columns { "r.*" } else { "pg_catalog.row_to_json(r.*)::text" },
        texts = if reports_keys { key_texts(key) } else { String::new() },
        input = input(key, bindings),
        condition = condition(key),
    )
}

/// One walk through the index for all keys: for a hundred of them a quarter less of PostgreSQL's time. Rows come in the index'
/// order, and know by their key whom they are for.
fn sql_for_many(table: &TableDefinition, key: &Column) -> String {
    let (relation, key) = (relation(table), quoted(&key.name));
    format!("SELECT t.{key}::int8, t.* FROM {relation} AS t WHERE t.{key} OPERATOR(pg_catalog.=) ANY ($1::int8[])")
}

fn relation(table: &TableDefinition) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.relation))
}

fn key_texts(key: &[&Column]) -> String {
    let row = key.iter().map(|column| format!(", pg_catalog.to_json(r.{})::text", quoted(&column.name)));
    let value = (1..=key.len()).map(|n| format!(", pg_catalog.to_json(k.c{n})::text"));
    row.chain(value).collect()
}

fn input(key: &[&Column], bindings: &Bindings) -> String {
    match bindings {
        Bindings::Json => {
            let columns = key.iter().enumerate().map(|(i, column)| format!("c{} {}", i + 1, column.sql_type));
            let columns = columns.collect::<Vec<_>>().join(", ");
            format!("ROWS FROM (pg_catalog.json_to_recordset($1::text::json) AS ({columns}))")
        }
        Bindings::Arrays(bindings) => {
            let array = |(i, (column, binding)): (usize, (&&Column, &Binding))| match binding {
                Binding::Integers => format!("pg_catalog.unnest(${}::int8[])", i + 1),
                Binding::Texts => format!("pg_catalog.unnest(${}::text[]::{}[])", i + 1, column.sql_type),
            };
            let arrays: Vec<String> = key.iter().zip(bindings).enumerate().map(array).collect();
            match arrays.as_slice() {
                [one] => one.clone(),
                // What unnest takes several arrays for has no name that could be qualified.
                all => format!("ROWS FROM ({})", all.join(", ")),
            }
        }
    }
}

fn condition(key: &[&Column]) -> String {
    let equal = |(i, column): (usize, &&Column)| {
        let equality = if column.rule.is_integer() { "OPERATOR(pg_catalog.=)" } else { &column.equality };
        format!("t.{} {} k.c{}", quoted(&column.name), equality, i + 1)
    };
    key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
}

/// An identifier in double quotes, as PostgreSQL's `quote_ident` always may write it.
fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::canonical::Rule;
    use crate::cache::table::Clock;

    fn column(name: &str, sql_type: &str, rule: Rule) -> Column {
        let equality = "OPERATOR(pg_catalog.=)".to_owned();
        Column {
            name: name.into(),
            sql_type: sql_type.into(),
            equality,
            rule,
            clock: Clock::Unread,
            is_domain: false,
            has_form: true,
        }
    }

    fn table(columns: Vec<Column>) -> Arc<TableDefinition> {
        Arc::new(TableDefinition {
            oid: 7,
            schema: "Odd \"one\"".into(),
            relation: "k".into(),
            display: "\"Odd \"\"one\"\"\".k".into(),
            columns,
            unique_keys: vec![vec![0]],
            named_keys: vec![vec![0]],
            is_watched: false,
            is_plain: true,
            concerns: vec![7],
            fingerprint: 0,
        })
    }

    #[test]
    fn integers_travel_in_one_array_and_names_are_always_quoted() {
        let id = column("id", "\"pg_catalog\".\"int4\"", Rule::Int { min: 0, max: 9 });
        let plan = LoadPlan::plain(table(vec![id]), vec![0]);
        assert!(plan.is_unique);
        assert_eq!(
            plan.sql,
            "SELECT k.ord, r.* FROM pg_catalog.unnest($1::int8[]) WITH ORDINALITY AS k(c1, ord) \
             CROSS JOIN LATERAL (SELECT * FROM \"Odd \"\"one\"\"\".\"k\" AS t \
             WHERE t.\"id\" OPERATOR(pg_catalog.=) k.c1 LIMIT 2) AS r"
        );
        assert_eq!(
            plan.sql_for_many.as_deref(),
            Some(
                "SELECT t.\"id\"::int8, t.* FROM \"Odd \"\"one\"\"\".\"k\" AS t \
                 WHERE t.\"id\" OPERATOR(pg_catalog.=) ANY ($1::int8[])"
            )
        );
    }

    #[test]
    fn only_rows_that_an_integer_names_by_itself_have_a_statement_for_many() {
        let int = |name: &str| column(name, "\"pg_catalog\".\"int4\"", Rule::Int { min: 0, max: 9 });
        let text = column("t", "\"pg_catalog\".\"text\"", Rule::Text);
        let domain = Column { is_domain: true, ..int("d") };
        let ratio = Column { has_form: false, ..column("ratio", "\"pg_catalog\".\"float8\"", Rule::Float8) };
        for (columns, key) in [
            (vec![text], vec![0]),
            (vec![domain], vec![0]),
            (vec![int("a"), int("b")], vec![1]),
            (vec![int("a"), int("b")], vec![0, 1]),
            (vec![int("a"), ratio], vec![0]),
        ] {
            assert_eq!(LoadPlan::plain(table(columns), key).sql_for_many, None);
        }
        assert!(LoadPlan::plain(table(vec![int("a"), int("b")]), vec![0]).sql_for_many.is_some());
    }

    #[test]
    fn rows_with_a_column_whose_json_is_left_to_postgresql_come_as_json() {
        let id = column("id", "\"pg_catalog\".\"int4\"", Rule::Int { min: 0, max: 9 });
        let ratio = Column { has_form: false, ..column("ratio", "\"pg_catalog\".\"float8\"", Rule::Float8) };
        let plan = LoadPlan::plain(table(vec![id, ratio]), vec![0]);
        assert_eq!(plan.rows, RowsAs::Json);
        assert!(plan.sql.starts_with("SELECT k.ord, pg_catalog.row_to_json(r.*)::text FROM pg_catalog.unnest"));
    }

    #[test]
    fn values_that_only_postgresql_can_spell_go_as_json_and_bring_back_the_rows_own_key() {
        let tags = column("tags", "\"pg_catalog\".\"_text\"", Rule::ByPostgres { text_is_unique: true });
        let plan = LoadPlan::asking(table(vec![tags]), vec![0]);
        assert_eq!(plan.bindings, Bindings::Json);
        assert!(plan.reports_keys);
        assert!(plan.sql.contains("pg_catalog.json_to_recordset($1::text::json) AS (c1 \"pg_catalog\".\"_text\")"));
        assert!(plan.sql.contains("pg_catalog.to_json(r.\"tags\")::text, pg_catalog.to_json(k.c1)::text"));
    }
}
