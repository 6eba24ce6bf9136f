//! Sections of INFO, as plain data.

/// A part of INFO.
#[derive(Debug)]
pub struct Section {
    /// Its name, which INFO prints with the module's name in front.
    pub name: &'static str,
    /// Its lines.
    pub fields: Vec<(String, Field)>,
}

/// What stands behind a name.
#[derive(Debug)]
pub enum Field {
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// Several of them in one line.
    Dict(Vec<(&'static str, Field)>),
}

impl Field {
    /// A text, copied.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
