//! What the catalog says of a relation: its columns, their types and the unique keys that serve a lookup.

use crate::cache::Rule;

/// How much of the clock a type's input function reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nothing: a text means one value for ever.
    Unread,
    /// The words `now`, `today`, `tomorrow` and `yesterday`: dates, times, timestamps.
    Words,
    /// Names of time zones as well, whose offset is that of today: timetz. Composites may hold one.
    Zones,
}

impl Clock {
    /// Whether the meaning of `value` (JSON) depends on when it is read.
    pub fn is_read_by(self, value: &str) -> bool {
        match self {
            Self::Unread => false,
            Self::Words => {
                let value = value.to_ascii_lowercase();
                ["now", "today", "tomorrow", "yesterday"].iter().any(|word| value.contains(word))
            }
            Self::Zones => value.as_bytes().windows(2).any(|pair| pair.iter().all(u8::is_ascii_alphabetic)),
        }
    }
}

/// One column of a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// Its type as SQL names it, schema-qualified and quoted where that is needed: `pg_catalog.int8`.
    pub sql_type: String,
    /// The operator that the type's default B-tree class calls equality, ready for SQL.
    pub equality: String,
    /// How a lookup value of this column gets its one spelling.
    pub rule: Rule,
    /// What in a value makes its meaning depend on when it is read: such a spelling is not remembered.
    pub clock: Clock,
    /// Whether the type is a domain, whose checks only a cast to the domain itself applies.
    pub is_domain: bool,
    /// Whether the JSON of a value can be made without PostgreSQL.
    pub has_form: bool,
}

impl Column {
    /// The type's name for an error: without the schema that every name is looked for in.
    pub fn type_name(&self) -> &str {
        self.sql_type.strip_prefix("pg_catalog.").unwrap_or(&self.sql_type).trim_matches('"')
    }
}

/// A relation as the catalog described it when it was last read.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDefinition {
    /// `pg_class.oid`: what the relation is, whatever it is called.
    pub oid: u32,
    /// Schema, unquoted.
    pub schema: String,
    /// Relation, unquoted.
    pub relation: String,
    /// As `regclass` prints it: without the schema when the search path finds it, quoted where needed.
    pub display: String,
    /// Every column that is not dropped, in the relation's order.
    pub columns: Vec<Column>,
    /// Each unique key as indexes into `columns`, ascending; the primary key first.
    pub unique_keys: Vec<Vec<usize>>,
    /// Those of them that notices of changed rows name. Of another, the write-ahead log does not carry the value that a row had.
    pub named_keys: Vec<Vec<usize>>,
    /// Whether changes of all that it reads from are told.
    pub is_watched: bool,
    /// Whether reading its rows runs nobody's code: a table of built-in types, without row security.
    pub is_plain: bool,
    /// `pg_class.oid` of every relation whose changes concern its rows: itself, its partitions and ancestors, or what
    /// a view reads from.
    pub concerns: Vec<u32>,
    /// A number that changes with its definition in the catalog.
    pub fingerprint: i64,
}

impl TableDefinition {
    /// The position of the column called `name`.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether a unique index on exactly these columns (in any order) serves a lookup.
    pub fn has_unique_key(&self, columns: &[usize]) -> bool {
        self.unique_keys.contains(&sorted(columns))
    }

    /// Whether notices name rows by exactly these columns (in any order).
    pub fn is_named_by(&self, columns: &[usize]) -> bool {
        self.named_keys.contains(&sorted(columns))
    }
}

fn sorted(columns: &[usize]) -> Vec<usize> {
    let mut sorted = columns.to_vec();
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> TableDefinition {
        let column = |name: &str| Column {
            name: name.into(),
            sql_type: "\"pg_catalog\".\"int4\"".into(),
            equality: "OPERATOR(pg_catalog.=)".into(),
            rule: Rule::Int { min: i64::from(i32::MIN), max: i64::from(i32::MAX) },
            clock: Clock::Unread,
            is_domain: false,
            has_form: true,
        };
        TableDefinition {
            oid: 1,
            schema: "public".into(),
            relation: "t".into(),
            display: "t".into(),
            columns: vec![column("a"), column("b"), column("c")],
            unique_keys: vec![vec![0, 1], vec![2]],
            named_keys: vec![vec![0, 1]],
            is_watched: false,
            is_plain: true,
            concerns: vec![1],
            fingerprint: 0,
        }
    }

    #[test]
    fn a_composite_key_is_found_in_any_order() {
        assert!(definition().has_unique_key(&[1, 0]));
    }

    #[test]
    fn a_unique_key_may_be_one_that_no_notice_names() {
        assert!(definition().is_named_by(&[1, 0]));
        assert!(definition().has_unique_key(&[2]) && !definition().is_named_by(&[2]));
    }

    #[test]
    fn only_words_and_zones_read_the_clock() {
        assert!(Clock::Words.is_read_by("\"Tomorrow 04:00\""));
        assert!(!Clock::Words.is_read_by("\"31 Jan 2000 Europe/Berlin\""));
        assert!(Clock::Zones.is_read_by("\"04:00 Europe/Berlin\""));
        assert!(!Clock::Zones.is_read_by("\"04:00:00+01\""));
        assert!(!Clock::Unread.is_read_by("\"now\""));
    }

    #[test]
    fn part_of_a_composite_key_is_not_unique() {
        assert!(!definition().has_unique_key(&[0]));
        assert!(!definition().has_unique_key(&[0, 1, 2]));
    }
}
