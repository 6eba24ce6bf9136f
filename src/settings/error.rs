//! Why a setting was refused, in one line that names it.

use std::fmt;

/// A refused setting. Its text names the setting and what would be right, and never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError(String);

impl SettingError {
    /// Makes an error that reads `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Nobody knows a setting called `name`; `hint` is the end of the sentence.
    pub(super) fn unknown(name: &str, hint: &str) -> Self {
        Self(format!("unknown setting {}{hint}", shown(name)))
    }

    /// `name` was given a value that is not `wanted`; `hint`, if any, asks for what was meant.
    pub(super) fn bad_value(name: &str, wanted: &str, value: &str, hint: &str) -> Self {
        let value = shown(value);
        // The hint comes first: the server cuts what is long.
        Self(match hint {
            "" => format!("{name} must be {wanted}, not {value}"),
            hint => format!("{name} cannot be {value}{hint} It must be {wanted}"),
        })
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}

/// `text` in quotes, with control characters escaped and cut to what fits in a log line.
fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_short_line() {
        let text = SettingError::unknown(&format!("a\r\n\0{}", "x".repeat(1000)), "").to_string();
        assert!(text.starts_with(r#"unknown setting "a\r\n\0xxx"#));
        assert!(text.len() < 120);
    }
}
