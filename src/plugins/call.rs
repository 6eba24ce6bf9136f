//! Calls: a command from its arrival to its answer, and where its time went.

use super::subject::Subject;
use crate::cache::Timings;
use crate::clock::Tick;

/// Of how many arguments, and of how many bytes of each, a record is kept.
pub const KEPT_ARGUMENTS: usize = 5;
const KEPT_BYTES: usize = 128;

/// A command whose client waits.
#[derive(Debug)]
pub struct Call {
    /// Its name in lower case: `pgcache.read`.
    pub command: &'static str,
    /// When it arrived.
    pub began: Tick,
    /// Its first arguments without the name, each cut.
    pub arguments: Vec<Box<[u8]>>,
    /// Whether it changes the cache.
    pub is_write: bool,
    /// The client's id.
    pub client: u64,
    /// What it is about, where somebody wanted to know.
    pub subject: Option<Box<Subject>>,
    /// What is known of its time so far.
    pub timings: Timings,
}

/// A command that was answered.
#[derive(Debug)]
pub struct CommandEnd<'a> {
    /// Its name in lower case.
    pub command: &'static str,
    /// Whether it changes the cache.
    pub is_write: bool,
    /// The client's id.
    pub client: u64,
    /// What it was about, where somebody wanted to know before it ran; `None` as well for a command about no table.
    pub subject: Option<&'a Subject>,
    /// When it was answered, in seconds of a clock that only goes forward.
    pub at_s: u64,
    /// From its arrival to its answer, in microseconds.
    pub duration_us: u64,
    /// Of that, outside of the main thread.
    pub timings: Timings,
    /// The code of the error that it was answered with.
    pub error: Option<&'a str>,
    /// Its arguments.
    pub arguments: Args<'a>,
}

impl CommandEnd<'_> {
    /// The time that is neither the queue's nor PostgreSQL's, in microseconds.
    pub fn main_us(&self) -> u64 {
        self.duration_us.saturating_sub(self.timings.queue_us).saturating_sub(self.timings.postgres_us)
    }
}

/// A call's arguments: copied only for whoever wants to keep them.
#[derive(Clone, Copy)]
pub enum Args<'a> {
    /// Those that were kept while the client waited.
    Kept(&'a [Box<[u8]>]),
    /// Those of the command under way.
    Live(&'a dyn Fn() -> Vec<Box<[u8]>>),
}

impl Args<'_> {
    /// A copy of the first ones, each cut.
    pub fn keep(&self) -> Vec<Box<[u8]>> {
        match self {
            Self::Kept(words) => words.to_vec(),
            Self::Live(words) => words(),
        }
    }
}

impl std::fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words")
    }
}

/// Copies the first of `words`, each cut.
pub fn kept<'w>(words: impl Iterator<Item = &'w [u8]>) -> Vec<Box<[u8]>> {
    words.take(KEPT_ARGUMENTS).map(|word| word.get(..KEPT_BYTES).unwrap_or(word).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_are_kept_each_cut() {
        let long = [b'x'; 500];
        let words = kept([&long[..], b"a", b"b", b"c", b"d", b"e"].into_iter());
        assert_eq!((words.len(), words.first().map(|word| word.len())), (5, Some(128)));
    }

    #[test]
    fn what_is_neither_queue_nor_postgresql_is_the_main_threads() {
        let ended = |duration_us| CommandEnd {
            command: "pgcache.read",
            is_write: false,
            client: 1,
            subject: None,
            at_s: 0,
            duration_us,
            timings: Timings { queue_us: 30, postgres_us: 50 },
            error: None,
            arguments: Args::Kept(&[]),
        };
        assert_eq!((ended(100).main_us(), ended(60).main_us()), (20, 0));
    }
}
