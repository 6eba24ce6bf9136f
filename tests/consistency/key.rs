//! Lookup keys of the checked table: an id or an e-mail address.

use std::fmt;

/// What a row can be asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The primary key.
    Id(u32),
    /// The unique column, by the number of the address.
    Email(u32),
}

impl Key {
    /// Whether it is the primary key.
    pub fn is_id(self) -> bool {
        matches!(self, Self::Id(_))
    }

    /// As PGCACHE.READ takes it.
    pub fn json(self) -> String {
        match self {
            Self::Id(id) => format!(r#"{{"id":{id}}}"#),
            Self::Email(number) => serde_json::json!({ "email": email(number) }).to_string(),
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
