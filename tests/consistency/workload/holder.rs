//! A holder: transactions held open side by side, or prepared, so that they commit in another order than they
//! began.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::consistency::pen::{Outcome, Pen};
use crate::consistency::plan::Mode;
use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;

use super::clerk::draw;
use super::writer::{Ledger, Writer};

/// How many transactions are open.
const HANDS: usize = 3;
/// Between two acts of the holder at most, in microseconds.
const PAUSE: u64 = 15_000;
/// A prepared transaction is held for so long at most, in milliseconds: a restart fits in between.
const PREPARED: u64 = 1_500;

/// A connection and what it holds.
struct Hand<'w> {
    pen: Pen<'w>,
    held: Option<Held<'w>>,
}

struct Held<'w> {
    transaction: Transaction<'w>,
    /// Under which name it is prepared, and until when it is held.
    prepared: Option<(String, Instant)>,
}

/// Writes until writers are to stop.
pub fn run(world: &World) -> Ledger {
    let mut writer = Writer::new(world);
    let mut hands: Vec<Hand<'_>> = (0..HANDS).map(|_| Hand { pen: Pen::new(world), held: None }).collect();
    while writer.goes_on() {
        let hand = writer.rng.usize(..HANDS);
        act(&mut writer, &mut hands[hand]);
        sleep(Duration::from_micros(writer.rng.u64(..PAUSE)));
    }
    for hand in &mut hands {
        if let Some(held) = hand.held.take() {
            end(&mut writer, &mut hand.pen, held);
        }
    }
    writer.close(hands.into_iter().map(|hand| hand.pen))
}

/// Ends what the hand holds, if it is time, or begins something.
fn act<'w>(writer: &mut Writer<'w>, hand: &mut Hand<'w>) {
    match hand.held.take() {
        Some(held) if held.prepared.as_ref().is_some_and(|(_, until)| Instant::now() < *until) => {
            hand.held = Some(held);
        }
        Some(held) => end(writer, &mut hand.pen, held),
        None => hand.held = begun(writer, &mut hand.pen),
    }
}

fn end<'w>(writer: &mut Writer<'w>, pen: &mut Pen<'w>, held: Held<'w>) {
    let gives_up = writer.rng.u8(..10) == 0;
    let outcome = match held.prepared {
        Some((name, _)) if gives_up => {
            pen.undo_prepared(&name);
            Outcome::RolledBack
        }
        Some((name, _)) => pen.finish_prepared(&name),
        None if gives_up => {
            pen.write("ROLLBACK", 0);
            Outcome::RolledBack
        }
        None => pen.finish("COMMIT", 0),
    };
    writer.settle(held.transaction, outcome, pen);
}

/// Writes without a commit. The first statement takes the transaction's number.
fn begun<'w>(writer: &mut Writer<'w>, pen: &mut Pen<'w>) -> Option<Held<'w>> {
    let mut transaction = Transaction::default();
    let mut going = pen.write("BEGIN", 0);
    for _ in 0..writer.rng.usize(1..=3) {
        if !going {
            break;
        }
        if let Some((sql, touches)) = draw(writer, &mut transaction) {
            going = pen.write(&sql, touches);
        }
    }
    // A transaction that has notified cannot be prepared.
    let prepares = writer.world.plan.mode != Mode::Notify && writer.rng.u8(..4) == 0;
    if going && prepares {
        return prepared(writer, pen, transaction);
    }
    if going {
        return Some(Held { transaction, prepared: None });
    }
    writer.settle(transaction, Outcome::RolledBack, pen);
    None
}

fn prepared<'w>(
    writer: &mut Writer<'w>,
    pen: &mut Pen<'w>,
    transaction: Transaction<'w>,
) -> Option<Held<'w>> {
    let name = format!("held_{}", writer.rng.u64(..));
    if pen.write(&format!("PREPARE TRANSACTION '{name}'"), 0) {
        let until = Instant::now() + Duration::from_millis(writer.rng.u64(..PREPARED));
        return Some(Held { transaction, prepared: Some((name, until)) });
    }
    pen.undo_prepared(&name);
    writer.settle(transaction, Outcome::RolledBack, pen);
    None
}
