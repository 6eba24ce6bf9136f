//! Storms: functions, operators, casts, types, rights, names, partitions and schemas change again and again, and every answer of the
//! cache becomes PostgreSQL's own.
#![allow(clippy::unwrap_used)]

#[path = "query_attacks/random.rs"]
mod random;
#[path = "storms/mod.rs"]
mod storms;
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use random::Random;
use storms::amount::Amount;
use storms::asker::{answers, Question};
use storms::stage::Stage;
use support::{on_every_server, Client, Postgres};

/// Most changes before answers are compared.
const BURST: usize = 15;

/// Asks whatever comes to mind until it is told to end, so that loads and descriptions are under way while things change.
fn keep_asking(client: &mut Client, questions: &[Question], seed: u64, is_over: &AtomicBool) {
    let mut random = Random::new(seed);
    while !is_over.load(Ordering::Relaxed) {
        answers(client, &[random.pick(questions)]);
    }
}

/// Tells whoever asks to end, also where a change fails.
struct End<'o>(&'o AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A storm with what tells of definitions at once, or without.
fn storm(mode: &str, has_event_triggers: bool) {
    let amount = Amount::of_environment();
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let mut stage = Stage::new(&kind, &database, mode, amount);
        if !has_event_triggers {
            stage.without_event_triggers();
        }
        stage.compare(&[]);
        let questions = stage.questions();
        while stage.found.changes < amount.changes {
            let is_over = AtomicBool::new(false);
            let mut client = stage.server.client();
            let changes = thread::scope(|scope| {
                scope.spawn(|| keep_asking(&mut client, &questions, amount.seed, &is_over));
                let _end = End(&is_over);
                stage.burst(BURST)
            });
            stage.compare(&changes);
        }
        let found = &stage.found;
        eprintln!(
            "{mode}, seed {}: {} changes, {} answers compared, of these {} errors, {} wrong; the oldest that was called tracked: {} ms",
            amount.seed,
            found.changes,
            found.compared,
            found.errors,
            found.wrong.len(),
            found.oldest_ms
        );
        assert!(found.errors < found.compared / 3, "the actors are no good");
        assert!(found.wrong.is_empty(), "{} are wrong:\n{}", found.wrong.len(), found.wrong.join("\n"));
    });
}

#[test]
fn every_answer_follows_a_storm_that_is_told_by_notify() {
    storm("notify", true);
}

#[test]
fn every_answer_follows_a_storm_that_is_told_by_outbox() {
    storm("outbox", false);
}
