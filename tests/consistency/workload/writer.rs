//! What all writers do with a commit: tell the cache or have a look at it, and record.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use crate::consistency::clock::Nanos;
use crate::consistency::history::{Acknowledgement, Answer, Change, History};
use crate::consistency::plan::Mode;
use crate::consistency::reader::Reader;
use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;
use crate::consistency::writer_connection::{Outcome, WriterConnection};
use crate::support::client::encoded;
use crate::support::{Client, Reply};

/// How often a writer asks for what it has just committed before it goes on.
const LOOKS: usize = 20;
/// One of so many commits is looked after.
const LOOKED_AFTER: u8 = 8;

/// What a writer leaves behind.
#[derive(Default)]
pub struct Ledger {
    /// What it committed and read.
    pub history: History,
    /// How many rows it wrote.
    pub writes: usize,
    /// What PostgreSQL refused, by SQLSTATE.
    pub refused: BTreeMap<String, usize>,
}

/// A writer's own records and connections.
pub struct Writer<'w> {
    /// Its world.
    pub world: &'w World,
    /// Its dice.
    pub rng: fastrand::Rng,
    reader: Reader<'w>,
    client: Option<Client>,
    ledger: Ledger,
}

impl<'w> Writer<'w> {
    /// One that has not written yet.
    pub fn new(world: &'w World) -> Self {
        let rng = fastrand::Rng::new();
        Self { world, rng, reader: Reader::new(world), client: None, ledger: Ledger::default() }
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        !self.world.stop_writing.load(Ordering::Relaxed)
    }

    /// A transaction has come to its end.
    pub fn settle(
        &mut self,
        mut transaction: Transaction<'w>,
        outcome: Outcome,
        connection: &mut WriterConnection<'_>,
    ) {
        let changes = transaction.settle(outcome, connection, self.world);
        drop(transaction);
        self.record(changes, connection.slack());
    }

    /// A transaction has come to its end, and its key sets are to be changed again before others can. Whether it
    /// was committed.
    pub fn keep(
        &mut self,
        transaction: &mut Transaction<'w>,
        outcome: Outcome,
        connection: &mut WriterConnection<'_>,
    ) -> bool {
        let changes = transaction.settle(outcome, connection, self.world);
        self.record(changes, connection.slack());
        transaction.is_settled()
    }

    fn record(&mut self, mut changes: Vec<Change>, slack: Nanos) {
        changes.iter_mut().for_each(|change| change.slack = slack);
        self.ledger.writes += changes.iter().filter(|change| change.key.is_id()).count();
        if self.world.plan.mode == Mode::Off {
            self.invalidate(&changes);
        } else if let Some(change) = self.rng.choice(&changes) {
            if self.rng.u8(..LOOKED_AFTER) == 0 {
                self.look_after(change);
            }
        }
        self.ledger.history.changes.extend(changes);
    }

    /// Reads until the cache shows what was committed: those reads tell its age best, and later ones, whoever
    /// makes them, must not be older.
    fn look_after(&mut self, change: &Change) {
        let wanted = change.state.map_or(Answer::Nil, Answer::Row);
        for _ in 0..LOOKS {
            if self.reader.read(change.key).is_none_or(|answer| answer == wanted) {
                break;
            }
        }
    }

    fn invalidate(&mut self, changes: &[Change]) {
        let world = self.world;
        let client = self.client.get_or_insert_with(|| world.client());
        let sent = world.clock.now();
        let commands = changes.iter().map(|change| encoded(&["PGCACHE.INVALIDATE", "t", &change.key.lookup().json()]));
        client.send_raw(&commands.flatten().collect::<Vec<u8>>());
        for change in changes {
            assert_eq!(client.receive(), Reply::Simple("OK".into()), "INVALIDATE");
            let returned = world.clock.now();
            let acknowledgement = Acknowledgement { key: change.key, sent, returned };
            self.ledger.history.acknowledgements.push(acknowledgement);
        }
    }

    /// Nothing more is written.
    pub fn close<'p>(mut self, pens: impl IntoIterator<Item = WriterConnection<'p>>) -> Ledger {
        for (code, count) in pens.into_iter().flat_map(|connection| connection.refused) {
            *self.ledger.refused.entry(code).or_default() += count;
        }
        self.ledger.history.reads = self.reader.reads;
        self.ledger
    }
}
