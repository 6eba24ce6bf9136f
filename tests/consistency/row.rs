//! Rows of the checked table: each version says by itself whether it is whole.

use serde_json::Value;

use super::key::{email, email_number, Key};

/// What the table looks like.
pub const TABLE: &str = "CREATE TABLE t (id bigint PRIMARY KEY, email text UNIQUE, ver bigint, chk bigint, pad text)";

/// The columns that writers set.
pub const COLUMNS: &str = "id, email, ver, chk, pad";

/// One version of a row. No two versions have the same number, whatever their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its primary key.
    pub id: u32,
    /// The number of its address.
    pub email: u32,
    /// Which version it is.
    pub version: u32,
}

impl Row {
    /// As the values of [`COLUMNS`] in SQL.
    pub fn values(self) -> String {
        let Self { id, version, .. } = self;
        format!("{id}, '{}', {version}, {}, '{}'", email(self.email), self.checksum(), self.padding())
    }

    /// As a line of COPY.
    pub fn copy_line(self) -> String {
        let address = email(self.email).replace('\\', "\\\\");
        format!("{}\t{address}\t{}\t{}\t{}\n", self.id, self.version, self.checksum(), self.padding())
    }

    /// What depends on id and version alone, so that a row put together of two versions shows.
    pub fn checksum(self) -> u64 {
        (u64::from(self.version) * 2_654_435_761 % (1 << 31)) ^ u64::from(self.id)
    }

    /// As long as the version wants it; now and then longer than a notice may be, and stored out of line.
    pub fn padding(self) -> String {
        let letter = char::from(b'a' + (self.version % 26) as u8);
        let length = if self.version % 97 == 0 { 9_000 } else { self.version * 37 % 400 };
        letter.to_string().repeat(length as usize)
    }

    /// Whether a lookup by `key` may find it.
    pub fn answers(self, key: Key) -> bool {
        match key {
            Key::Id(id) | Key::Asked(id) => self.id == id,
            Key::Email(email) => self.email == email,
        }
    }

    /// The row in a reply; nothing when its parts are not those of one version.
    pub fn parse(json: &Value) -> Option<Self> {
        let number = |name: &str| json.get(name)?.as_u64();
        let text = |name: &str| json.get(name)?.as_str();
        let row = Self {
            id: number("id")?.try_into().ok()?,
            email: email_number(text("email")?)?,
            version: number("ver")?.try_into().ok()?,
        };
        let whole = number("chk")? == row.checksum() && text("pad")? == row.padding();
        whole.then_some(row)
    }
}
