//! What stands in PostgreSQL's place and does not answer as it does: whatever that was, reads succeed soon after PostgreSQL is back.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::outage::fill_pool;
use support::process::{freeze, kill};
use support::watched::{await_name, cache, health, start_listening, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Mode, Postgres, Proxy, Reply, Server};

const POOL: usize = 4;
/// Far longer than it takes (a second or two), and far shorter than a connection without a deadline.
const SOON: Duration = Duration::from_secs(20);
const ROWS: u32 = 100_000;

fn user(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// A server whose PostgreSQL is behind `port`, with time-outs as they are by default.
fn server_at(kind: &Kind, database: &Database<'_>, port: u16) -> Server {
    Server::setup(kind)
        .on(database)
        .setting("pg_port", &port.to_string())
        .setting("pool_size", &POOL.to_string())
        .setting("connect_timeout_ms", "2000")
        .setting("statement_timeout_ms", "2000")
        .setting("load_timeout_ms", "5000")
        .setting("max_staleness_ms", "2000")
        .start()
}

/// Rows that nobody has read.
struct Misses<'s> {
    server: &'s Server,
    client: Client,
    next: usize,
}

impl<'s> Misses<'s> {
    fn of(server: &'s Server) -> Self {
        Self { server, client: server.client(), next: 0 }
    }

    fn key(&mut self) -> String {
        self.next += 1;
        user(self.next)
    }

    /// The code of the error that the next one brings, `""` for its row.
    fn next(&mut self) -> String {
        let key = self.key();
        let reply = self.client.read("users", &key);
        if matches!(reply, Reply::Bulk(_)) {
            assert_eq!(reply.json()["id"], self.next);
        }
        reply.code().to_owned()
    }

    fn await_code(&mut self, code: &str) {
        eventually(&format!("a miss brings {code:?}"), || (self.next() == code).then_some(()));
    }

    /// Has every connection of the pool opened.
    fn fill_pool(&mut self, database: &Database<'_>) {
        let first = self.next + 1;
        self.next += POOL;
        fill_pool(self.server, database, first..first + POOL);
    }

    /// Until one succeeds, from now on.
    fn recovery(&mut self, what: &str) {
        let began = Instant::now();
        self.await_code("");
        let took = began.elapsed();
        eprintln!("{what}: a row after {} ms", took.as_millis());
        assert!(took < SOON, "{what}: {took:?}");
    }
}

/// Waits until no more sessions of the module are left than it may have.
fn await_few_sessions(database: &Database<'_>) {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgcache/%'";
    let began = Instant::now();
    eventually("few sessions are left", || (database.number(sessions) <= POOL as i64 + 3).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn whatever_a_peer_did_reads_succeed_soon_afterwards() {
    let bad = [
        Mode::Silent,
        Mode::HalfOpen,
        Mode::Refuse,
        Mode::Reset,
        Mode::Garble,
        Mode::DropAfter(1),
        // In the middle of the setup.
        Mode::DropAfter(500),
    ];
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(ROWS);
        let proxy = Proxy::to(database.postgres.port());
        let server = server_at(&kind, &database, proxy.port());
        let mut misses = Misses::of(&server);
        for mode in bad {
            misses.await_code("");
            misses.fill_pool(&database);
            proxy.set(mode);
            misses.await_code("PGDOWN");
            let before = proxy.taken().len();
            if mode != Mode::Refuse {
                eventually("it is tried again and again", || {
                    misses.next();
                    (proxy.taken().len() >= before + 5).then_some(())
                });
            }
            proxy.set(Mode::Pass);
            misses.recovery(&format!("{mode:?}"));
            await_few_sessions(&database);
        }
    });
}

#[test]
fn a_peer_that_is_silent_from_the_start_holds_up_nobody_afterwards() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(ROWS);
        let proxy = Proxy::to(database.postgres.port());
        proxy.set(Mode::Silent);
        let server = server_at(&kind, &database, proxy.port());
        let mut misses = Misses::of(&server);
        misses.await_code("PGDOWN");
        let before = proxy.taken();
        let after = eventually("it is tried about each second", || {
            Some(proxy.taken()).filter(|taken| taken.len() >= before.len() + 15)
        });
        let took = after[after.len() - 1] - before[before.len() - 1];
        assert!(took > Duration::from_secs(1) && took < SOON, "15 attempts in {took:?}");
        proxy.set(Mode::Pass);
        misses.recovery("silent from the start");
    });
}

#[test]
fn an_address_that_leads_to_another_server_is_used_when_all_of_the_first_one_stands_still() {
    on_every_server(|kind| {
        let (first, second) = (Postgres::start(), Postgres::start());
        let database = first.database();
        database.with_users(ROWS);
        let other = second.database();
        other.with_users(ROWS);
        assert_eq!(database.name, other.name);
        let proxy = Proxy::to(first.port());
        let server = server_at(&kind, &database, proxy.port());
        let mut misses = Misses::of(&server);
        misses.await_code("");
        misses.fill_pool(&database);
        first.freeze();
        misses.await_code("PGDOWN");
        proxy.lead_to(second.port());
        misses.recovery("another server");
        first.thaw();
    });
}

/// The server processes that the module's connections of this name have.
fn processes(database: &Database<'_>, name: &str) -> Vec<u32> {
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE $1 ORDER BY pid";
    let rows = database.connect().query(sql, &[&name]).unwrap();
    rows.iter().map(|row| row.get::<_, i32>(0) as u32).collect()
}

/// What ends an attempt or a statement by time alone takes far longer than [`SOON`].
fn patient_server_at(kind: &Kind, database: &Database<'_>, mode: &str) -> Server {
    let setup = Server::setup(kind).on(database).setting("pool_size", &POOL.to_string());
    start_listening(setup.setting("invalidation", mode).setting("max_staleness_ms", "60000"))
}

#[test]
fn processes_that_stand_still_are_replaced_as_soon_as_others_answer() {
    on_every_server(|kind| {
        for mode in ["notify", "outbox"] {
            let database = Postgres::shared().database();
            database.with_users(ROWS);
            let server = patient_server_at(&kind, &database, mode);
            let (mut client, mut misses) = (server.client(), Misses::of(&server));
            watch(&mut client, "users");
            misses.fill_pool(&database);
            cache(&mut client, "users", &user(1));
            let stopped = processes(&database, "pgcache/%");
            assert!(stopped.len() > POOL, "{stopped:?}");
            stopped.iter().copied().for_each(freeze);
            database.execute("UPDATE users SET name = 'changed' WHERE id = 1");
            let began = Instant::now();
            // Misses, so that the hit below is of an entry that only a notice can have ended.
            misses.recovery(&format!("{mode}: all processes stand still"));
            await_name(&mut client, "users", &user(1), "changed");
            let took = began.elapsed();
            eprintln!("{mode}: all processes stand still: a change after {} ms", took.as_millis());
            assert!(took < SOON, "{mode}: {took:?}");
            stopped.iter().for_each(|pid| kill(*pid, libc::SIGCONT));
            await_few_sessions(&database);
        }
    });
}

#[test]
fn reads_under_way_on_processes_that_stand_still_are_done_by_others() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(100);
        let server = patient_server_at(&kind, &database, "notify");
        let mut misses = Misses::of(&server);
        misses.fill_pool(&database);
        let stopped = processes(&database, "pgcache/load");
        stopped.iter().copied().for_each(freeze);
        let began = Instant::now();
        let keys: Vec<String> = (0..2 * POOL).map(|_| misses.key()).collect();
        let mut readers: Vec<Client> = keys.iter().map(|_| server.client()).collect();
        readers.iter_mut().zip(&keys).for_each(|(reader, key)| reader.send(&["PGCACHE.READ", "users", key]));
        readers.iter_mut().for_each(|reader| assert_eq!(reader.receive().code(), ""));
        let took = began.elapsed();
        eprintln!("reads under way: rows after {} ms", took.as_millis());
        assert!(took < SOON, "{took:?}");
        stopped.iter().for_each(|pid| kill(*pid, libc::SIGCONT));
    });
}

#[test]
fn a_statement_that_takes_long_is_not_taken_for_a_silent_peer() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        database.execute(
            "CREATE VIEW sleeping AS SELECT id, pg_sleep(2)::text AS slept FROM users;
             CREATE VIEW computing AS SELECT id, (SELECT count(*) FROM generate_series(1, 8000000) AS n WHERE n <> id) AS count FROM users",
        );
        let server = patient_server_at(&kind, &database, "notify");
        let mut misses = Misses::of(&server);
        misses.fill_pool(&database);
        let before = processes(&database, "pgcache/%");
        let mut readers = vec![];
        // As many as leave no connection that could be asked, and one.
        for (table, count) in [("sleeping", POOL), ("computing", 1)] {
            for id in 1..=count {
                let mut reader = server.client();
                reader.send(&["PGCACHE.READ", table, &user(id)]);
                readers.push(reader);
            }
            readers.iter_mut().for_each(|reader| assert_eq!(reader.receive().code(), ""));
            readers.clear();
        }
        assert_eq!(processes(&database, "pgcache/%"), before);
        assert!(!server.log().contains("silent"), "{}", server.log());
    });
}

#[test]
fn notices_of_changes_are_heard_again_whatever_the_peer_did() {
    on_every_server(|kind| {
        for mode in ["notify", "outbox"] {
            let database = Postgres::shared().database();
            database.with_users(5);
            let proxy = Proxy::to(database.postgres.port());
            let setup = Server::setup(&kind).on(&database).setting("pg_port", &proxy.port().to_string());
            let setup = setup.setting("invalidation", mode).setting("connect_timeout_ms", "1000");
            let server = start_listening(setup.setting("max_staleness_ms", "500"));
            let mut client = server.client();
            watch(&mut client, "users");
            for bad in [Mode::Silent, Mode::HalfOpen, Mode::Garble] {
                proxy.set(bad);
                eventually("it is in doubt", || {
                    (health(&mut client).field("freshness").text() == "suspect").then_some(())
                });
                proxy.set(Mode::Pass);
                let began = Instant::now();
                eventually("it is live", || (health(&mut client).field("freshness").text() == "live").then_some(()));
                eprintln!("{mode}, {bad:?}: live after {} ms", began.elapsed().as_millis());
                // The pool tries by itself.
                eventually("a row", || (client.read("users", &user(1)).code() == "").then_some(()));
            }
        }
    });
}
