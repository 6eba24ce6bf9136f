//! A hauler: COPY of many rows, and now and then TRUNCATE.

use std::thread::sleep;
use std::time::Duration;

use crate::consistency::clock::nanos;
use crate::consistency::pen::{Outcome, Pen};
use crate::consistency::plot::{Draft, Place, Rows};
use crate::consistency::row::Row;
use crate::consistency::transaction::Transaction;
use crate::consistency::world::World;

use super::writer::{Ledger, Writer};

/// How many plots a COPY replaces at most.
const LOAD: usize = 30;
/// Between two loads.
const REST: Duration = Duration::from_millis(40);
/// How long readers can find that nothing is there, in microseconds.
const EMPTY: u64 = 5_000;
/// How often everything is truncated in ten seconds, or in a shorter run.
const TRUNCATIONS: u64 = 2;

/// Writes until writers are to stop.
pub fn run(world: &World) -> Ledger {
    let (mut writer, mut pen) = (Writer::new(world), Pen::new(world));
    let every = nanos(world.plan.length.min(Duration::from_secs(10))) / (TRUNCATIONS + 1);
    let mut next = world.clock.now() + every;
    while writer.goes_on() {
        if world.clock.now() > next {
            replace(&mut writer, &mut pen, world.field.all(), Some("TRUNCATE t"));
            next = world.clock.now() + every;
        } else {
            let plots = (0..writer.rng.usize(1..=LOAD)).filter_map(|_| world.field.take(&mut writer.rng));
            let plots = plots.collect();
            replace(&mut writer, &mut pen, plots, None);
        }
        sleep(REST * world.plan.rest);
    }
    writer.close([pen])
}

/// Empties the plots and copies new rows there, in one transaction or in two.
fn replace<'w>(writer: &mut Writer<'w>, pen: &mut Pen<'w>, plots: Vec<Place<'w>>, truncate: Option<&str>) {
    let gone: Vec<Row> = plots.iter().flat_map(|plot| plot.rows).flatten().collect();
    let (empty, touches) = match truncate {
        Some(sql) => (sql.to_owned(), 0),
        None => (delete(&gone), gone.len() as u64),
    };
    let drafts = plots.into_iter().map(|plot| Draft { plot, rows: Rows::default() }).collect();
    let mut transaction = Transaction { drafts };
    let apart = writer.rng.bool();
    if apart {
        let outcome = pen.finish(&empty, touches);
        if !writer.keep(&mut transaction, outcome, pen) {
            return;
        }
        sleep(Duration::from_micros(writer.rng.u64(..EMPTY)));
    }
    let rows = refill(writer, &mut transaction);
    let going = pen.write("BEGIN", 0) && (apart || pen.write(&empty, touches)) && pen.copy(&rows);
    let outcome = if going { pen.finish("COMMIT", 0) } else { Outcome::RolledBack };
    writer.settle(transaction, outcome, pen);
}

fn delete(rows: &[Row]) -> String {
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    format!("DELETE FROM t WHERE id = ANY ('{{{}}}')", ids.join(","))
}

/// Drafts a row for every id; addresses move around.
fn refill(writer: &mut Writer<'_>, transaction: &mut Transaction<'_>) -> Vec<Row> {
    for draft in &mut transaction.drafts {
        let mut emails = draft.plot.emails();
        writer.rng.shuffle(&mut emails);
        for (slot, place) in draft.rows.iter_mut().enumerate() {
            *place = Some(writer.world.field.row(draft.plot.id(slot), emails[slot]));
        }
    }
    transaction.drafts.iter().flat_map(|draft| draft.rows).flatten().collect()
}
