//! A master's word: what a replica knows of how far its master has applied the changes of a source.
//!
//! A replica hears of changes by itself, and may hear of them before what its master does about them has come over the link between
//! them: that link may be slow, or cut. So what the replica doubts it doubts until its master has said, over that link, that it has
//! applied as much. Whatever comes after that word the master has stored or kept in knowledge of the change.

use crate::cache::Progress;

/// What is known of one source.
#[derive(Debug, Default)]
pub struct MastersWord {
    /// What the master has said last.
    said: Option<Progress>,
    /// When that was heard.
    heard_ms: u64,
    /// What it is to say, and before which moment everything was told that this covers.
    awaited: Option<(u64, Progress)>,
    /// Everything told here before this moment the master has applied.
    covers_ms: u64,
}

impl MastersWord {
    /// A heartbeat has come back that was sent at `sent_ms`: then or later PostgreSQL was at `progress`.
    pub fn beat(&mut self, sent_ms: u64, progress: Progress) {
        self.awaited.get_or_insert((sent_ms, progress));
        self.settle();
    }

    /// At `now_ms` the master says that it has applied all of `progress`.
    pub fn hear(&mut self, now_ms: u64, progress: Progress) {
        (self.said, self.heard_ms) = (Some(progress), now_ms);
        self.settle();
    }

    /// Whether the master has applied all that was told here at `ms`, and has spoken since: of what it has done itself, and not been
    /// told, that is the proof that the rest has come.
    pub fn covers(&self, ms: u64) -> bool {
        ms < self.covers_ms && ms < self.heard_ms
    }

    /// PostgreSQL may be another one: what was awaited may never be said.
    pub fn ask_anew(&mut self) {
        self.awaited = None;
    }

    /// The server has another master, or another data set of its master's.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn settle(&mut self) {
        let is_said = |(_, awaited): &mut (u64, Progress)| self.said.as_ref().is_some_and(|said| said.covers(awaited));
        if let Some((sent_ms, _)) = self.awaited.take_if(is_said) {
            self.covers_ms = sent_ms;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn progress(text: &str) -> Progress {
        text.parse().unwrap()
    }

    #[test]
    fn the_master_has_applied_what_was_told_before_the_heartbeat_that_it_has_reached() {
        let mut word = MastersWord::default();
        word.beat(100, progress("1@0/5"));
        word.hear(150, progress("1@0/4"));
        assert!(!word.covers(99));
        word.hear(160, progress("1@0/5"));
        assert!(word.covers(99) && !word.covers(100));
    }

    #[test]
    fn a_master_that_is_ahead_has_to_speak_again() {
        let mut word = MastersWord::default();
        word.hear(50, progress("1@0/9"));
        word.beat(100, progress("1@0/5"));
        assert!(word.covers(49) && !word.covers(50));
        word.hear(110, progress("1@0/9"));
        assert!(word.covers(99));
    }

    #[test]
    fn heartbeats_that_come_faster_than_the_masters_word_do_not_put_it_off() {
        let mut word = MastersWord::default();
        for beat in 1..=9 {
            word.beat(beat * 100, progress(&format!("1@0/{beat}")));
        }
        word.hear(950, progress("1@0/1"));
        assert!(word.covers(99) && !word.covers(100));
    }

    #[test]
    fn a_restart_of_postgresql_is_waited_for_anew() {
        let mut word = MastersWord::default();
        word.beat(100, progress("1@0/5"));
        word.ask_anew();
        word.beat(200, progress("2@0/3"));
        word.hear(250, progress("1@0/9"));
        assert!(!word.covers(99));
        word.hear(260, progress("2@0/3"));
        assert!(word.covers(199));
    }

    #[test]
    fn another_masters_word_does_not_count() {
        let mut word = MastersWord::default();
        word.hear(50, progress("1@0/9"));
        word.forget();
        word.beat(100, progress("1@0/5"));
        assert!(!word.covers(49));
    }
}
