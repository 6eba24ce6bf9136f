//! A relation of the stream: which of its columns notices are made of, and how.

use super::pgoutput::{self, Cell};
use super::spelling::Spelling;
use crate::cache::canonical::write_string;
use crate::cdc::connection::FeedConnection;
use crate::cdc::Lost;
use crate::postgres::Texts;

const KEY_COLUMNS: &str = include_str!("key_columns.sql");

/// A column of a unique key.
#[derive(Debug)]
struct KeyColumn {
    /// Its place in tuples.
    place: usize,
    name: Box<str>,
    spelling: Spelling,
    is_identity: bool,
}

/// What the catalog says of a column of a unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyType {
    /// Its name.
    pub name: String,
    /// `pg_type.oid` of its type.
    pub type_oid: u32,
    /// That of the built-in type whose values stand in JSON as its do; 0: nobody can tell.
    pub spelled_as: u32,
}

/// How the changes of a relation are told.
#[derive(Debug)]
pub struct Relation {
    /// `None`: only that it has changed.
    key: Option<Vec<KeyColumn>>,
    /// How many columns a tuple has.
    width: usize,
}

/// What a tuple stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A row.
    Row,
    /// Its replica identity.
    Identity,
}

impl Relation {
    /// The relation that the stream tells of, with what the catalog says of its keys now.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub fn read(told: &pgoutput::Relation<'_>, connection: &mut FeedConnection) -> Result<Self, Lost> {
        let rows = connection.ask(&KEY_COLUMNS.replace("@relation@", &told.oid.to_string()))?;
        let key = rows.iter().map(|row| {
            let number = |column| row.text(column).and_then(|text| text.parse().ok());
            Some(KeyType { name: row.text(0)?.to_owned(), type_oid: number(1)?, spelled_as: number(2)? })
        });
        Ok(Self::new(told, &key.collect::<Option<Vec<_>>>().unwrap_or_default()))
    }

    /// The relation that the stream tells of, and whose keys have these columns. The log may be behind the catalog: a column whose type
    /// has changed meanwhile cannot be told.
    pub fn new(told: &pgoutput::Relation<'_>, key: &[KeyType]) -> Self {
        let column = |key: &KeyType| {
            let place = told.columns.iter().position(|column| column.name == key.name);
            // One that the log does not carry is missing from the notices: whoever needs it sees that.
            let Some((place, column)) = place.and_then(|place| Some((place, told.columns.get(place)?))) else {
                return Some(None);
            };
            let spelling = Spelling::of(key.spelled_as).filter(|_| column.type_oid == key.type_oid)?;
            let (name, is_identity) = (key.name.as_str().into(), column.is_identity);
            Some(Some(KeyColumn { place, name, spelling, is_identity }))
        };
        let columns: Option<Vec<Option<KeyColumn>>> = key.iter().map(column).collect();
        let columns = columns.map(|columns| columns.into_iter().flatten().collect::<Vec<_>>());
        Self { key: columns.filter(|columns| !columns.is_empty()), width: told.columns.len() }
    }

    /// The key columns of `tuple` as a JSON object. A value that has not changed and is not in it stands in `before`. `None`: the row
    /// cannot be named.
    pub fn object(&self, tuple: &[Cell<'_>], part: Part, before: Option<&[Cell<'_>]>) -> Option<Box<str>> {
        let key = self.key.as_ref().filter(|_| tuple.len() == self.width)?;
        let mut json = vec![b'{'];
        for column in key.iter().filter(|column| column.is_identity || part == Part::Row) {
            let cell = match tuple.get(column.place)? {
                Cell::Unchanged => before?.get(column.place)?,
                cell => cell,
            };
            if json.len() > 1 {
                json.push(b',');
            }
            write_string(&column.name, &mut json);
            json.push(b':');
            match cell {
                Cell::Null => json.extend_from_slice(b"null"),
                Cell::Text(text) => column.spelling.write(text, &mut json),
                Cell::Unchanged => return None,
            }
        }
        json.push(b'}');
        String::from_utf8(json).ok().map(String::into_boxed_str)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::pgoutput::Column;
    use super::*;

    const TEXT: u32 = 25;
    const INT4: u32 = 23;

    fn relation(key: &[(&str, u32, u32)]) -> Relation {
        let column = |name, type_oid, is_identity| Column { is_identity, name, type_oid };
        let columns = vec![column("id", INT4, true), column("email", TEXT, false), column("note", TEXT, false)];
        let key = key.iter().map(|(name, type_oid, spelled_as)| KeyType {
            name: (*name).to_owned(),
            type_oid: *type_oid,
            spelled_as: *spelled_as,
        });
        Relation::new(&pgoutput::Relation { oid: 5, columns }, &key.collect::<Vec<_>>())
    }

    fn object(relation: &Relation, tuple: &[Cell<'_>], part: Part) -> Option<String> {
        relation.object(tuple, part, None).map(String::from)
    }

    #[test]
    fn a_row_is_named_by_the_columns_of_its_keys() {
        let users = relation(&[("id", INT4, INT4), ("email", TEXT, TEXT)]);
        let tuple = [Cell::Text("1"), Cell::Null, Cell::Text("x")];
        assert_eq!(object(&users, &tuple, Part::Row).unwrap(), r#"{"id":1,"email":null}"#);
        assert_eq!(object(&users, &tuple, Part::Identity).unwrap(), r#"{"id":1}"#);
    }

    #[test]
    fn a_value_that_is_kept_apart_is_taken_from_what_the_row_was() {
        let users = relation(&[("id", INT4, INT4), ("email", TEXT, TEXT)]);
        let (tuple, before) =
            ([Cell::Text("1"), Cell::Unchanged, Cell::Null], [Cell::Text("1"), Cell::Text("a"), Cell::Null]);
        assert_eq!(users.object(&tuple, Part::Row, Some(&before)).unwrap(), r#"{"id":1,"email":"a"}"#.into());
        assert_eq!(object(&users, &tuple, Part::Row), None);
    }

    #[test]
    fn what_cannot_be_spelled_names_no_row() {
        let tuple = [Cell::Text("1"), Cell::Text("a"), Cell::Null];
        for key in [&[("id", INT4, 0)][..], &[("id", TEXT, TEXT)], &[]] {
            assert_eq!(object(&relation(key), &tuple, Part::Row), None, "{key:?}");
        }
        assert_eq!(object(&relation(&[("id", INT4, INT4)]), &tuple[..2], Part::Row), None, "a tuple of another width");
    }

    #[test]
    fn a_column_that_the_log_does_not_carry_is_missing() {
        let tuple = [Cell::Text("1"), Cell::Text("a"), Cell::Null];
        let users = relation(&[("gone", TEXT, TEXT), ("id", INT4, INT4)]);
        assert_eq!(object(&users, &tuple, Part::Row).unwrap(), r#"{"id":1}"#);
    }
}
