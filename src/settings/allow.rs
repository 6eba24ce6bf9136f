//! Which tables may be read through the cache.

use super::glob::glob;

/// The allow-list of one source: patterns with `*` (any run of characters) and `?` (any one character).
///
/// Without a pattern every table is open; the system's own schemas are closed whatever the patterns say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowTables {
    patterns: Vec<Pattern>,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// What the schema must match; `None` means any schema that the search path led to.
    schema: Option<String>,
    /// What the relation's own name must match.
    relation: String,
}

impl AllowTables {
    /// Reads a comma-separated list such as `users, sales.*`; blanks around an entry do not count.
    pub fn parse(list: &str) -> Self {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Self { patterns: entries.map(Pattern::parse).collect() }
    }

    /// Whether there is a pattern.
    pub fn is_limited(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Whether the relation `relation` of `schema`, which the caller wrote as `display`, may be read.
    ///
    /// A pattern with a dot matches schema and relation whatever was written. One without a dot matches
    /// the relation's own name, and only where `display` names no schema: the search path led there.
    pub fn allows(&self, schema: &str, relation: &str, display: &str) -> bool {
        if is_system_schema(schema) {
            return false;
        }
        let unqualified = !display.contains('.');
        self.patterns.is_empty() || self.patterns.iter().any(|p| p.matches(schema, relation, unqualified))
    }
}

impl Pattern {
    /// The part before the first dot is the schema's, so that `a.*` can never open a schema `a.b`.
    fn parse(entry: &str) -> Self {
        match entry.split_once('.') {
            Some((schema, relation)) => Self { schema: Some(schema.into()), relation: relation.into() },
            None => Self { schema: None, relation: entry.into() },
        }
    }

    fn matches(&self, schema: &str, relation: &str, unqualified: bool) -> bool {
        let schema_fits = match &self.schema {
            Some(pattern) => glob(pattern, schema),
            None => unqualified,
        };
        schema_fits && glob(&self.relation, relation)
    }
}

/// Whether a schema is the system's: PostgreSQL reserves names that start with `pg_` for itself (catalog, TOAST and temporary schemas).
fn is_system_schema(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, schema: &str, relation: &str, display: &str) -> bool {
        AllowTables::parse(list).allows(schema, relation, display)
    }

    #[test]
    fn an_empty_list_opens_everything_but_the_catalogs() {
        assert!(allows("", "public", "users", "users"));
        assert!(allows(" , ", "sales", "orders", "sales.orders"));
        for schema in ["pg_catalog", "information_schema", "pg_toast", "pg_temp_3"] {
            assert!(!allows("", schema, "t", "t"), "{schema}");
        }
    }

    #[test]
    fn no_pattern_opens_a_catalog() {
        for list in ["*", "*.*", "pg_catalog.*", "pg_catalog.pg_authid"] {
            assert!(!allows(list, "pg_catalog", "pg_authid", "pg_authid"), "{list}");
        }
    }

    #[test]
    fn a_name_without_a_dot_needs_the_search_path() {
        assert!(allows("users", "public", "users", "users"));
        assert!(!allows("users", "secret", "users", "secret.users"));
        assert!(!allows("users", "public", "orders", "orders"));
    }

    #[test]
    fn a_name_with_a_dot_names_the_schema() {
        assert!(allows("sales.*", "sales", "orders", "sales.orders"));
        assert!(allows("sales.*", "sales", "orders", "orders"));
        assert!(!allows("sales.*", "public", "sales", "sales"));
        assert!(!allows("a.*", "a.b", "c", "\"a.b\".c"));
    }

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, text, fits) in [
            ("user?", "users", true),
            ("user?", "user", false),
            ("*", "", true),
            ("*log*", "audit_log_2024", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("caf?", "café", true),
            ("Users", "users", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        assert!(!glob(&"*a".repeat(100), &"a".repeat(90)));
    }
}
