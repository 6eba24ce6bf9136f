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
    /// Since when the main thread is at work for it again.
    pub resumed: Option<Tick>,
}

impl Call {
    /// The main thread is at work for it again.
    pub fn resume(&mut self) {
        self.resumed = Some(Tick::now());
    }

    /// The main thread is done with it for now.
    pub fn suspend(&mut self) {
        self.timings.main_us += self.resumed.take().map_or(0, Tick::elapsed_us);
    }
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
    /// Where that went, for a command whose client has waited; all others are the main thread's work from end to end.
    pub timings: Option<Timings>,
    /// The code of the error that it was answered with.
    pub error: Option<&'a str>,
    /// Its arguments.
    pub arguments: Args<'a>,
}

impl CommandEnd<'_> {
    /// The main thread's work for it, in microseconds.
    pub fn main_us(&self) -> u64 {
        self.timings.map_or(self.duration_us, |timings| timings.main_us)
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
    fn a_command_that_has_not_waited_is_the_main_threads_work_alone() {
        let ended = |timings| CommandEnd {
            command: "pgcache.read",
            is_write: false,
            client: 1,
            subject: None,
            at_s: 0,
            duration_us: 100,
            timings,
            error: None,
            arguments: Args::Kept(&[]),
        };
        let waited = Timings { main_us: 7, postgres_us: 60, ..Timings::default() };
        assert_eq!((ended(None).main_us(), ended(Some(waited)).main_us()), (100, 7));
    }
}
