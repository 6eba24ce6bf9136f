//! Questions, and what the cache answers to them.

use std::fmt;

use crate::support::queries::{ask, inspect, rows};
use crate::support::{Client, Reply};

/// How many questions are on their way at once.
const TOGETHER: usize = 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Rows of SQL.
    Query(String),
    /// The row of a relation with this `id`.
    Row(String, u64),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(sql) => write!(f, "QUERY {sql}"),
            Self::Row(table, id) => write!(f, "READ {table} {id}"),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These rows.
    Rows(Vec<String>),
    /// It is refused.
    Error,
    /// Nothing yet: it is to be asked again.
    Later(String),
}

/// Asks the cache all of `questions`.
pub fn answers(client: &mut Client, questions: &[&Question]) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(questions.len());
    for some in questions.chunks(TOGETHER) {
        some.iter().for_each(|question| send(client, question));
        answers.extend(some.iter().map(|question| answer(question, &client.receive())));
    }
    answers
}

/// Asks one without waiting for the answer.
pub fn send(client: &mut Client, question: &Question) {
    match question {
        Question::Query(sql) => ask(client, &[sql]),
        Question::Row(table, id) => {
            let key = format!(r#"{{"id":{id}}}"#);
            client.send(&["PGCACHE.READ", table.as_str(), key.as_str()]);
        }
    }
}

fn answer(question: &Question, reply: &Reply) -> Answer {
    match (question, reply) {
        (_, Reply::Error(text)) => match reply.code() {
            "PGBUSY" | "PGTIMEOUT" | "PGDOWN" => Answer::Later(text.clone()),
            _ => Answer::Error,
        },
        (Question::Row(..), Reply::Nil) => Answer::Rows(vec![]),
        (Question::Row(..), row) => Answer::Rows(vec![row.text()]),
        (Question::Query(_), result) => Answer::Rows(rows(result)),
    }
}

/// Whether the answer is said to be tracked: rows of relations are as good as that, for those that are watched.
pub fn is_tracked(client: &mut Client, question: &Question) -> bool {
    match question {
        Question::Query(sql) => match inspect(client, &[sql]) {
            Reply::Error(_) => false,
            told => told.field("tracked") == Reply::Integer(1),
        },
        Question::Row(..) => true,
    }
}
