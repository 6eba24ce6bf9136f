//! What rows of the checked table are asked for by: an id or an e-mail address, or a query with an id.

use std::fmt;

use serde_json::Value;

use crate::support::Reply;

/// What a row can be asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The primary key.
    Id(u32),
    /// The unique column, by the number of the address.
    Email(u32),
    /// The primary key, as the parameter of a query.
    Asked(u32),
}

/// The query of [`Key::Asked`].
const QUERY: &str = "SELECT * FROM t WHERE id = $1";

impl Key {
    /// Whether it is the primary key.
    pub fn is_id(self) -> bool {
        matches!(self, Self::Id(_))
    }

    /// As the command takes it.
    pub fn json(self) -> String {
        match self {
            Self::Id(id) => format!(r#"{{"id":{id}}}"#),
            Self::Email(number) => serde_json::json!({ "email": email(number) }).to_string(),
            Self::Asked(id) => format!("[{id}]"),
        }
    }

    /// The lookup key of the same row.
    pub fn lookup(self) -> Self {
        match self {
            Self::Asked(id) => Self::Id(id),
            key => key,
        }
    }

    /// Whether it is a lookup key.
    pub fn is_lookup(self) -> bool {
        !matches!(self, Self::Asked(_))
    }

    /// The command that asks for the row.
    pub fn command(self) -> [String; 3] {
        let words = if self.is_lookup() { ["PGCACHE.READ", "t"] } else { ["PGCACHE.QUERY", QUERY] };
        let [command, what] = words.map(str::to_owned);
        [command, what, self.json()]
    }

    /// The row in a reply to that; `Null`: there is none.
    pub fn row(self, reply: &Reply) -> Value {
        match (self, reply) {
            (_, Reply::Nil) => Value::Null,
            (Self::Asked(_), reply) => match reply.json() {
                Value::Array(mut rows) => {
                    assert!(rows.len() <= 1, "a primary key has one row: {rows:?}");
                    rows.pop().unwrap_or_default()
                }
                other => panic!("QUERY answers an array: {other}"),
            },
            (_, reply) => reply.json(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.json())
    }
}

/// The address of this number. Some of them need escapes in JSON, so that a notice that spells them otherwise
/// than the cache does is found out.
pub fn email(number: u32) -> String {
    match number % 8 {
        0 => format!("\"ä\\{number}\"@example.com"),
        _ => format!("m{number}@example.com"),
    }
}

/// The number of this address.
pub fn email_number(text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number = digits.parse().ok()?;
    (email(number) == text).then_some(number)
}
