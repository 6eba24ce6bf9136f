//! The threads that listen to one source, for as long as the module lives: to its change notices, and to what its
//! catalog says of definitions.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::messages::{FeedEvent, Message, MessageSender, SourceIndex};
use crate::cache::{Gap, Lsn};
use crate::cdc::definitions::{Definitions, COMPARED_EVERY};
use crate::cdc::feed::{for_source, Feed};
use crate::cdc::{Known, Lost};
use crate::postgres::{Pulses, Shutdown};
use crate::settings::{Shared, SourceSettings};

/// The pause before a session is opened again: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How many messages may wait for the main thread before notices are left out, and how few before they are told again.
const FLOOD: (usize, usize) = (50_000, 1_000);

/// How many events go to the main thread at once, at most: each message wakes it.
const EVENTS_AT_ONCE: usize = 256;

/// What the thread listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Change notices.
    Notices,
    /// Definitions.
    Definitions,
}

/// Numbers the threads of all sources, since a thread's name has room for 15 bytes only.
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// What a thread that listens needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Position of the source in the settings.
    pub index: SourceIndex,
    /// Its settings.
    pub source: Arc<SourceSettings>,
    /// Its connections, to which those are added that listen.
    pub pulses: Arc<Pulses>,
    /// Where events go.
    pub sender: MessageSender,
    /// The settings as they stand.
    pub settings: Arc<Shared>,
    /// The relations whose definitions are compared.
    pub known: Arc<Known>,
    /// What ends the connections.
    pub shutdown: Shutdown,
}

/// A thread that listens.
#[derive(Debug)]
pub struct Listener {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    handle: JoinHandle<()>,
}

impl Listener {
    /// Starts a thread that listens to `subject`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(config: ListenerConfig, subject: Subject) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let stem = match subject {
            Subject::Notices => "note",
            Subject::Definitions => "defs",
        };
        let name = format!("pgcache-{stem}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let sink = EventSink { config, subject, is_flooded: false, was_live: false, events: Vec::new(), applied: None };
        let thread = Thread { feed: None, sink, stopped };
        let handle = thread::Builder::new().name(name).spawn(move || thread.run())?;
        Ok(Self { stop: Some(stop), handle })
    }

    /// Tells the thread to end.
    pub fn stop(&mut self) {
        self.stop = None;
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for its end, until `deadline`. Returns whether it has ended; for one that has not the code stays mapped.
    pub fn join(mut self, deadline: Instant) -> bool {
        self.stop();
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        if self.has_ended() {
            // Its panics are caught inside.
            let _ = self.handle.join();
            return true;
        }
        false
    }
}

/// The thread itself.
struct Thread {
    /// Made by the thread, because the files for TLS are read for it.
    feed: Option<Box<dyn Feed>>,
    sink: EventSink,
    stopped: Receiver<()>,
}

impl Thread {
    fn run(mut self) {
        let mut back_off = Duration::ZERO;
        while !self.is_stopped() {
            self.sink.was_live = false;
            let began = Instant::now();
            let Err(Lost(reason)) = self.guarded_session() else { return };
            self.sink.lose(reason);
            back_off = pause_after(back_off, self.sink.was_live, began.elapsed());
            if !self.rest(back_off.mul_f64(0.5 + fastrand::f64() / 2.0)) {
                return;
            }
        }
    }

    /// A panic ends one session, not the thread.
    fn guarded_session(&mut self) -> Result<(), Lost> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.session()));
        let ended = ended.unwrap_or_else(|_| {
            log::error!("a listening thread panicked and starts anew");
            self.feed.iter_mut().for_each(|feed| feed.forget());
            Err(Lost("the listening thread panicked: see the log".into()))
        });
        self.feed.iter_mut().for_each(|feed| feed.close());
        ended
    }

    /// One session, to its end; `Ok` when the thread is to end.
    fn session(&mut self) -> Result<(), Lost> {
        let feed = match &mut self.feed {
            Some(feed) => feed,
            None => self.feed.insert(self.sink.feed()?),
        };
        feed.open()?;
        while self.stopped.try_recv() != Err(TryRecvError::Disconnected) {
            let max_staleness = self.sink.config.settings.get().max_staleness;
            let listened = feed.listen(max_staleness, &mut |event| self.sink.tell(event));
            self.sink.flush();
            listened?;
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Whether the thread is to go on after a pause.
    fn rest(&self, pause: Duration) -> bool {
        self.stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
    }
}

/// The pause after a session that lasted so long, where `before` was the one before it: none after one that was live for a while,
/// because until another one listens hits may be out of date.
fn pause_after(before: Duration, was_live: bool, lasted: Duration) -> Duration {
    match (was_live, lasted >= BACK_OFF.1) {
        (true, true) => Duration::ZERO,
        (true, false) => BACK_OFF.0,
        (false, _) => (before * 2).clamp(BACK_OFF.0, BACK_OFF.1),
    }
}

/// What passes events on to the main thread.
struct EventSink {
    config: ListenerConfig,
    subject: Subject,
    /// Whether notices are left out because the main thread does not come to them.
    is_flooded: bool,
    /// Whether the session has shown a sign of life.
    was_live: bool,
    /// What has not been sent yet.
    events: Vec<FeedEvent>,
    /// The last position among it: what was said of those before it is said of it too.
    applied: Option<Lsn>,
}

impl EventSink {
    /// The feed of the subject, as the source's settings ask for it.
    fn feed(&self) -> Result<Box<dyn Feed>, Lost> {
        let ListenerConfig { source, pulses, known, shutdown, .. } = &self.config;
        let feed = match self.subject {
            Subject::Notices => for_source(source, shutdown, pulses, known),
            Subject::Definitions => {
                let (source, known) = (Arc::clone(source), Arc::clone(known));
                let feed = Definitions::new(source, shutdown.clone(), Arc::clone(pulses), known);
                feed.map(|feed| Some(Box::new(feed) as Box<dyn Feed>))
            }
        };
        let feed = feed.map_err(|error| Lost(error.to_string()))?;
        feed.ok_or_else(|| Lost("invalidation is off".into()))
    }

    fn tell(&mut self, event: FeedEvent) {
        self.was_live |=
            matches!(event, FeedEvent::Beat { .. } | FeedEvent::Vocabulary(_) | FeedEvent::Fingerprints(_));
        if self.subject == Subject::Definitions {
            return self.send(event);
        }
        if !self.is_dropped(&event) && !self.is_premature(&event) {
            self.send(event);
        }
    }

    /// Whether this would have rows relied on whose definitions nobody has compared for too long.
    fn is_premature(&self, event: &FeedEvent) -> bool {
        let longest = self.config.settings.get().max_staleness + 2 * COMPARED_EVERY;
        let is_compared = self.config.known.last_compared().is_some_and(|began| began.elapsed() < longest);
        matches!(event, FeedEvent::Beat { .. }) && !is_compared
    }

    /// The session has ended or could not be opened.
    fn lose(&mut self, reason: String) {
        self.send(match self.subject {
            Subject::Notices => FeedEvent::Closed(reason),
            Subject::Definitions => FeedEvent::Uncompared(reason),
        });
        self.flush();
    }

    /// Whether this is left out, because the main thread has too much to do. Once it has caught up there is a gap, and
    /// until then no sign of life.
    fn is_dropped(&mut self, event: &FeedEvent) -> bool {
        let (waiting, was_flooded) = (self.config.sender.waiting(), self.is_flooded);
        if self.is_flooded && waiting <= FLOOD.1 {
            self.is_flooded = false;
            self.send(FeedEvent::Gap(Gap::Overflow));
        } else if waiting >= FLOOD.0 {
            self.is_flooded = true;
        }
        match event {
            FeedEvent::Notices { .. } | FeedEvent::Beat { .. } | FeedEvent::Applied(_) => self.is_flooded,
            // That which comes with the gap may have been taken before what was left out last.
            FeedEvent::Snapshot(_) => was_flooded,
            _ => false,
        }
    }

    fn send(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::Applied(lsn) => self.applied = Some(lsn),
            event => self.events.push(event),
        }
        if self.events.len() >= EVENTS_AT_ONCE {
            self.flush();
        }
    }

    /// Sends what was told so far.
    fn flush(&mut self) {
        let applied = self.applied.take().map(FeedEvent::Applied);
        self.events.extend(applied);
        if self.events.is_empty() {
            return;
        }
        let ListenerConfig { index, sender, .. } = &self.config;
        sender.send(Message::Feed { source: *index, events: std::mem::take(&mut self.events) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_session_that_was_live_for_a_while_is_followed_by_another_at_once() {
        let (moment, while_) = (Duration::from_millis(1), BACK_OFF.1);
        assert_eq!(pause_after(Duration::ZERO, true, while_), Duration::ZERO);
        assert_eq!(pause_after(BACK_OFF.1, true, moment), BACK_OFF.0, "somebody ends each one");
        let mut pause = Duration::ZERO;
        let pauses: Vec<_> = (0..7)
            .map(|_| {
                pause = pause_after(pause, false, while_);
                pause.as_millis()
            })
            .collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
    }
}
