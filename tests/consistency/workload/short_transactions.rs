//! Short transactions, one after the other: single rows, several rows, several statements.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::key_set::Draft;
use crate::consistency::mutation::{self, Mutation};
use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;
use crate::consistency::writer_connection::{Outcome, WriterConnection};

use super::writer::{Ledger, Writer};

/// How many rows a statement, or statements a transaction, has at most.
const MANY: usize = 12;
/// How long it thinks at most.
const THOUGHT: u64 = 1_500;

/// Writes until writers are to stop.
pub fn run(world: &World) -> Ledger {
    run_on(world, WriterConnection::new(world))
}

/// The same, where commits do not wait until they are written to the log.
pub fn run_lazily(world: &World) -> Ledger {
    run_on(world, WriterConnection::lazy(world))
}

fn run_on<'w>(world: &'w World, mut connection: WriterConnection<'w>) -> Ledger {
    let mut writer = Writer::new(world);
    while writer.goes_on() {
        match writer.rng.u8(..100) {
            0..=84 => single(&mut writer, &mut connection),
            85..=94 => many_rows(&mut writer, &mut connection),
            _ => many_statements(&mut writer, &mut connection),
        }
        sleep(Duration::from_micros(writer.rng.u64(..THOUGHT)) * world.plan.rest);
    }
    writer.close([connection])
}

/// Takes a key set and draws up what to do to it.
pub fn draw<'w>(writer: &mut Writer<'w>, transaction: &mut Transaction<'w>) -> Option<(String, u64)> {
    let set = writer.world.key_sets.take(&mut writer.rng)?;
    let Mutation { sql, touches, rows } = mutation::random(&writer.world.key_sets, &set, &mut writer.rng);
    transaction.drafts.push(Draft { set, rows });
    Some((sql, touches))
}

/// One message, committed by itself.
fn single<'w>(writer: &mut Writer<'w>, connection: &mut WriterConnection<'w>) {
    let mut transaction = Transaction::default();
    let Some((sql, touches)) = draw(writer, &mut transaction) else { return };
    let outcome = connection.finish(&sql, touches);
    writer.settle(transaction, outcome, connection);
}

/// One UPDATE of several rows.
fn many_rows<'w>(writer: &mut Writer<'w>, connection: &mut WriterConnection<'w>) {
    let (mut transaction, mut values) = (Transaction::default(), vec![]);
    let key_sets = &writer.world.key_sets;
    for _ in 0..writer.rng.usize(2..=MANY) {
        let Some(set) = key_sets.take(&mut writer.rng) else { continue };
        let rows = set.rows.map(|row| row.map(|row| mutation::update(key_sets, row)));
        values.extend(rows.iter().flatten().map(|row| format!("({})", row.values())));
        transaction.drafts.push(Draft { set, rows });
    }
    if values.is_empty() {
        return;
    }
    let sql = format!(
        "UPDATE t SET ver = n.ver, chk = n.chk, pad = n.pad
         FROM (VALUES {}) AS n (id, email, ver, chk, pad) WHERE t.id = n.id",
        values.join(",")
    );
    let outcome = connection.finish(&sql, values.len() as u64);
    writer.settle(transaction, outcome, connection);
}

/// BEGIN, several statements, COMMIT; some statements in transactions within it.
fn many_statements<'w>(writer: &mut Writer<'w>, connection: &mut WriterConnection<'w>) {
    let mut transaction = Transaction::default();
    let mut going = connection.write("BEGIN", 0);
    for _ in 0..writer.rng.usize(2..=MANY) {
        if !going {
            break;
        }
        let savepoint = writer.rng.u8(..3) == 0;
        if savepoint {
            going = connection.write("SAVEPOINT within", 0);
        }
        let Some((sql, touches)) = draw(writer, &mut transaction).filter(|_| going) else { continue };
        going = connection.write(&sql, touches);
        if savepoint && going {
            going = end_within(writer, connection, &mut transaction);
        }
    }
    let outcome = if going { connection.finish("COMMIT", 0) } else { Outcome::RolledBack };
    writer.settle(transaction, outcome, connection);
}

/// Ends the transaction within, and forgets what was drawn last if it is undone. Whether it went well.
fn end_within<'w>(
    writer: &mut Writer<'w>,
    connection: &mut WriterConnection<'w>,
    transaction: &mut Transaction<'w>,
) -> bool {
    if writer.rng.bool() {
        return connection.write("RELEASE within", 0);
    }
    let undone = connection.write("ROLLBACK TO within", 0);
    transaction.drafts.pop();
    undone
}
