//! Attacks by queries: whatever a statement calls, wherever, however spelled, it changes nothing and shows nothing forbidden.
#![allow(clippy::unwrap_used)]

#[path = "query_attacks/mod.rs"]
mod query_attacks;
mod support;

use postgres::error::SqlState;
use query_attacks::amount::amount;
use query_attacks::clause::CLAUSES;
use query_attacks::culprit::Attack;
use query_attacks::effect::EFFECTS;
use query_attacks::fixed::{FORBIDDEN, SEEN};
use query_attacks::grammar::{statements, By};
use query_attacks::slice::{send, Tally};
use query_attacks::stage;
use support::queries::any;
use support::{on_every_server, Database, Kind, Postgres, Server};

/// For how long PostgreSQL works at a statement: longer than a busy machine takes for any of ours, and shorter than a client
/// waits for its reply, so that one which never ends is told by its text.
const STATEMENT_TIMEOUT_MS: &str = "60000";

/// The same statements each time; others with another seed.
const SEED: u64 = 16;

fn database(sql: &[String]) -> Database<'static> {
    let database = Postgres::shared().database();
    for sql in sql {
        database.execute(sql);
    }
    database
}

fn start(kind: &Kind, database: &Database<'_>, settings: &[(&str, &str)]) -> Server {
    let setup = any(kind, database).setting("statement_timeout_ms", STATEMENT_TIMEOUT_MS);
    settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value)).start()
}

/// Attacks servers with these settings, and fails with everything that went wrong.
fn attack(kind: &Kind, database: &Database<'_>, settings: &[(&str, &str)], clients: usize, sql: &[String]) -> Tally {
    let is_secret = settings.iter().any(|(name, _)| *name == "allow_tables");
    let attack = Attack {
        database,
        start: &|| start(kind, database, settings),
        send: &|server, sql| send(server, sql, clients, is_secret),
    };
    let tally = attack.run(sql);
    eprintln!("seed {SEED}: {} ran, {} failed, {} refused", tally.ran, tally.failed, tally.refused);
    let shown: Vec<&str> = tally.wrong.iter().take(200).map(String::as_str).collect();
    assert!(tally.wrong.is_empty(), "{} are wrong:\n{}", tally.wrong.len(), shown.join("\n"));
    tally
}

fn owned(sql: &[&str]) -> Vec<String> {
    sql.iter().map(|sql| (*sql).to_owned()).collect()
}

#[test]
fn what_was_seen_to_work() {
    let database = database(&[stage::tables(), stage::functions()]);
    on_every_server(|kind| drop(attack(&kind, &database, &[("pool_size", "1")], 1, &owned(&SEEN))));
}

#[test]
fn functions_in_every_clause_by_one_session() {
    let database = database(&[stage::tables(), stage::functions()]);
    let sql = statements(By::Name, SEED, amount(400));
    on_every_server(|kind| {
        let tally = attack(&kind, &database, &[("pool_size", "1")], 1, &sql);
        assert!(tally.ran > sql.len() / 4, "the grammar is no good: {tally:?}");
    });
}

#[test]
fn functions_in_every_clause_by_four_sessions() {
    let database = database(&[stage::tables(), stage::functions()]);
    let sql = statements(By::Name, SEED + 1, amount(200));
    on_every_server(|kind| drop(attack(&kind, &database, &[("pool_size", "4")], 4, &sql)));
}

#[test]
fn types_in_every_clause() {
    let database = database(&[stage::tables(), stage::functions(), stage::types()]);
    let sql = statements(By::Type, SEED + 2, amount(400));
    on_every_server(|kind| {
        let tally = attack(&kind, &database, &[("pool_size", "1")], 1, &sql);
        assert!(tally.ran > sql.len() / 4, "the grammar is no good: {tally:?}");
    });
}

#[test]
fn forbidden_tables_stay_forbidden() {
    let database = database(&[stage::tables(), stage::functions()]);
    let mut sql = owned(&FORBIDDEN);
    sql.extend(statements(By::Name, SEED + 3, amount(1000)).into_iter().filter(|sql| sql.contains("_secret")));
    let settings = [("pool_size", "4"), ("allow_tables", "plain, other, parent, vw_*")];
    on_every_server(|kind| drop(attack(&kind, &database, &settings, 4, &sql)));
}

/// A function that has found a forbidden row returns a large number, and one that sleeps may be called for each row.
#[test]
fn no_clause_runs_long_whatever_its_expression_does() {
    let database = database(&[stage::tables(), stage::functions()]);
    let mut client = database.connect();
    client.batch_execute("SET statement_timeout = '10s'").unwrap();
    for id in ["secret_v", "sleeps_v"] {
        let call = format!("fx_{id}(1)");
        for clause in CLAUSES {
            let sql = clause.replace("{I}", id).replace("{C}", &call).replace("{E}", &call);
            let sql = sql.replace("$1", "1");
            let error = client.batch_execute(&format!("BEGIN; {sql}; ROLLBACK")).err();
            client.batch_execute("ROLLBACK").unwrap();
            let code = error.as_ref().and_then(|error| error.code());
            assert_ne!(code, Some(&SqlState::QUERY_CANCELED), "{sql}");
        }
    }
}

#[test]
fn the_grammar_makes_thousands_of_statements_with_every_effect() {
    let sql = statements(By::Name, SEED, 4000);
    assert_eq!(sql, statements(By::Name, SEED, 4000));
    for effect in EFFECTS {
        let count = sql.iter().filter(|sql| sql.contains(&format!("_{}_", effect.name))).count();
        assert!(count > 50, "{}: {count}", effect.name);
    }
}
