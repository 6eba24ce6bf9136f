//! A reader: asks for one thing after the other and records every answer.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::support::cluster::client::Address;
use crate::support::Reply;

use super::clock::Nanos;
use super::connection::Connection;
use super::history::{Answer, Read};
use super::key::Key;
use super::key_sets::some_key;
use super::row::Row;
use super::world::{World, SHAPE};

/// How many keys a MULTIREAD asks for at most.
const MANY: usize = 20;
/// Leaves the machine some time for those that are watched.
const REST: Duration = Duration::from_micros(200);

/// What a reader leaves behind.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What it was answered.
    pub reads: Vec<Read>,
    /// How many of them a near cache answered.
    pub near: usize,
    /// Errors by their code, and how often; `lost`: the connection was.
    pub refused: BTreeMap<String, usize>,
}

/// One connection to the cache, opened again when it is lost.
pub struct Reader<'w> {
    world: &'w World,
    number: u16,
    /// The only node that it asks, in a cluster.
    node: Option<Address>,
    connection: Option<Connection>,
    /// What it was answered.
    pub reads: Vec<Read>,
    /// Errors by their code, and how often; `lost`: the connection was.
    pub refused: BTreeMap<String, usize>,
}

impl<'w> Reader<'w> {
    /// A reader that nobody else has the number of.
    pub fn new(world: &'w World) -> Self {
        let number = world.readers.fetch_add(1, Ordering::Relaxed);
        Self { world, number, node: None, connection: None, reads: vec![], refused: BTreeMap::new() }
    }

    /// One that asks this node only.
    pub fn of_node(world: &'w World, node: Address) -> Self {
        Self { node: Some(node), ..Self::new(world) }
    }

    /// Reads what it likes until readers are to stop.
    pub fn run(mut self) -> Recorded {
        let mut rng = fastrand::Rng::new();
        while !self.world.stop_reading.load(Ordering::Relaxed) {
            self.read_something(&mut rng);
        }
        Recorded { reads: self.reads, near: 0, refused: self.refused }
    }

    /// Reads one thing, or several together, and rests.
    pub fn read_something(&mut self, rng: &mut fastrand::Rng) {
        match rng.u8(..5) {
            0 => {
                let keys = (0..rng.usize(1..=MANY)).map(|_| some_key(rng));
                self.read_many(&keys.filter(|key| key.is_lookup()).collect::<Vec<_>>());
            }
            _ => drop(self.read(some_key(rng))),
        }
        sleep(REST * self.world.plan.rest);
    }

    /// READ, or QUERY. What it answered, if it did.
    pub fn read(&mut self, key: Key) -> Option<Answer> {
        let (invoked, reply, returned) = self.call(&key.command())?;
        self.record(key, &key.row(&reply), (invoked, returned));
        self.reads.last().map(|read| read.answer.clone())
    }

    /// MULTIREAD.
    pub fn read_many(&mut self, keys: &[Key]) {
        let list = format!("[{}]", keys.iter().map(|key| key.json()).collect::<Vec<_>>().join(","));
        let Some((invoked, reply, returned)) = self.call(&["PGCACHE.MULTIREAD", "t", &list]) else { return };
        let rows = parsed(&reply.text());
        let rows = rows.as_array().expect("MULTIREAD answers an array");
        assert_eq!(rows.len(), keys.len());
        for (key, row) in keys.iter().zip(rows) {
            self.record(*key, row, (invoked, returned));
        }
    }

    fn record(&mut self, key: Key, row: &Value, (invoked, returned): (Nanos, Nanos)) {
        let answer = match (row, Row::parse(row)) {
            (Value::Null, _) => Answer::Nil,
            (_, Some(row)) => Answer::Row(row),
            _ => Answer::Torn(row.to_string().into()),
        };
        let node = self.connection.as_ref().map_or(0, Connection::node);
        self.reads.push(Read { key, answer, shape: shape(row), node, invoked, returned, reader: self.number });
    }

    /// When it was sent, its reply and when that came; nothing if it was an error.
    fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Option<(Nanos, Reply, Nanos)> {
        let clock = self.world.clock;
        let invoked = clock.now();
        let reply = self.connection().and_then(|connection| connection.try_call(arguments));
        let returned = clock.now();
        let code = match reply {
            // Of a node that is asked by itself: the key is another's.
            Ok(Reply::Error(text)) if self.node.is_some() && text.starts_with("MOVED ") => return None,
            Ok(Reply::Error(text)) => text.split(' ').next().unwrap_or_default().to_owned(),
            Ok(reply) => return Some((invoked, reply, returned)),
            Err(_) => {
                self.connection = None;
                sleep(Duration::from_millis(2));
                "lost".to_owned()
            }
        };
        *self.refused.entry(code).or_default() += 1;
        None
    }

    fn connection(&mut self) -> io::Result<&mut Connection> {
        if self.connection.is_none() {
            self.connection = Some(match &self.node {
                Some(node) => Connection::to_node(node)?,
                None => self.world.site.connection()?,
            });
        }
        Ok(self.connection.as_mut().expect("it was opened"))
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The number of the youngest column that a row shows.
pub fn shape(row: &Value) -> Option<u32> {
    let columns = row.as_object()?.iter().filter_map(|(name, value)| Some((name.strip_prefix(SHAPE)?, value)));
    columns.filter_map(|(number, value)| Some(number.parse().ok()?).filter(|it| value == it)).max()
}
