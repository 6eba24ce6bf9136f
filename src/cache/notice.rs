//! Change notices: what PostgreSQL tells of its changes, as JSON.
//!
//! Ours carry keys only: `{"pgcache":1,"rel":16402,"keys":[{"id":1}]}`; without `keys` the whole table has changed.
//! The trigger that many systems have already is understood too: `{"table":…,"operation":…,"old_data":…,"new_data":…}`.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Rows with these keys, as they were and as they are: JSON objects with at least the key columns.
    Rows {
        /// Of which relation.
        relation: Relation,
        /// One object for each row.
        rows: Vec<Box<str>>,
    },
    /// Anything of the relation.
    Table(Relation),
    /// Definitions of these relations (`pg_class.oid`); empty: any.
    Definitions(Vec<u32>),
    /// Queries that carry any of these tags are to be dropped.
    Tags(Vec<String>),
    /// Everything of the source is to be dropped.
    All,
    /// A heartbeat, with the text that was sent.
    Beat(String),
}

/// A relation as a notice names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// By `pg_class.oid`.
    Oid(u32),
    /// By its name alone: any schema's.
    Name(String),
}

/// Every field that a notice may have.
#[derive(Deserialize)]
struct Fields<'a> {
    pgcache: Option<u32>,
    rel: Option<u32>,
    #[serde(borrow)]
    keys: Option<Vec<&'a RawValue>>,
    ddl: Option<Vec<u32>>,
    tags: Option<Vec<String>>,
    all: Option<bool>,
    beat: Option<String>,
    table: Option<String>,
    #[serde(borrow)]
    old_data: Option<&'a RawValue>,
    #[serde(borrow)]
    new_data: Option<&'a RawValue>,
}

impl Notice {
    /// Reads one notice. `None` for a text that is none: whoever listens must take that for a gap, because it may have
    /// been meant as one.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_str(text).ok()?;
        match fields.pgcache {
            Some(_) => fields.ours(),
            None => fields.row_trigger(),
        }
    }
}

impl Fields<'_> {
    fn ours(self) -> Option<Notice> {
        if let Some(beat) = self.beat {
            return Some(Notice::Beat(beat));
        }
        if let Some(oids) = self.ddl {
            return Some(Notice::Definitions(oids));
        }
        if let Some(tags) = self.tags {
            return Some(Notice::Tags(tags));
        }
        if self.all == Some(true) {
            return Some(Notice::All);
        }
        let relation = Relation::Oid(self.rel?);
        Some(match self.keys {
            Some(keys) => Notice::Rows { relation, rows: keys.into_iter().map(text).collect() },
            None => Notice::Table(relation),
        })
    }

    fn row_trigger(self) -> Option<Notice> {
        let relation = Relation::Name(self.table?);
        let rows: Vec<Box<str>> =
            [self.old_data, self.new_data].into_iter().flatten().filter(|data| is_object(data)).map(text).collect();
        Some(if rows.is_empty() { Notice::Table(relation) } else { Notice::Rows { relation, rows } })
    }
}

fn text(json: &RawValue) -> Box<str> {
    json.get().into()
}

fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(relation: Relation, rows: &[&str]) -> Option<Notice> {
        Some(Notice::Rows { relation, rows: rows.iter().map(|row| Box::from(*row)).collect() })
    }

    #[test]
    fn our_notices_carry_keys() {
        assert_eq!(
            Notice::parse(r#"{"pgcache":1,"rel":16402,"keys":[{"id":1,"n":1.50},{"id":2,"n":null}]}"#),
            rows(Relation::Oid(16402), &[r#"{"id":1,"n":1.50}"#, r#"{"id":2,"n":null}"#])
        );
    }

    #[test]
    fn without_keys_it_is_the_table() {
        assert_eq!(Notice::parse(r#"{"pgcache":1,"rel":7}"#), Some(Notice::Table(Relation::Oid(7))));
    }

    #[test]
    fn definitions_and_heartbeats() {
        assert_eq!(Notice::parse(r#"{"pgcache":1,"ddl":[7,8]}"#), Some(Notice::Definitions(vec![7, 8])));
        assert_eq!(Notice::parse(r#"{"pgcache":1,"ddl":[]}"#), Some(Notice::Definitions(vec![])));
        assert_eq!(Notice::parse(r#"{"pgcache":1,"beat":"a-1"}"#), Some(Notice::Beat("a-1".into())));
    }

    #[test]
    fn the_row_trigger_of_others_is_understood() {
        let users = || Relation::Name("users".into());
        assert_eq!(
            Notice::parse(r#"{"table":"users","operation":"UPDATE","old_data":{"id":1},"new_data":{"id":2}}"#),
            rows(users(), &[r#"{"id":1}"#, r#"{"id":2}"#])
        );
        assert_eq!(
            Notice::parse(r#"{"table":"users","operation":"INSERT","old_data":null,"new_data":{"id":2}}"#),
            rows(users(), &[r#"{"id":2}"#])
        );
        assert_eq!(Notice::parse(r#"{"table":"users","operation":"TRUNCATE"}"#), Some(Notice::Table(users())));
    }

    #[test]
    fn anything_else_is_no_notice() {
        for text in
            ["", "users", "{}", "[]", r#"{"pgcache":1}"#, r#"{"operation":"UPDATE"}"#, r#"{"pgcache":1,"rel":-1}"#]
        {
            assert_eq!(Notice::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Notice::parse(&text);
        }
    }
}
