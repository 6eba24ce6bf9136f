//! The pulse of a connection: since when it owes an answer, and what ends it from another thread than the one that waits.

use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::Socket;

/// An answer is late after so long: most take a thousandth of it.
pub(crate) const LATE: Duration = Duration::from_millis(500);
/// And again so long after it was found to have a reason.
const EXCUSED: Duration = Duration::from_secs(1);

/// What other threads may know of a connection, and do to it.
#[derive(Debug)]
pub(crate) struct Pulse {
    socket: Socket,
    is_stopped: AtomicBool,
    /// The number of its server process; 0 until that is known, and where the process is others' too.
    process: AtomicI32,
    answer: Mutex<Answer>,
}

/// The answer that it owes, if it owes one.
#[derive(Debug)]
struct Answer {
    /// When it was asked for.
    asked: Option<Instant>,
    /// When a part of it came last, or it was asked for.
    moved: Instant,
    /// When the last one came, or the connection was opened.
    last: Instant,
    /// When it was found last to have a reason to be late.
    excused: Option<Instant>,
    /// How long it may take at most before the connection is of no more use.
    longest: Duration,
}

impl Pulse {
    /// That of `stream`.
    pub(crate) fn of(stream: &impl AsFd) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?.into();
        let now = Instant::now();
        let answer = Answer { asked: None, moved: now, last: now, excused: None, longest: LATE };
        let answer = Mutex::new(answer);
        Ok(Self { socket, is_stopped: AtomicBool::new(false), process: AtomicI32::new(0), answer })
    }

    /// Ends the connection. Whoever waits for an answer is told at once that it was closed.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        // One that has ended already is as it should be.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Whether that was done.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Its server process is this one, and nobody else's.
    pub(crate) fn belongs_to(&self, process: i32) {
        self.process.store(process, Ordering::Relaxed);
    }

    /// The number of its server process, where that is known to be its own.
    pub(crate) fn process(&self) -> Option<i32> {
        Some(self.process.load(Ordering::Relaxed)).filter(|process| *process != 0)
    }

    /// From now on it is of use for so long without an answer.
    pub(crate) fn may_take(&self, longest: Duration) {
        self.answer.lock().longest = longest.max(LATE);
    }

    /// Whether it owes an answer, of which nothing has come for too long, and that has not been found to have a reason.
    pub(crate) fn is_late(&self) -> bool {
        let answer = self.answer.lock();
        let is_excused = answer.excused.is_some_and(|excused| excused.elapsed() < EXCUSED);
        answer.asked.is_some() && answer.moved.elapsed() >= LATE && !is_excused
    }

    /// Whether something has come that nobody has read yet.
    pub(crate) fn has_unread(&self) -> bool {
        matches!(self.socket.peek(&mut [MaybeUninit::uninit()]), Ok(1))
    }

    /// Whether it owes an answer that has taken so long that it is of no more use.
    pub(crate) fn is_useless(&self) -> bool {
        let answer = self.answer.lock();
        answer.asked.is_some_and(|asked| asked.elapsed() >= answer.longest)
    }

    /// Whether an answer has come since `moment`, or the connection was opened.
    pub(crate) fn has_answered_since(&self, moment: Instant) -> bool {
        self.answer.lock().last >= moment
    }

    /// The answer is late for a reason.
    pub(crate) fn excuse(&self) {
        self.answer.lock().excused = Some(Instant::now());
    }

    /// A request is sent.
    pub(crate) fn asks(&self) {
        let mut answer = self.answer.lock();
        if answer.asked.is_none() {
            answer.moved = Instant::now();
            answer.asked = Some(answer.moved);
        }
    }

    /// A part of an answer has come.
    pub(crate) fn moves(&self) {
        self.answer.lock().moved = Instant::now();
    }

    /// All requests have been answered.
    pub(crate) fn answered(&self) {
        let mut answer = self.answer.lock();
        (answer.asked, answer.excused, answer.last) = (None, None, Instant::now());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn before(time: Duration) -> Option<Instant> {
        Instant::now().checked_sub(time)
    }

    impl Pulse {
        /// It was asked at `moment`, and nothing has come since.
        fn since(&self, moment: Option<Instant>) {
            let mut answer = self.answer.lock();
            (answer.asked, answer.moved) = (moment, moment.unwrap());
        }
    }

    #[test]
    fn what_nobody_has_read_yet_is_seen() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let pulse = Pulse::of(&ours).unwrap();
        assert!(!pulse.has_unread());
        std::io::Write::write_all(&mut theirs, b"1").unwrap();
        assert!(pulse.has_unread() && pulse.has_unread());
        std::io::Read::read_exact(&mut &ours, &mut [0]).unwrap();
        assert!(!pulse.has_unread());
        drop(theirs);
        assert!(!pulse.has_unread(), "an end is no answer");
    }

    #[test]
    fn only_what_is_owed_is_late_and_not_again_at_once() {
        let pulse = Pulse::of(&UnixStream::pair().unwrap().0).unwrap();
        assert!(!pulse.is_late() && !pulse.is_useless(), "nothing is owed");
        pulse.asks();
        assert!(!pulse.is_late());
        pulse.since(before(LATE));
        pulse.asks();
        assert!(pulse.is_late() && pulse.is_useless(), "the request before it is still unanswered");
        pulse.moves();
        assert!(!pulse.is_late() && pulse.is_useless(), "a long answer may take its time");
        pulse.since(before(LATE));
        pulse.excuse();
        assert!(!pulse.is_late());
        pulse.answer.lock().excused = before(EXCUSED);
        assert!(pulse.is_late());
        let moment = Instant::now();
        assert!(!pulse.has_answered_since(moment));
        pulse.answered();
        assert!(!pulse.is_late() && !pulse.is_useless() && pulse.has_answered_since(moment));
    }

    #[test]
    fn one_that_may_take_longer_is_late_before_it_is_useless() {
        let pulse = Pulse::of(&UnixStream::pair().unwrap().0).unwrap();
        pulse.may_take(Duration::from_secs(60));
        pulse.since(before(LATE));
        assert!(pulse.is_late() && !pulse.is_useless());
        pulse.may_take(Duration::ZERO);
        assert!(pulse.is_useless());
    }

    #[test]
    fn whoever_waits_is_told_of_the_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let pulse = Pulse::of(&ours).unwrap();
        assert_eq!((pulse.process(), pulse.is_stopped()), (None, false));
        pulse.belongs_to(7);
        pulse.stop();
        assert_eq!((pulse.process(), pulse.is_stopped()), (Some(7), true));
        assert_eq!(std::io::Read::read(&mut &ours, &mut [0]).unwrap(), 0);
    }
}
