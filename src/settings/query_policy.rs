//! Who may send which SQL.

/// Which queries may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryPolicy {
    /// None.
    Off,
    /// Those that were defined.
    Named,
    /// Any.
    Any,
}

impl QueryPolicy {
    /// The words of the setting, in the order of the documentation.
    pub const WORDS: &'static [&'static str] = &["off", "named", "any"];

    /// The table of settings admits no other word, so the last arm is `named`, the default.
    pub(super) fn named(word: &str) -> Self {
        match word {
            "off" => Self::Off,
            "any" => Self::Any,
            _ => Self::Named,
        }
    }
}
