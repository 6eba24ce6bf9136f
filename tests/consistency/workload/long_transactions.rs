//! Long transactions: one held open for a while, or prepared. Several of them commit in another order than they
//! began.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;
use crate::consistency::writer_connection::{Outcome, WriterConnection};

use super::short_transactions::draw;
use super::writer::{Ledger, Writer};

/// How long a transaction is held at most.
const HELD: Duration = Duration::from_millis(60);
/// A prepared one is held longer: in a long run a restart fits in between.
const PREPARED: Duration = Duration::from_millis(1_500);

/// Writes until writers are to stop.
pub fn run(world: &World) -> Ledger {
    let (mut writer, mut connection) = (Writer::new(world), WriterConnection::new(world));
    while writer.goes_on() {
        hold(&mut writer, &mut connection);
        pause(&mut writer, HELD / 8);
    }
    writer.close([connection])
}

/// Writes, waits, and commits or not. The first statement takes the transaction's number.
fn hold<'w>(writer: &mut Writer<'w>, connection: &mut WriterConnection<'w>) {
    let mut transaction = Transaction::default();
    let mut going = connection.write("BEGIN", 0);
    for _ in 0..writer.rng.usize(1..=3) {
        if !going {
            break;
        }
        if let Some((sql, touches)) = draw(writer, &mut transaction) {
            going = connection.write(&sql, touches);
        }
    }
    // A transaction that has notified cannot be prepared.
    let prepares = !writer.world.plan.mode.notifies() && writer.rng.u8(..4) == 0;
    let outcome = match (going, prepares) {
        (false, _) => Outcome::RolledBack,
        (true, false) => end(writer, connection),
        (true, true) => end_prepared(writer, connection),
    };
    writer.settle(transaction, outcome, connection);
}

fn end(writer: &mut Writer<'_>, connection: &mut WriterConnection<'_>) -> Outcome {
    pause(writer, HELD);
    if writer.rng.u8(..10) > 0 {
        return connection.finish("COMMIT", 0);
    }
    connection.write("ROLLBACK", 0);
    Outcome::RolledBack
}

fn end_prepared(writer: &mut Writer<'_>, connection: &mut WriterConnection<'_>) -> Outcome {
    let name = format!("held_{}", writer.rng.u64(..));
    let is_prepared = connection.write(&format!("PREPARE TRANSACTION '{name}'"), 0);
    if is_prepared {
        pause(writer, PREPARED.min(writer.world.plan.length / 8));
        if writer.rng.u8(..10) > 0 {
            return connection.finish_prepared(&name);
        }
    }
    connection.undo_prepared(&name);
    Outcome::RolledBack
}

fn pause(writer: &mut Writer<'_>, longest: Duration) {
    sleep(longest.mul_f64(writer.rng.f64()));
}
