//! Queries through the cache, and what a client sees of them.

use serde_json::value::RawValue;
use serde_json::Value;

use super::client::{Client, Reply};
use super::database::Database;
use super::eventually::eventually;
use super::kind::Kind;
use super::lock::Lock;
use super::server::{Server, Setup};

/// How to start a server that takes SQL of whoever asks.
pub fn any(kind: &Kind, database: &Database<'_>) -> Setup {
    Server::setup(kind).on(database).setting("query", "any")
}

/// `PGCACHE.QUERY` with these words.
pub fn query<W: AsRef<[u8]>>(client: &mut Client, words: &[W]) -> Reply {
    ask(client, words);
    client.receive()
}

/// The same, without waiting for the reply.
pub fn ask<W: AsRef<[u8]>>(client: &mut Client, words: &[W]) {
    client.send(&command(&[b"PGCACHE.QUERY"], words));
}

/// A new client that has asked and not been answered.
pub fn asking(server: &Server, words: &[&str]) -> Client {
    let mut client = server.client();
    ask(&mut client, words);
    client
}

/// `PGCACHE.INSPECT QUERY` with these words.
pub fn inspect<W: AsRef<[u8]>>(client: &mut Client, words: &[W]) -> Reply {
    client.call(&command(&[b"PGCACHE.INSPECT", b"QUERY"], words))
}

fn command<'w, W: AsRef<[u8]>>(verb: &[&'w [u8]], words: &'w [W]) -> Vec<&'w [u8]> {
    verb.iter().copied().chain(words.iter().map(AsRef::as_ref)).collect()
}

/// `PGCACHE.DEFINE` with these words, which are right.
pub fn define(client: &mut Client, words: &[&str]) {
    let reply = client.call(&[&["PGCACHE.DEFINE"], words].concat());
    assert_eq!(reply, Reply::Simple("OK".into()), "{words:?}");
}

/// `PGCACHE.FLUSH TAG` of these tags.
pub fn flush_tags(client: &mut Client, tags: &[&str]) -> Reply {
    client.call(&[&["PGCACHE.FLUSH", "TAG"], tags].concat())
}

/// Under which key the server keeps the result.
pub fn key_of(client: &mut Client, words: &[&str]) -> String {
    inspect(client, words).field("key").text()
}

/// Whether the next query will be answered from memory.
pub fn is_stored(client: &mut Client, words: &[&str]) -> bool {
    inspect(client, words).field("cached") == Reply::Integer(1)
}

/// Asks until the result is kept: what a query reads may only be known after it has been run once or twice.
pub fn store(client: &mut Client, words: &[&str]) -> Value {
    eventually(&format!("{words:?} is stored"), || {
        let reply = query(client, words);
        assert!(matches!(reply, Reply::Bulk(_)), "{words:?}: {reply:?}");
        is_stored(client, words).then(|| reply.json())
    })
}

/// Asks until the result is this one.
pub fn await_result(client: &mut Client, words: &[&str], wanted: &Value) {
    eventually(&format!("{words:?} is {wanted}"), || {
        let reply = query(client, words);
        (matches!(reply, Reply::Bulk(_)) && reply.json() == *wanted).then_some(())
    });
}

/// Each row of a result, byte for byte.
pub fn rows(reply: &Reply) -> Vec<String> {
    let rows: Vec<Box<RawValue>> = serde_json::from_str(&reply.text()).unwrap();
    rows.iter().map(|row| row.get().to_owned()).collect()
}

/// What PostgreSQL itself answers: each row as `row_to_json` writes it.
pub fn by_postgresql(database: &Database<'_>, sql: &str) -> Vec<String> {
    let rows = database.connect().query(&format!("SELECT row_to_json(q)::text FROM ({sql}\n) q"), &[]);
    rows.unwrap_or_else(|error| panic!("{sql}: {error:?}")).iter().map(|row| row.get(0)).collect()
}

/// The texts of a list in what INSPECT or LIST says.
pub fn list(reply: &Reply, field: &str) -> Vec<String> {
    match reply.field(field) {
        Reply::Array(items) => items.iter().map(Reply::text).collect(),
        other => panic!("{field}: {other:?}"),
    }
}

/// Waits until so many clients wait for PostgreSQL.
pub fn await_waiting(client: &mut Client, count: u64) {
    eventually("clients wait", || (client.figure("waiting_clients") == count).then_some(()));
}

/// A gate in the middle of statements that call `gate(id)` for a row: they have read it as it was, and wait. The function
/// reads no table, and PostgreSQL takes it to be stable.
pub struct Gate {
    keeper: postgres::Client,
}

impl Gate {
    /// Makes the function, which waits as long as the gate is shut. It stands open at first.
    pub fn on(database: &Database<'_>) -> Self {
        database.execute(
            "CREATE FUNCTION gate(id bigint) RETURNS boolean STABLE LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END $$",
        );
        Self { keeper: database.connect() }
    }

    /// From now on statements wait.
    pub fn shut(&mut self) {
        self.keeper.batch_execute("SELECT pg_advisory_lock(1)").unwrap();
    }

    /// Waits until so many statements stand there.
    pub fn await_arrivals(&mut self, count: i64) {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted";
        eventually("statements stand at the gate", || {
            let arrived: i64 = self.keeper.query_one(sql, &[]).unwrap().get(0);
            (arrived == count).then_some(())
        });
    }

    /// Lets all of them go on.
    pub fn open(&mut self) {
        self.keeper.batch_execute("SELECT pg_advisory_unlock(1)").unwrap();
    }
}

/// Has a query wait at the lock of its table, does `meanwhile`, and returns what the query brought. What it reads is known by
/// then: asking for that waits at the lock as well, and comes before the load.
pub fn during_a_load(
    server: &Server,
    database: &Database<'_>,
    table: &str,
    words: &[&str],
    meanwhile: impl FnOnce(&mut Client),
) -> Reply {
    inspect(&mut server.client(), words);
    let mut lock = Lock::on(database, table);
    let mut early = asking(server, words);
    lock.await_arrivals(1);
    meanwhile(&mut server.client());
    lock.release();
    early.receive()
}
