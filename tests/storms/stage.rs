//! The stage: a database with all actors, a server whose role may read what is theirs, and everything that is asked.

use std::time::Instant;

use postgres::error::SqlState;

use super::actor::{Actor, Names};
use super::amount::Amount;
use super::asker::{answers, is_tracked, Answer, Question};
use super::cast::CAST;
use super::oracle::Oracle;
use crate::random::Random;
use crate::support::queries::any;
use crate::support::watched::await_freshness;
use crate::support::{eventually, Client, Database, Kind, Server};

/// How long an answer may be wrong before it counts as wrong for good: longer than a busy machine takes to compare definitions.
const PATIENCE_MS: u128 = 30_000;
/// What is promised.
const PROMISED_MS: u128 = 2_000;

/// Everything that a storm needs.
pub struct Stage<'d> {
    admin: postgres::Client,
    names: Names,
    actors: Vec<Actor>,
    random: Random,
    oracle: Oracle,
    client: Client,
    questions: Vec<Question>,
    /// The server that is asked.
    pub server: Server,
    /// What was found.
    pub found: Found,
    database: &'d Database<'d>,
}

/// What a storm has shown.
#[derive(Debug, Default)]
pub struct Found {
    /// How many answers were compared.
    pub compared: usize,
    /// How many of PostgreSQL's answers were errors.
    pub errors: usize,
    /// How many changes were made.
    pub changes: usize,
    /// How old the oldest wrong answer was that was called tracked, in milliseconds.
    pub oldest_ms: u128,
    /// Wrong answers that stayed, with what was changed before.
    pub wrong: Vec<String>,
}

impl<'d> Stage<'d> {
    /// All actors, and a server that hears of changes by `mode`.
    pub fn new(kind: &Kind, database: &'d Database<'d>, mode: &str, amount: Amount) -> Self {
        let names = Names { database: database.name.clone() };
        let mut admin = database.connect();
        let actors: Vec<Actor> =
            (0..amount.copies).flat_map(|number| CAST.iter().map(move |role| Actor::new(role, number))).collect();
        admin.batch_execute(&names.fill(ROLES, 0)).unwrap();
        for actor in &actors {
            let sql = actor.setup(&names);
            admin.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
        let server = any(kind, database)
            .setting("pg_user", &names.reader())
            .setting("invalidation", mode)
            .setting("pool_size", "4")
            .start();
        let mut client = server.client();
        let mut random = Random::new(amount.seed);
        let questions = questions(&actors, &names, &mut random, amount);
        let oracle = Oracle::new(database, &names.reader());
        watch_all(&mut client, database, &actors, &names);
        await_freshness(&mut client, "live");
        Self { admin, names, actors, random, oracle, client, questions, server, found: Found::default(), database }
    }

    /// What is asked.
    pub fn questions(&self) -> Vec<Question> {
        self.questions.clone()
    }

    /// Takes away what tells of definitions at once.
    pub fn without_event_triggers(&mut self) {
        self.database.execute("DROP EVENT TRIGGER pgcache_ddl; DROP EVENT TRIGGER pgcache_drop");
    }

    /// A few changes. Returns their statements.
    pub fn burst(&mut self, longest: usize) -> Vec<String> {
        let count = 1 + self.random.below(longest);
        (0..count).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> String {
        let actor = self.random.below(self.actors.len());
        let sql = self.actors[actor].step(&self.names);
        self.found.changes += 1;
        // Whoever reads catalogs may be in the way of what takes several locks.
        eventually("the change is made", || match self.admin.batch_execute(&sql) {
            Ok(()) => Some(()),
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => None,
            Err(error) => panic!("{sql}: {error:?}"),
        });
        sql
    }

    /// Compares all answers with PostgreSQL's, until each is right or has been wrong for too long.
    pub fn compare(&mut self, changes: &[String]) {
        let ended = Instant::now();
        if !changes.is_empty() {
            self.await_comparisons();
        }
        let right: Vec<Answer> = self.questions.iter().map(|question| self.oracle.answer(question)).collect();
        self.found.compared += right.len();
        self.found.errors += right.iter().filter(|answer| **answer == Answer::Error).count();
        let mut left: Vec<usize> = (0..right.len()).collect();
        while !left.is_empty() {
            let asked_ms = ended.elapsed().as_millis();
            let asked: Vec<&Question> = left.iter().map(|number| &self.questions[*number]).collect();
            let given = answers(&mut self.client, &asked);
            let wrong: Vec<(usize, Answer)> =
                left.iter().copied().zip(given).filter(|(number, given)| *given != right[*number]).collect();
            if asked_ms > PROMISED_MS && wrong.iter().any(|(number, given)| self.counts(*number, given)) {
                self.found.oldest_ms = self.found.oldest_ms.max(asked_ms);
            }
            left = wrong.iter().map(|(number, _)| *number).collect();
            if asked_ms > PATIENCE_MS {
                self.report(&wrong, &right, changes);
                return;
            }
        }
    }

    fn counts(&mut self, number: usize, given: &Answer) -> bool {
        let is_answer = !matches!(given, Answer::Later(_));
        is_answer && is_tracked(&mut self.client, &self.questions[number])
    }

    fn report(&mut self, wrong: &[(usize, Answer)], right: &[Answer], changes: &[String]) {
        for (number, given) in wrong {
            let question = &self.questions[*number];
            let tracked = if is_tracked(&mut self.client, question) { "tracked" } else { "untracked" };
            self.found.wrong.push(format!(
                "{question} ({tracked})\n  is answered {given:?}\n  and should be {:?}\n  after {}",
                right[*number],
                changes.join("\n        ")
            ));
        }
        // Asked no more, so that each is told once.
        let gone: Vec<usize> = wrong.iter().map(|(number, _)| *number).collect();
        let mut number = 0;
        self.questions.retain(|_| {
            number += 1;
            !gone.contains(&(number - 1))
        });
    }

    /// Waits until nearly everything has been compared that was committed before: a hundred relations at a time.
    fn await_comparisons(&mut self) {
        let wanted = self.client.figure("comparisons") + 2 * self.actors.len().div_ceil(CAST.len()) as u64;
        eventually("definitions are compared", || (self.client.figure("comparisons") >= wanted).then_some(()));
    }
}

/// Roles of this database alone, and what all actors use.
const ROLES: &str = "
    CREATE ROLE @reader LOGIN; CREATE ROLE @owner; CREATE ROLE @group; CREATE SCHEMA @reader; GRANT USAGE ON SCHEMA @reader TO @reader;
    GRANT ALL ON SCHEMA public TO @owner;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO @reader;
    CREATE TABLE base (id bigint PRIMARY KEY, name text); INSERT INTO base VALUES (1, 'one'), (2, 'two'), (3, 'three')";

fn watch_all(client: &mut Client, database: &Database<'_>, actors: &[Actor], names: &Names) {
    let mut tables: Vec<String> = actors.iter().flat_map(|actor| actor.watched(names)).collect();
    tables.push("base".into());
    let scripts: Vec<String> =
        tables.iter().map(|table| client.call(&["PGCACHE.WATCH", "SQL", table]).text()).collect();
    database.psql(&[], &scripts.join("\n"));
}

/// Rows first; queries of each actor, and as many more that hold expressions of two of them as are wanted.
fn questions(actors: &[Actor], names: &Names, random: &mut Random, amount: Amount) -> Vec<Question> {
    let rows = actors.iter().flat_map(|actor| actor.rows(names));
    let mut all: Vec<Question> = rows.take(amount.keys).map(|(table, id)| Question::Row(table, id)).collect();
    let queries = actors.iter().flat_map(|actor| actor.queries(names));
    let mut queries: Vec<Question> = queries.map(Question::Query).collect();
    while queries.len() < amount.queries {
        let [one, two] = [0; 2].map(|_| loop {
            let actor = &actors[random.below(actors.len())];
            if let Some(expression) = actor.expression(names, random) {
                break expression;
            }
        });
        let sql = match random.below(3) {
            0 => format!("SELECT {one} AS a, {two} AS b"),
            1 => format!("SELECT id, {one} AS a FROM base WHERE {two} IS NOT NULL ORDER BY id"),
            _ => format!("WITH w AS (SELECT {one} AS a) SELECT a, (SELECT {two}) AS b FROM w"),
        };
        queries.push(Question::Query(sql));
    }
    all.extend(queries);
    all
}
