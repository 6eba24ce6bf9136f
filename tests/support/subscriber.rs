//! The threads that listen to a source, without a server around them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use pgcache::cache::lease::Gap;
use pgcache::cache::notice::Notice;
use pgcache::cdc::Known;
use pgcache::postgres::Shutdown;
use pgcache::settings::{self, Shared};
use pgcache::workers::listener::{Listener, ListenerConfig, Subject};
use pgcache::workers::messages::{FeedEvent, Message, MessageSender};

use super::database::Database;
use super::eventually::{eventually, PATIENCE};
use super::server::FOREVER_MS;

/// The listening threads of a source, and what they have told.
pub struct Subscriber {
    listeners: Vec<Listener>,
    messages: Receiver<Message>,
    /// What came with what was taken last.
    waiting: VecDeque<FeedEvent>,
    /// The relations whose definitions they compare.
    pub known: Arc<Known>,
    /// Everything that was taken from them.
    pub heard: Vec<FeedEvent>,
}

impl Subscriber {
    /// Listens to `database` with further settings.
    pub fn on(database: &Database<'_>, further: &[(&str, &str)]) -> Self {
        Self::at(database.postgres.port(), &database.name, further)
    }

    /// Listens to the database called `name` behind `port`, with patience: a machine that stands still for a while
    /// must not end an attempt to connect or to listen.
    pub fn at(port: u16, name: &str, further: &[(&str, &str)]) -> Self {
        let port = port.to_string();
        let mut args = vec![
            ("pg_host", "127.0.0.1"),
            ("pg_port", &port),
            ("pg_database", name),
            ("connect_timeout_ms", FOREVER_MS),
            ("max_staleness_ms", FOREVER_MS),
        ];
        args.retain(|(name, _)| further.iter().all(|(other, _)| other != name));
        args.extend(further);
        let args: Vec<String> = args.iter().flat_map(|(name, value)| [name.to_string(), value.to_string()]).collect();
        let settings = Arc::new(Shared::new(settings::load(&args, []).unwrap().settings));
        let (sender, messages) = MessageSender::new(Arc::new(|| {}));
        let known = Arc::<Known>::default();
        let source = Arc::clone(&settings.get().sources[0]);
        let config = ListenerConfig {
            index: 0,
            source,
            pulses: Arc::default(),
            sender,
            settings,
            known: Arc::clone(&known),
            shutdown: Shutdown::default(),
        };
        let start = |subject| Listener::start(config.clone(), subject).unwrap();
        let listeners = [Subject::Notices, Subject::Definitions].map(start).into();
        Self { listeners, messages, waiting: VecDeque::new(), known, heard: Vec::new() }
    }

    /// The next news, if some come in time.
    pub fn next(&mut self, patience: Duration) -> Option<&FeedEvent> {
        if self.waiting.is_empty() {
            match self.messages.recv_timeout(patience) {
                Ok(Message::Feed { events, .. }) => self.waiting.extend(events),
                Ok(other) => panic!("{other:?}"),
                Err(_) => return None,
            }
        }
        self.heard.push(self.waiting.pop_front()?);
        self.heard.last()
    }

    /// Waits for news that `look` finds something in. Panics with `what` after [`PATIENCE`].
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&FeedEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(found) = self.next(Duration::from_millis(100)).and_then(&mut look) {
                return found;
            }
        }
        panic!("never heard: {what}; but {:?}", self.heard);
    }

    /// Waits for a heartbeat that was sent from now on: all that was committed before has been told then.
    pub fn catch_up(&mut self) {
        let now = Instant::now();
        self.until("a heartbeat", |event| matches!(event, FeedEvent::Beat { sent, .. } if *sent >= now).then_some(()));
    }

    /// Waits for a session, and returns its gap.
    pub fn opened(&mut self) -> Option<Gap> {
        self.until("a session", |event| match event {
            FeedEvent::Opened { gap } => Some(*gap),
            _ => None,
        })
    }

    /// Waits for a gap by this cause, in a session or at the beginning of another one.
    pub fn gap(&mut self, cause: Gap) {
        self.until(cause.name(), |event| match event {
            FeedEvent::Gap(gap) | FeedEvent::Opened { gap: Some(gap) } => (*gap == cause).then_some(()),
            _ => None,
        });
    }

    /// Waits for the end of a session, and returns why.
    pub fn closed(&mut self) -> String {
        self.until("the end of a session", |event| match event {
            FeedEvent::Closed(reason) => Some(reason.clone()),
            _ => None,
        })
    }

    /// Takes everything that is told for as long.
    pub fn listen_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            self.next(Duration::from_millis(10));
        }
    }

    /// Every gap so far, those of sessions that began with one included.
    pub fn gaps(&self) -> Vec<Gap> {
        let gap = |event: &FeedEvent| match event {
            FeedEvent::Opened { gap } => *gap,
            FeedEvent::Gap(gap) => Some(*gap),
            _ => None,
        };
        self.heard.iter().filter_map(gap).collect()
    }

    /// When the heartbeats so far were sent.
    pub fn beats(&self) -> Vec<Instant> {
        let beat = |event: &FeedEvent| match event {
            FeedEvent::Beat { sent, .. } => Some(*sent),
            _ => None,
        };
        self.heard.iter().filter_map(beat).collect()
    }

    /// The notices so far, in order.
    pub fn notices(&self) -> Vec<Notice> {
        let notices = |event: &FeedEvent| match event {
            FeedEvent::Notices { notices, .. } => notices.clone(),
            _ => Vec::new(),
        };
        self.heard.iter().flat_map(notices).collect()
    }

    /// Waits until all known relations have been compared from now on, and takes what was told until then.
    pub fn compare(&mut self) {
        let now = Instant::now();
        self.known.hurry();
        eventually("compared", || (self.known.last_compared()? >= now).then_some(()));
        while self.next(Duration::ZERO).is_some() {}
    }

    /// Ends the threads. Returns whether they ended within `patience`.
    pub fn stop(mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        self.listeners.iter_mut().for_each(Listener::stop);
        self.listeners.drain(..).all(|listener| listener.join(deadline))
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        for listener in self.listeners.drain(..) {
            listener.join(deadline);
        }
    }
}
