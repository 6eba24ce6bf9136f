//! A holder: transactions held open side by side, so that they commit in another order than they began.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::pen::{Outcome, Pen};
use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;

use super::clerk::draw;
use super::writer::{Ledger, Writer};

/// How many transactions are open.
const HANDS: usize = 3;
/// How long one is held at most between two acts of the holder, in microseconds.
const HELD: u64 = 15_000;

/// A connection and what it holds.
struct Hand<'w> {
    pen: Pen<'w>,
    held: Option<Transaction<'w>>,
}

/// Writes until writers are to stop.
pub fn run(world: &World) -> Ledger {
    let mut writer = Writer::new(world);
    let mut hands: Vec<Hand<'_>> = (0..HANDS).map(|_| Hand { pen: Pen::new(world), held: None }).collect();
    while writer.goes_on() {
        let hand = writer.rng.usize(..HANDS);
        act(&mut writer, &mut hands[hand]);
        sleep(Duration::from_micros(writer.rng.u64(..HELD)));
    }
    for hand in hands.iter_mut().filter(|hand| hand.held.is_some()) {
        act(&mut writer, hand);
    }
    writer.close(hands.into_iter().map(|hand| hand.pen))
}

/// Ends what the hand holds, or begins something.
fn act<'w>(writer: &mut Writer<'w>, hand: &mut Hand<'w>) {
    match hand.held.take() {
        Some(transaction) if writer.rng.u8(..10) == 0 => {
            hand.pen.write("ROLLBACK", 0);
            writer.settle(transaction, Outcome::RolledBack, &mut hand.pen);
        }
        Some(transaction) => {
            let outcome = hand.pen.finish("COMMIT", 0);
            writer.settle(transaction, outcome, &mut hand.pen);
        }
        None => begin(writer, hand),
    }
}

/// Writes without a commit. The first statement takes the transaction's number.
fn begin<'w>(writer: &mut Writer<'w>, hand: &mut Hand<'w>) {
    let mut transaction = Transaction::default();
    let mut going = hand.pen.write("BEGIN", 0);
    for _ in 0..writer.rng.usize(1..=3) {
        if !going {
            break;
        }
        if let Some((sql, touches)) = draw(writer, &mut transaction) {
            going = hand.pen.write(&sql, touches);
        }
    }
    if going {
        hand.held = Some(transaction);
    } else {
        writer.settle(transaction, Outcome::RolledBack, &mut hand.pen);
    }
}
