//! After a loss of many entries PostgreSQL is asked for them again step by step.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

const POOL: u64 = 8;
/// How long each step takes, by which one more connection may load.
const STEP: Duration = Duration::from_millis(250);

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// Makes a view whose every load stops at a gate, with a statement for each row.
fn with_gate(database: &Database<'_>) {
    database.with_users(1_000);
    database.execute(
        "CREATE FUNCTION pass_the_gate() RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END $$;
         CREATE VIEW gated AS SELECT id, name, pass_the_gate() AS passed FROM users;",
    );
}

fn patient(kind: &Kind, database: &Database<'_>) -> Server {
    Server::setup(kind)
        .on(database)
        .setting("pool_size", &POOL.to_string())
        .setting("events", "source_up")
        // Notices have gaps of their own, each of which starts the way up before the test does.
        .setting("invalidation", "off")
        .start()
}

/// Who keeps the gate shut.
struct Keeper(postgres::Client);

impl Keeper {
    fn shut(database: &Database<'_>) -> Self {
        let mut keeper = database.connect();
        keeper.batch_execute("SELECT pg_advisory_lock(1)").unwrap();
        Self(keeper)
    }

    /// How many loads stand at the gate.
    fn arrived(&mut self) -> u64 {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted";
        let count: i64 = self.0.query_one(sql, &[]).unwrap().get(0);
        u64::try_from(count).unwrap()
    }

    fn open(mut self) {
        self.0.batch_execute("SELECT pg_advisory_unlock(1)").unwrap();
    }
}

fn asking(server: &Server, ids: std::ops::RangeInclusive<u64>) -> Vec<(u64, Client)> {
    let ask = |id| {
        let mut client = server.client();
        client.send(&["PGCACHE.READ", "gated", &user(id)]);
        (id, client)
    };
    ids.map(ask).collect()
}

fn assert_answered(readers: Vec<(u64, Client)>) {
    for (id, mut reader) in readers {
        assert_eq!(reader.receive().json()["id"], id);
    }
}

/// Readers that ask for different rows at `lost` or later get no more connections than may load by then, and in the end
/// all of them.
fn assert_paced(server: &Server, mut keeper: Keeper, lost: Instant) {
    let readers = asking(server, 1..=20);
    let mut most = 0;
    eventually("every connection loads", || {
        let arrived = keeper.arrived();
        // Looked at afterwards, so that it can only err on the side of more.
        let allowed = 1 + u64::try_from(lost.elapsed().as_millis() / STEP.as_millis()).unwrap();
        assert!(arrived <= allowed, "{arrived} loads at once where {allowed} may be");
        assert!(arrived >= most, "they all stand at the gate");
        most = arrived;
        (arrived == POOL).then_some(())
    });
    keeper.open();
    assert_answered(readers);
}

/// What happens at once without a loss: the whole pool loads.
fn assert_unpaced(server: &Server, mut keeper: Keeper) {
    let readers = asking(server, 1..=20);
    eventually("every connection loads", || (keeper.arrived() == POOL).then_some(()));
    keeper.open();
    assert_answered(readers);
}

fn paced_after(lose: impl Fn(&mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        with_gate(&database);
        let server = patient(&kind, &database);
        let mut client = server.client();
        client.key("gated", &user(1));
        assert_unpaced(&server, Keeper::shut(&database));
        let keeper = Keeper::shut(&database);
        let lost = Instant::now();
        lose(&mut client);
        assert_paced(&server, keeper, lost);
    });
}

#[test]
fn flushall_is_followed_by_loads_step_by_step() {
    paced_after(|client| {
        client.call(&["FLUSHALL"]);
    });
}

#[test]
fn swapdb_is_followed_by_loads_step_by_step() {
    paced_after(|client| {
        client.call(&["SWAPDB", "0", "1"]);
    });
}

#[test]
fn an_outage_is_followed_by_loads_step_by_step() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        with_gate(&database);
        let server = patient(&kind, &database);
        let mut client = server.client();
        client.key("gated", &user(1));
        let mut listener = server.client();
        postgres.kill();
        eventually("it is down", || (client.read("gated", &user(1)).code() == "PGDOWN").then_some(()));
        listener.call(&["SUBSCRIBE", "pg_cache_events"]);
        let (before, now) = (Instant::now(), std::time::SystemTime::now());
        postgres.start_again();
        let keeper = Keeper::shut(&database);
        let Reply::Array(message) = listener.receive() else { panic!("no message") };
        let up_ms = message[2].json()["ts"].as_u64().unwrap();
        let now_ms = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        assert_paced(&server, keeper, before + Duration::from_millis(up_ms.saturating_sub(now_ms)));
    });
}

#[test]
fn the_rows_that_everyone_asks_for_again_come_in_batches() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1_000);
        let server = patient(&kind, &database);
        let mut client = server.client();
        for id in 1..=1_000 {
            client.read("users", &user(id));
        }
        let statements = client.figure("statements");
        client.call(&["FLUSHALL"]);
        let lock = Lock::on(&database, "users");
        let mut readers: Vec<(u64, Client)> = (1..=1_000)
            .map(|id| {
                let mut reader = server.client();
                reader.send(&["PGCACHE.READ", "users", &user(id)]);
                (id, reader)
            })
            .collect();
        eventually("all wait", || (client.figure("waiting_clients") == 1_000).then_some(()));
        lock.release();
        for (id, reader) in &mut readers {
            assert_eq!(reader.receive().json()["id"], *id);
        }
        let cost = client.figure("statements") - statements;
        assert!(cost <= 50, "{cost} statements for a thousand rows");
    });
}
