//! `ddl`: columns come and go, and the table is renamed for a moment, in which rows change.

use std::thread::sleep;
use std::time::Duration;

use postgres::error::SqlState;

use crate::consistency::clock::Nanos;
use crate::consistency::history::Reshape;
use crate::consistency::key_set::Draft;
use crate::consistency::mutation;
use crate::consistency::transaction::Transaction;
use crate::consistency::world::{World, SHAPE};
use crate::consistency::writer_connection::WriterConnection;

use super::Nemesis;

/// How many rows change while the table has another name.
const CHANGED: usize = 5;

/// Another definition, then another name, and so on.
pub struct Definitions;

impl Nemesis for Definitions {
    fn name(&self) -> &'static str {
        "ddl"
    }

    fn strike(&self, world: &World, count: usize) {
        match count % 3 {
            2 => rename(world),
            _ => reshape(world),
        }
    }

    fn refusals(&self) -> &'static [&'static str] {
        // While it is renamed there is no such table.
        &["42P01"]
    }
}

/// Adds a column and drops the one before, or only drops it.
fn reshape(world: &World) {
    let last = world.deeds.lock().unwrap().reshapes.last().map_or((0, None), |it| (it.number, it.shape));
    let number = last.0 + 1;
    let shape = (number % 3 != 0).then_some(number);
    let add = shape.map(|it| format!("ADD COLUMN {SHAPE}{it} int DEFAULT {it}"));
    let drop = last.1.map(|it| format!("DROP COLUMN {SHAPE}{it}"));
    let actions: Vec<String> = drop.into_iter().chain(add).collect();
    let (began, returned) = redefine(world, &format!("ALTER TABLE t {}", actions.join(", ")));
    world.deeds.lock().unwrap().reshapes.push(Reshape { number, shape, began, returned });
}

/// Renames the table, changes a few rows and gives it its name back.
fn rename(world: &World) {
    redefine(world, "ALTER TABLE t RENAME TO elsewhere");
    let (mut connection, mut rng) = (WriterConnection::new(world), fastrand::Rng::new());
    for _ in 0..CHANGED {
        let Some(set) = world.key_sets.take(&mut rng) else { continue };
        let rows = set.rows.map(|row| row.map(|row| mutation::update(&world.key_sets, row)));
        let sql: Vec<String> = rows.iter().flatten().map(|row| mutation::update_sql(*row, "elsewhere")).collect();
        let touches = sql.len() as u64;
        let mut transaction = Transaction { drafts: vec![Draft { set, rows }] };
        let outcome = connection.finish(&sql.join(";"), touches);
        let changes = transaction.settle(outcome, &mut connection, world);
        world.deeds.lock().unwrap().changes.extend(changes);
    }
    sleep(Duration::from_millis(10));
    redefine(world, "ALTER TABLE elsewhere RENAME TO t");
}

/// Runs the statement once nobody holds the table for long: all others would have to queue behind it. When it
/// was sent and when it returned.
fn redefine(world: &World, sql: &str) -> (Nanos, Nanos) {
    let mut client = world.postgres().connect(&world.database).unwrap();
    client.batch_execute("SET lock_timeout = '100ms'").unwrap();
    loop {
        let began = world.clock.now();
        match client.batch_execute(sql) {
            Ok(()) => return (began, world.clock.now()),
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {}
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }
}
