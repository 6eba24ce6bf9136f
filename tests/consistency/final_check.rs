//! The final check: once writers have stopped and faults are healed, every key is compared with PostgreSQL.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::Reply;

use super::connection::Connection;
use super::key::Key;
use super::key_sets::all_keys;
use super::reader::shape;
use super::row::{Row, COLUMNS};
use super::violation::{Violation, Violations};
use super::world::World;

/// How many READs are sent together.
const TOGETHER: usize = 100;
/// How long after the lease a key may still be out of date.
const GRACE: Duration = Duration::from_secs(2);
/// How long it may take until every READ is answered again.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is still out of date, or not answered, when all time is up. In a cluster each node is asked too, and says so where a key is another's.
pub fn take(world: &World) -> Violations {
    let expected = expected(world);
    let began = Instant::now();
    let mut violations = Violations::default();
    for number in 0..world.site.connections().len() {
        violations.merge(ask(world, number, &expected, began));
    }
    violations
}

/// Asks in the way of this number until nothing is left, or time is up.
fn ask(world: &World, number: usize, expected: &Expected, began: Instant) -> Violations {
    let mut unlike: Vec<Key> = all_keys().collect();
    loop {
        let mut connection = world.site.connections().swap_remove(number);
        // When it is asked: the machine may stand still until it is answered.
        let time_is_up = began.elapsed() > world.plan.max_staleness + GRACE;
        let answers = answers(&mut connection, &unlike);
        let all_answered = !answers.iter().any(is_error);
        let wrong = |(key, reply): &(Key, Reply)| !expected.fits(*key, reply);
        let left: Vec<(Key, Reply)> = unlike.into_iter().zip(answers).filter(wrong).collect();
        if left.is_empty() || (time_is_up && all_answered) || began.elapsed() > PATIENCE {
            return told(&left, expected);
        }
        unlike = left.into_iter().map(|(key, _)| key).collect();
        sleep(Duration::from_millis(20));
    }
}

/// What READ must say.
struct Expected {
    rows: Vec<Row>,
    shape: Option<u32>,
}

impl Expected {
    fn state(&self, key: Key) -> Option<Row> {
        self.rows.iter().find(|row| row.answers(key)).copied()
    }

    fn fits(&self, key: Key, reply: &Reply) -> bool {
        match (self.state(key), reply) {
            (None, Reply::Nil) => true,
            (None, Reply::Bulk(_)) => key.row(reply).is_null(),
            (Some(row), Reply::Bulk(_)) => {
                let json = key.row(reply);
                Row::parse(&json) == Some(row) && shape(&json) == self.shape
            }
            // Another node's.
            (_, Reply::Error(_)) => reply.code() == "MOVED",
            _ => false,
        }
    }
}

/// What PostgreSQL has. It must be what the writers think it has.
fn expected(world: &World) -> Expected {
    let sets = world.key_sets.all();
    let rows: Vec<Row> = sets.iter().flat_map(|set: &super::key_set::Place<'_>| set.rows).flatten().collect();
    let mut client = world.postgres().connect(&world.database).unwrap();
    let sql = format!("SELECT row_to_json(t)::text FROM (SELECT {COLUMNS} FROM t ORDER BY id) AS t");
    let stored = client.query(&sql, &[]).unwrap();
    let parsed = |row: &postgres::Row| Row::parse(&serde_json::from_str(row.get(0)).unwrap());
    let stored: Vec<Row> = stored.iter().filter_map(parsed).collect();
    assert_eq!(stored, rows, "PostgreSQL has other rows than the writers think");
    Expected { rows, shape: world.deeds.lock().unwrap().reshapes.last().and_then(|it| it.shape) }
}

fn answers(connection: &mut Connection, keys: &[Key]) -> Vec<Reply> {
    let commands = |keys: &[Key]| keys.iter().map(|key| key.command().to_vec()).collect::<Vec<_>>();
    keys.chunks(TOGETHER).flat_map(|keys| connection.call_all(&commands(keys))).collect()
}

/// Whether somebody should have answered and did not.
fn is_error(reply: &Reply) -> bool {
    !["", "MOVED"].contains(&reply.code())
}

fn told(left: &[(Key, Reply)], expected: &Expected) -> Violations {
    let mut violations = Violations::default();
    for (key, reply) in left {
        violations.add(Violation::PermanentlyStale, || {
            let answer = String::from_utf8_lossy(match reply {
                Reply::Bulk(bytes) => bytes,
                Reply::Error(text) => text.as_bytes(),
                _ => b"nil",
            });
            let answer: String = answer.chars().take(120).collect();
            format!("{key} is {answer}, but PostgreSQL has {:?}", expected.state(*key))
        });
    }
    violations
}
