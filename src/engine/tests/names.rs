//! How clients name the rows of the model, and what these look like.

/// How a client names a row.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    pub row: usize,
    /// Which of its keys.
    pub key: usize,
    /// Whether in a spelling that only PostgreSQL can read.
    is_foreign: bool,
}

impl Name {
    pub fn of(row: usize, kind: u8) -> Self {
        Self { row, key: usize::from(kind % 4).saturating_sub(1), is_foreign: kind >= 128 }
    }

    pub fn text(self) -> String {
        let letter = char::from(b'a' + self.row as u8);
        match self.key {
            0 => format!(r#"{{"id":{}}}"#, self.row),
            1 if self.is_foreign => format!(r#"{{"k":"{}"}}"#, letter.to_ascii_uppercase()),
            1 => format!(r#"{{"k":"{letter}"}}"#),
            _ => format!(r#"{{"g":"{letter}"}}"#),
        }
    }
}

/// The row that a lookup key names, and the row's own spelling of it where PostgreSQL alone knows that.
pub fn row_of_key(key: &str) -> (usize, Option<String>) {
    let value = key.trim_end_matches('}').rsplit(':').next().unwrap_or_default().trim_matches('"');
    let of_letter = |letter: &str| usize::from(letter.as_bytes()[0].to_ascii_lowercase() - b'a');
    match key.as_bytes()[2] {
        b'i' => (value.parse().expect("a number"), None),
        b'k' => (of_letter(value), Some(format!(r#"{{"k":"{}"}}"#, value.to_ascii_lowercase()))),
        _ => (of_letter(value), None),
    }
}

/// The row as JSON in one of its states.
pub fn json(row: usize, state: usize) -> String {
    format!(r#"{{"id":{row},"state":{state}}}"#)
}
