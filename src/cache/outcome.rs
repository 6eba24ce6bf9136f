//! Outcomes: a command's reply, or that its client waits.

use super::waiter_id::WaiterId;
use super::{Error, Reply};

/// What the client of a command gets in the command's own call.
#[derive(Debug)]
pub enum Answer {
    /// This reply.
    Now(Reply),
    /// Nothing yet: the client waits, and is answered later.
    Blocked(WaiterId),
}

impl Default for Answer {
    /// What a client gets when the module is not at work.
    fn default() -> Self {
        Self::Now(Reply::default())
    }
}

/// An answer, and what the command was about, where its owner wanted to know: `S` is the owner's.
#[derive(Debug)]
pub struct Outcome<S> {
    /// What the client gets.
    pub answer: Answer,
    /// What the command was about.
    pub subject: Option<S>,
}

impl<S> From<Answer> for Outcome<S> {
    fn from(answer: Answer) -> Self {
        Self { answer, subject: None }
    }
}

impl<S> From<Reply> for Outcome<S> {
    fn from(reply: Reply) -> Self {
        Answer::Now(reply).into()
    }
}

impl<S> From<Error> for Outcome<S> {
    fn from(error: Error) -> Self {
        Reply::Error(error).into()
    }
}
