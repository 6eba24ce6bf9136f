//! Reading what EXPLAIN says of a plan: what its expressions mention, and whether it takes samples.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::expression::{in_expression, Mention};

/// What holds names as they are, which are no expressions.
const NAMES: [&str; 10] = [
    "Node Type",
    "Schema",
    "Alias",
    "Relation Name",
    "Index Name",
    "CTE Name",
    "Subplan Name",
    "Function Name",
    "Table Function Name",
    "Tuplestore Name",
];

/// What a plan mentions.
#[derive(Debug, Default, PartialEq)]
pub struct Mentions {
    /// In its expressions.
    pub expressions: BTreeSet<Mention>,
    /// What else makes its result change, a sentence each.
    pub untracked: Vec<String>,
    /// Whether that is all.
    pub is_complete: bool,
}

/// Strings that mean another moment each time they are read as a date or a time: PostgreSQL does so when it parses the
/// statement, so that the plan holds the moment.
const MOMENTS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// What `plan`, EXPLAIN's JSON for `sql`, mentions.
pub fn mentions(sql: &str, plan: &str) -> Mentions {
    let mut mentions = Mentions { untracked: moments(sql, plan), ..Mentions::default() };
    match serde_json::from_str(plan) {
        Ok(plan) => {
            mentions.is_complete = true;
            mentions.add(&plan);
        }
        // The parser goes only so deep.
        Err(_) => mentions.untracked.push("its plan is too large to be looked through".into()),
    }
    mentions
}

/// The strings in `sql` that its plan has turned into moments; one that is just a text stands in the plan as well.
fn moments(sql: &str, plan: &str) -> Vec<String> {
    let (sql, plan) = (sql.to_ascii_lowercase(), plan.to_ascii_lowercase());
    let literals: BTreeSet<&str> = sql.split('\'').map(str::trim).collect();
    let folded =
        MOMENTS.iter().filter(|word| literals.contains(*word) && !plan.contains(&format!("'{word}'")));
    folded.map(|word| format!("'{word}' reads the clock")).collect()
}

impl Mentions {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Object(node) => self.add_node(node),
            Value::Array(values) => values.iter().for_each(|value| self.add(value)),
            Value::String(text) => self.expressions.extend(in_expression(text)),
            _ => {}
        }
    }

    fn add_node(&mut self, node: &Map<String, Value>) {
        let text = |key: &str| node.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(name) = text("Function Name") {
            self.expressions.insert(Mention::Call { schema: text("Schema"), name });
        }
        if node.contains_key("Sampling Method") {
            let table = text("Relation Name").unwrap_or_default();
            self.untracked.push(format!("TABLESAMPLE takes some rows of {table}"));
        }
        node.iter().filter(|(key, _)| !NAMES.contains(&key.as_str())).for_each(|(_, value)| self.add(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_searched_and_names_are_not() {
        let plan = r#"[{"Plan": {"Node Type": "Function Scan", "Schema": "app", "Function Name": "f(x)", "Alias": "g(x)",
            "Output": ["h(x)"], "Plans": [{"Filter": "(i(x) > 1)", "Relation Name": "t", "Sampling Method": "system"}]}}]"#;
        let found = mentions("", plan);
        let call = |schema: Option<&str>, name: &str| Mention::Call {
            schema: schema.map(str::to_owned),
            name: name.into(),
        };
        let expected = [call(Some("app"), "f(x)"), call(None, "h"), call(None, "i")];
        assert_eq!(found.expressions, expected.into_iter().collect());
        assert_eq!(found.untracked, ["TABLESAMPLE takes some rows of t"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(mentions("", &"[".repeat(1000)).untracked.len(), 1);
    }
}
