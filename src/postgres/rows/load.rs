//! Loading rows: many lookup keys, one statement.

use std::sync::Arc;

use ::postgres::types::ToSql;
use ::postgres::Row;

use super::json::RowJson;
use super::routing::RowRouting;
use super::statement::{Binding, Bindings, LoadPlan, RowsAs, MANY};
use crate::cache::canonical::shown;
use crate::cache::key::write_canonical_row;
use crate::cache::table::Column;
use crate::cache::{Error, Rule};
use crate::postgres::error::{may_be_about_values, value_error};
use crate::postgres::query::{Discovery, QueryRows};
use crate::postgres::{means_bad_data, Session};

/// The values of one lookup key, in the order of the plan's columns: plain texts, or JSON values where the
/// plan's bindings are [`Bindings::Json`].
pub type KeyValues = Box<[Box<str>]>;

/// What PostgreSQL knows of one lookup key, or of one query.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetched {
    /// The row, as `row_to_json` writes it.
    Row {
        /// The JSON text.
        json: Arc<[u8]>,
        /// The row's own canonical key, when the plan reports keys.
        own_key: Option<Box<[u8]>>,
    },
    /// There is no such row.
    Absent {
        /// The lookup value's canonical key, when the plan reports keys and the value has one spelling only.
        own_key: Option<Box<[u8]>>,
    },
    /// More than one row matches.
    Ambiguous,
    /// What a query brought, and what it has turned out to read.
    Rows(QueryRows, Option<Box<Discovery>>),
}

/// The result for one key.
pub type Outcome = Result<Fetched, Error>;

/// Loads `keys` in one statement. A value that PostgreSQL refuses fails its own key only: the rest is tried
/// again in halves. `Err`: the statement failed as a whole, for all keys alike.
pub fn load(session: &mut Session, plan: &LoadPlan, keys: &[&KeyValues]) -> Result<Vec<Outcome>, ::postgres::Error> {
    match fetch(session, plan, keys) {
        Ok(fetched) => Ok(fetched.into_iter().map(Ok).collect()),
        Err(error) if !is_about_values(session, plan, &error) => Err(error),
        Err(error) if keys.len() <= 1 => Ok(vec![Err(value_error(&error, &plan.table.display, &misfit(plan)))]),
        Err(_) => {
            let (left, right) = keys.split_at(keys.len() / 2);
            let mut outcomes = load(session, plan, left)?;
            outcomes.extend(load(session, plan, right)?);
            Ok(outcomes)
        }
    }
}

/// Which values PostgreSQL may have refused: those of the columns that it reads by itself. It does not tell which one it was.
fn misfit(plan: &LoadPlan) -> String {
    let checked = |column: &&Column| matches!(column.rule, Rule::ByPostgres { .. } | Rule::Enum) || column.is_domain;
    let mut columns: Vec<&Column> = plan.key_columns().filter(checked).collect();
    if columns.is_empty() {
        columns = plan.key_columns().collect();
    }
    let named = |column: &&Column| format!("{} ({})", shown(&column.name), column.type_name());
    let names: Vec<String> = columns.iter().map(named).collect();
    match names.as_slice() {
        [name] => format!("the value of column {name} does not fit its type"),
        names => format!("a value of the columns {} does not fit its type", names.join(", ")),
    }
}

/// Whether a value is at fault. Some input functions speak as if the statement were wrong: then it is run
/// without any value, and when that goes well it was not.
fn is_about_values(session: &mut Session, plan: &LoadPlan, error: &::postgres::Error) -> bool {
    means_bad_data(error) || (plan.reports_keys && may_be_about_values(error) && fetch(session, plan, &[]).is_ok())
}

fn fetch(session: &mut Session, plan: &LoadPlan, keys: &[&KeyValues]) -> Result<Vec<Fetched>, ::postgres::Error> {
    match &plan.sql_for_many {
        Some(sql) if keys.len() >= MANY => {
            let routing = RowRouting::by_key(keys);
            let rows = read_rows(session, plan, sql, &[&routing.keys()])?;
            collect(plan, keys, &routing, &rows)
        }
        _ => {
            let rows = fetch_each(session, plan, keys)?;
            collect(plan, keys, &RowRouting::by_ordinal(keys.len()), &rows)
        }
    }
}

fn fetch_each(session: &mut Session, plan: &LoadPlan, keys: &[&KeyValues]) -> Result<Vec<Row>, ::postgres::Error> {
    match &plan.bindings {
        Bindings::Json => read_rows(session, plan, &plan.sql, &[&json_array(keys)]),
        Bindings::Arrays(bindings) => {
            let arrays: Vec<Array<'_>> =
                bindings.iter().enumerate().map(|(i, binding)| Array::new(*binding, i, keys)).collect();
            let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(Array::as_parameter).collect();
            read_rows(session, plan, &plan.sql, &parameters)
        }
    }
}

/// Runs a statement of `plan`: isolated, unless PostgreSQL sees to it that reading the table runs nobody's code.
fn read_rows(
    session: &mut Session,
    plan: &LoadPlan,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, ::postgres::Error> {
    match plan.table.is_plain && session.is_guarded() {
        true => session.query(sql, parameters),
        false => session.query_isolated(sql, parameters),
    }
}

/// One column's values of all keys, as one parameter.
enum Array<'a> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<&'a str>),
}

impl<'a> Array<'a> {
    fn new(binding: Binding, column: usize, keys: &[&'a KeyValues]) -> Self {
        let texts = keys.iter().map(|key| &*key[column]);
        match binding {
            // NULL matches no row.
            Binding::Integers => Self::Integers(texts.map(integer).collect()),
            Binding::Texts => Self::Texts(texts.collect()),
        }
    }

    fn as_parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Integers(values) => values,
            Self::Texts(values) => values,
        }
    }
}

/// A canonical integer, which always parses.
pub(crate) fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// `[{"c1":…,"c2":…},…]`, whose members carry the names that the statement gives them.
fn json_array(keys: &[&KeyValues]) -> String {
    let mut json = String::from("[");
    for (i, key) in keys.iter().enumerate() {
        json.push_str(if i == 0 { "{" } else { ",{" });
        for (n, value) in key.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            json.push_str(&format!("{comma}\"c{}\":{value}", n + 1));
        }
        json.push('}');
    }
    json.push(']');
    json
}

fn collect(
    plan: &LoadPlan,
    keys: &[&KeyValues],
    routing: &RowRouting,
    rows: &[Row],
) -> Result<Vec<Fetched>, ::postgres::Error> {
    let mut fetched = vec![Fetched::Absent { own_key: None }; keys.len()];
    let Some(first) = rows.first() else { return Ok(fetched) };
    let made = match plan.rows {
        RowsAs::Columns => Some(RowJson::of(first, 1)?),
        RowsAs::Json => None,
    };
    let mut json = Vec::new();
    for row in rows {
        let mut brought = None;
        for asker in routing.of(row.try_get(0)?) {
            let (Some(slot), Some(key)) = (fetched.get_mut(asker), keys.get(asker)) else { continue };
            *slot = match slot {
                Fetched::Absent { .. } => match &brought {
                    Some(brought) => Fetched::clone(brought),
                    None => brought.insert(read(plan, key, row, made.as_ref(), &mut json)?).clone(),
                },
                Fetched::Row { .. } | Fetched::Ambiguous | Fetched::Rows(..) => Fetched::Ambiguous,
            };
        }
    }
    Ok(fetched)
}

/// What `row` is to whoever asked for `key`. `json` is memory to work in.
fn read(
    plan: &LoadPlan,
    key: &KeyValues,
    row: &Row,
    made: Option<&RowJson>,
    json: &mut Vec<u8>,
) -> Result<Fetched, ::postgres::Error> {
    let Some(made) = made else { return one(plan, key, row) };
    json.clear();
    made.write(row, json)?;
    Ok(Fetched::Row { json: json.as_slice().into(), own_key: None })
}

fn one(plan: &LoadPlan, key: &KeyValues, row: &Row) -> Result<Fetched, ::postgres::Error> {
    let json: Option<&str> = row.try_get(1)?;
    Ok(match json {
        Some(json) => Fetched::Row { json: json.as_bytes().into(), own_key: own_key(plan, key, row, 2)? },
        None if has_one_spelling(plan) => Fetched::Absent { own_key: own_key(plan, key, row, 2 + plan.columns.len())? },
        None => Fetched::Absent { own_key: None },
    })
}

/// Whether a value that is in no row still has only one text. Where equal values may differ in text (interval,
/// citext, jsonb …) an absent row is not remembered: the INSERT's own text might be another one.
fn has_one_spelling(plan: &LoadPlan) -> bool {
    plan.key_columns().all(|column| column.rule.text_is_unique())
}

/// The canonical key that the texts from column `first` on make.
fn own_key(
    plan: &LoadPlan,
    asked: &KeyValues,
    row: &Row,
    first: usize,
) -> Result<Option<Box<[u8]>>, ::postgres::Error> {
    if !plan.reports_keys {
        return Ok(None);
    }
    let mut texts = Vec::with_capacity(plan.columns.len());
    for i in 0..plan.columns.len() {
        let Some(text) = row.try_get::<_, Option<&str>>(first + i)? else { return Ok(None) };
        // An array that was asked for by its literal may have other bounds than its JSON tells.
        if text.starts_with('[') && asked.get(i).is_some_and(|value| value.starts_with('"')) {
            return Ok(None);
        }
        texts.push(text);
    }
    let names: Vec<&str> = plan.key_columns().map(|column| column.name.as_str()).collect();
    let rules: Vec<Rule> = plan.key_columns().map(|column| column.rule).collect();
    let mut key = Vec::new();
    // A text that its own column's rule does not take cannot name an entry: answered, not stored.
    Ok(write_canonical_row(&names, &rules, &texts, &mut key).ok().map(|()| key.into_boxed_slice()))
}
