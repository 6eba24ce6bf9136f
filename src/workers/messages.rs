//! What workers tell the server's main thread.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::watch_request::WatchAnswer;
use crate::cache::{Error, FlightId, PgSnapshot, TableDefinition, Timings};
use crate::postgres::query::{QueryDescription, QueryPlan};
use crate::postgres::rows::load::Fetched;
use crate::postgres::Transition;

pub use crate::cdc::feed::FeedEvent;

/// Which source, as its position in the settings.
pub type SourceIndex = usize;

/// A message to the main thread. They are applied in the order they were sent.
#[derive(Debug)]
pub enum Message {
    /// One statement's results, or its failure, for each flight that waited for it.
    CompletedFlight {
        /// Every flight and what it brought.
        outcomes: Vec<(FlightId, Result<Fetched, Error>)>,
        /// Which transactions PostgreSQL showed before the statement, if one of the flights has to know.
        snapshot: Option<PgSnapshot>,
        /// How long the first of them waited for a worker, and how long the statement took.
        timings: Timings,
    },
    /// The catalog's answer to the name that a client used.
    Described {
        /// Where it was asked.
        source: SourceIndex,
        /// The name, as it was asked.
        name: String,
        /// The relation, or why there is none.
        result: Result<TableDefinition, Error>,
        /// When the catalog was asked.
        asked: Instant,
    },
    /// What the catalog says now of a relation that is known. Answers may overtake each other.
    Redefined {
        /// Where it happened.
        source: SourceIndex,
        /// `pg_class.oid` of the relation that the memo holds.
        oid: u32,
        /// What it is now; `None`: it is gone.
        definition: Option<Arc<TableDefinition>>,
        /// When the catalog was asked.
        asked: Instant,
    },
    /// What PostgreSQL says of a query that is not known yet.
    QueryDescribed {
        /// Where it was asked.
        source: SourceIndex,
        /// The query.
        plan: Arc<QueryPlan>,
        /// What it reads, or why it cannot be run.
        result: Result<QueryDescription, Error>,
        /// When the catalog was asked.
        asked: Instant,
    },
    /// What came of a WATCH command.
    Watched {
        /// The number that it was given.
        number: u64,
        /// Which source answers.
        source: SourceIndex,
        /// What it says.
        result: Result<WatchAnswer, Error>,
    },
    /// A source came up or went down.
    Source(Transition),
    /// What a source's change notices tell.
    Feed {
        /// Which source.
        source: SourceIndex,
        /// What, in order.
        events: Vec<FeedEvent>,
    },
}

/// The workers' end: sends, and wakes the main thread.
#[derive(Clone)]
pub struct MessageSender {
    messages: Sender<Message>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl MessageSender {
    /// A sender that calls `wake` after each message, and the end that the main thread reads.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> (Self, Receiver<Message>) {
        let (messages, receiver) = crossbeam_channel::unbounded();
        (Self { messages, wake }, receiver)
    }

    /// How many messages the main thread has not taken yet.
    pub fn waiting(&self) -> usize {
        self.messages.len()
    }

    /// Sends `message`. Once the main thread has let go of its end nobody is interested any more.
    pub fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            (self.wake)();
        }
    }
}

impl std::fmt::Debug for MessageSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postbox")
    }
}
