//! Mistakes, and what is answered.

pub mod commands;
pub mod connections;
pub mod page;
pub mod settings;

use crate::support::Reply;

/// What is answered to a mistake.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The mistake, in a few words.
    pub mistake: &'static str,
    /// What somebody has typed.
    pub typed: String,
    /// What came back, or stands in the server's log.
    pub answer: String,
}

/// What no answer holds: passwords, and values that a client has sent.
const SECRETS: [&str; 3] = ["open-sesame", "s3cret", "2024-13-01"];

impl Answer {
    /// What the reply to a command says.
    pub fn of(mistake: &'static str, typed: String, reply: &Reply) -> Self {
        let answer = match reply {
            Reply::Error(text) | Reply::Simple(text) => text.clone(),
            other => panic!("{mistake}: {other:?}"),
        };
        Self { mistake, typed, answer }
    }

    /// Its row in the table.
    pub fn row(&self) -> String {
        let code = |text: &str| format!("`{}`", text.replace('|', r"\|"));
        format!("| {} | {} | {} |", self.mistake, code(&self.typed), code(&self.answer))
    }

    /// Whether it is one line without secrets that can stand in a table.
    pub fn is_understood(&self) -> bool {
        let text = &self.answer;
        !text.contains(['\n', '`']) && text.len() < 400 && !SECRETS.iter().any(|secret| text.contains(secret))
    }
}
