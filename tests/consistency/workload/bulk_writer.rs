//! Bulk writes: COPY of many rows, and now and then TRUNCATE.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::clock::nanos;
use crate::consistency::key_set::{Draft, Place, Rows};
use crate::consistency::row::Row;
use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;
use crate::consistency::writer_connection::{Outcome, WriterConnection};

use super::writer::{Ledger, Writer};

/// How many key sets a COPY replaces at most.
const LOAD: usize = 30;
/// Between two loads.
const REST: Duration = Duration::from_millis(40);
/// How long readers can find that nothing is there, in microseconds.
const EMPTY: u64 = 5_000;
/// How often everything is truncated in ten seconds, or in a shorter run.
const TRUNCATIONS: u64 = 2;

/// Writes until writers are to stop.
pub fn run(world: &World) -> Ledger {
    let (mut writer, mut connection) = (Writer::new(world), WriterConnection::new(world));
    let every = nanos(world.plan.length.min(Duration::from_secs(10))) / (TRUNCATIONS + 1);
    let mut next = world.clock.now() + every;
    while writer.goes_on() {
        if world.clock.now() > next {
            replace(&mut writer, &mut connection, world.key_sets.all(), Some("TRUNCATE t"));
            next = world.clock.now() + every;
        } else {
            let sets = (0..writer.rng.usize(1..=LOAD)).filter_map(|_| world.key_sets.take(&mut writer.rng));
            let sets = sets.collect();
            replace(&mut writer, &mut connection, sets, None);
        }
        sleep(REST * world.plan.rest);
    }
    writer.close([connection])
}

/// Empties the key sets and copies new rows there, in one transaction or in two.
fn replace<'w>(
    writer: &mut Writer<'w>,
    connection: &mut WriterConnection<'w>,
    sets: Vec<Place<'w>>,
    truncate: Option<&str>,
) {
    let gone: Vec<Row> = sets.iter().flat_map(|set| set.rows).flatten().collect();
    let (empty, touches) = match truncate {
        Some(sql) => (sql.to_owned(), 0),
        None => (delete(&gone), gone.len() as u64),
    };
    let drafts = sets.into_iter().map(|set| Draft { set, rows: Rows::default() }).collect();
    let mut transaction = Transaction { drafts };
    let apart = writer.rng.bool();
    if apart {
        let outcome = connection.finish(&empty, touches);
        if !writer.keep(&mut transaction, outcome, connection) {
            return;
        }
        sleep(Duration::from_micros(writer.rng.u64(..EMPTY)));
    }
    let rows = refill(writer, &mut transaction);
    let going = connection.write("BEGIN", 0) && (apart || connection.write(&empty, touches)) && connection.copy(&rows);
    let outcome = if going { connection.finish("COMMIT", 0) } else { Outcome::RolledBack };
    writer.settle(transaction, outcome, connection);
}

fn delete(rows: &[Row]) -> String {
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    format!("DELETE FROM t WHERE id = ANY ('{{{}}}')", ids.join(","))
}

/// Drafts a row for every id; addresses move around.
fn refill(writer: &mut Writer<'_>, transaction: &mut Transaction<'_>) -> Vec<Row> {
    for draft in &mut transaction.drafts {
        let mut emails = draft.set.emails();
        writer.rng.shuffle(&mut emails);
        for (slot, place) in draft.rows.iter_mut().enumerate() {
            *place = Some(writer.world.key_sets.row(draft.set.id(slot), emails[slot]));
        }
    }
    transaction.drafts.iter().flat_map(|draft| draft.rows).flatten().collect()
}
