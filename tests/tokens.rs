//! Reading one's own writes: MINLSN and BARRIER.
#![allow(clippy::unwrap_used)]

mod support;

use std::thread;

use support::process::{freeze, kill};
use support::watched::{await_freshness, cache, health, listening, start_listening, watch, FEEDS, UNTOLD};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply, Server};

const KEY: &str = r#"{"id":1}"#;
/// Rows that the writers share.
const ROWS: usize = 3;
const WRITERS: usize = 4;

/// Pairs of a write and a read of each writer; more with `PGCACHE_PAIRS`.
fn pairs() -> usize {
    std::env::var("PGCACHE_PAIRS").map_or(300, |pairs| pairs.parse().unwrap())
}

/// A database whose table `t` has a version in each row.
fn database() -> Database<'static> {
    let database = Postgres::shared().database();
    database.execute(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, version bigint NOT NULL);
         INSERT INTO t SELECT id, 0 FROM generate_series(1, {ROWS}) AS id"
    ));
    database
}

/// A server that notices a silent feed only after a minute.
fn patient(kind: &Kind, database: &Database<'_>, mode: &str) -> Server {
    let setup = Server::setup(kind).on(database).setting("invalidation", mode).setting("query", "any");
    start_listening(setup.setting("max_staleness_ms", "60000").setting(UNTOLD.0, UNTOLD.1))
}

/// Somebody who writes, and asks PostgreSQL for his position then.
struct Writer(postgres::Client);

impl Writer {
    fn of(database: &Database<'_>) -> Self {
        Self(database.connect())
    }

    /// Writes a row. Returns its new version and the position after COMMIT.
    fn write(&mut self, id: usize) -> (i64, String) {
        let id = i32::try_from(id).unwrap();
        let row = self.0.query_one("UPDATE t SET version = version + 1 WHERE id = $1 RETURNING version", &[&id]);
        let position = self.0.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]);
        (row.unwrap().get(0), position.unwrap().get(0))
    }
}

fn version(reply: &Reply) -> i64 {
    match reply.json() {
        serde_json::Value::Array(rows) => rows[0]["version"].as_i64().unwrap(),
        row => row["version"].as_i64().unwrap(),
    }
}

/// Reads row `id` from `position` on, by one of the commands.
fn read_from(client: &mut Client, how: usize, id: usize, position: &str) -> Reply {
    let key = format!(r#"{{"id":{id}}}"#);
    match how % 4 {
        0 => client.call(&["PGCACHE.MULTIREAD", "t", &format!("[{key}]"), "60", "MINLSN", position]),
        1 => {
            let sql = "SELECT * FROM t WHERE id = $1";
            client.call(&["PGCACHE.QUERY", sql, &format!("[{id}]"), "MINLSN", position])
        }
        _ => client.call(&["PGCACHE.READ", "t", &key, "minlsn", position]),
    }
}

/// The pid of the process that tells a server of changes in this way.
fn backend(database: &Database<'_>, mode: &str) -> u32 {
    let name = if mode == "wal" { "pgcache/wal" } else { "pgcache/notices" };
    eventually("someone listens", || {
        let sql = "SELECT pid FROM pg_stat_activity
                   WHERE application_name = $1 AND datname = current_database() LIMIT 1";
        let row = database.connect().query_opt(sql, &[&name]).unwrap()?;
        Some(u32::try_from(row.get::<_, i32>(0)).unwrap())
    })
}

#[test]
fn whoever_names_his_position_reads_his_own_write_while_notices_are_held_up() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = database();
            let server = patient(&kind, &database, mode);
            let (mut client, mut writer) = (server.client(), Writer::of(&database));
            watch(&mut client, "t");
            cache(&mut client, "t", KEY);
            let pid = backend(&database, mode);
            freeze(pid);
            let (written, position) = writer.write(1);
            assert_eq!(version(&client.read("t", KEY)), written - 1, "the notice is held up");
            assert_eq!(version(&read_from(&mut client, 2, 1, &position)), written);
            assert_eq!(version(&client.read("t", KEY)), written, "nobody reads backwards");
            for how in 0..4 {
                let (written, position) = writer.write(1);
                assert_eq!(version(&read_from(&mut client, how, 1, &position)), written, "{mode} {how}");
            }
            kill(pid, libc::SIGCONT);
            await_freshness(&mut client, "live");
        }
    });
}

#[test]
fn an_entry_answers_once_the_position_is_reached() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = database();
            let server = patient(&kind, &database, mode);
            let (mut client, mut writer) = (server.client(), Writer::of(&database));
            watch(&mut client, "t");
            let (written, position) = writer.write(1);
            assert!(matches!(client.call(&["PGCACHE.BARRIER", "30000"]), Reply::Integer(us) if us > 0));
            cache(&mut client, "t", KEY);
            let applied = |client: &mut Client| match health(client).field("applied_lsn") {
                Reply::Bulk(lsn) => Some(String::from_utf8(lsn.to_vec()).unwrap()),
                _ => None,
            };
            eventually("the position is reached", || {
                // The log has to go on: a poll of the outbox proves what is before its end.
                database.execute("SELECT pg_logical_emit_message(false, 'test', 'x')");
                let sql = format!("SELECT '{position}'::pg_lsn <= '{}'::pg_lsn", applied(&mut client)?);
                database.connect().query_one(&sql, &[]).unwrap().get::<_, bool>(0).then_some(())
            });
            let hits = client.figure("hits");
            assert_eq!(version(&read_from(&mut client, 2, 1, &position)), written);
            assert_eq!(client.figure("hits"), hits + 1, "{mode}");
            let far = client.call(&["PGCACHE.READ", "t", KEY, "MINLSN", "FFFFFFFF/0"]);
            assert_eq!((version(&far), client.figure("hits")), (written, hits + 1));
        }
    });
}

/// Each writer writes a row and reads it by a random one of the servers, at the position of its write or past a barrier.
/// Returns how many did not see what they had written.
fn misses(database: &Database<'_>, servers: &[Server]) -> usize {
    thread::scope(|scope| {
        let writers = (0..WRITERS).map(|_| {
            scope.spawn(|| {
                let (mut writer, mut random) = (Writer::of(database), fastrand::Rng::new());
                let mut clients: Vec<Client> = servers.iter().cycle().take(3).map(Server::client).collect();
                let pairs = (0..pairs()).filter(|_| {
                    let (id, client, how) = (random.usize(1..=ROWS), random.usize(0..3), random.usize(0..8));
                    let (client, (written, position)) = (&mut clients[client], writer.write(id));
                    let reply = if how < 4 {
                        read_from(client, how, id, &position)
                    } else {
                        assert!(matches!(client.call(&["PGCACHE.BARRIER", "30000"]), Reply::Integer(_)));
                        client.read("t", &format!(r#"{{"id":{id}}}"#))
                    };
                    version(&reply) < written
                });
                pairs.count()
            })
        });
        let writers: Vec<_> = writers.collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    })
}

#[test]
fn nobody_misses_his_own_write_by_whichever_client_or_server_he_reads() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = database();
            let first = patient(&kind, &database, mode);
            watch(&mut first.client(), "t");
            let one = [first];
            assert_eq!(misses(&database, &one), 0, "{mode}, one server");
            let [first] = one;
            let three = [first, patient(&kind, &database, mode), patient(&kind, &database, mode)];
            assert_eq!(misses(&database, &three), 0, "{mode}, three servers");
        }
    });
}

#[test]
fn a_replica_goes_by_what_it_has_heard_itself() {
    on_every_server(|kind| {
        let database = database();
        let (master, replica) = (patient(&kind, &database, "notify"), patient(&kind, &database, "notify"));
        watch(&mut master.client(), "t");
        replica.follow(&master);
        let (mut client, mut writer) = (replica.client(), Writer::of(&database));
        for how in 0..40 {
            let (written, position) = writer.write(1);
            assert_eq!(version(&read_from(&mut client, how, 1, &position)), written);
            let (written, _) = writer.write(2);
            assert!(matches!(client.call(&["PGCACHE.BARRIER", "30000"]), Reply::Integer(_)));
            assert_eq!(version(&client.read("t", r#"{"id":2}"#)), written);
        }
    });
}

#[test]
fn a_barrier_that_cannot_be_passed_says_why() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = database();
            let server = patient(&kind, &database, mode);
            let (mut client, mut other) = (server.client(), server.client());
            let pid = backend(&database, mode);
            freeze(pid);
            assert_eq!(client.call(&["PGCACHE.BARRIER", "50"]).code(), "PGTIMEOUT");
            client.send(&["PGCACHE.BARRIER", "600000"]);
            eventually("the barrier is waited for", || (other.figure("waiting_clients") == 1).then_some(()));
            drop(client);
            eventually("nobody waits any more", || (other.figure("waiting_clients") == 0).then_some(()));
            kill(pid, libc::SIGCONT);
            assert!(matches!(other.call(&["PGCACHE.BARRIER", "30000", "SOURCE", "default"]), Reply::Integer(_)));
            assert_eq!(other.call(&["PGCACHE.BARRIER", "SOURCE", "b"]).code(), "PGNOTABLE");
            other.call(&["MULTI"]);
            other.call(&["PGCACHE.BARRIER"]);
            let Reply::Array(replies) = other.call(&["EXEC"]) else { panic!("EXEC answers with an array") };
            assert_eq!(replies[0].code(), "PGMISS");
        }
        let database = database();
        let server = Server::setup(&kind).on(&database).setting("invalidation", "off").start();
        assert_eq!(server.client().call(&["PGCACHE.BARRIER"]).code(), "ERR");
    });
}

#[test]
fn a_position_is_read_through_where_nobody_tells_of_changes() {
    on_every_server(|kind| {
        let database = database();
        let server = listening(&kind, &database, "notify");
        let (mut client, mut writer) = (server.client(), Writer::of(&database));
        client.read("t", KEY);
        let (written, position) = writer.write(1);
        assert_eq!(version(&client.read("t", KEY)), written - 1, "the table is not watched");
        assert_eq!(version(&read_from(&mut client, 2, 1, &position)), written);
        assert_eq!(version(&client.read("t", KEY)), written);
        for position in ["", "5", "0/", "0/x", "0/1/2"] {
            assert_eq!(client.call(&["PGCACHE.READ", "t", KEY, "MINLSN", position]).code(), "ERR");
        }
    });
}
