//! Loads of queries: one for all who wait, none that puts an old result back, and PostgreSQL's bad days.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use support::process::{freeze, kill};
use support::queries::{
    any, asking, await_result, await_waiting, during_a_load, flush_tags, inspect, is_stored, query, store, Gate,
};
use support::watched::{await_freshness, start_listening, watch, MODES, UNTOLD};
use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

const ONE: &[&str] = &["SELECT id, name FROM users WHERE id = $1", "[1]"];
const TWO: &[&str] = &["SELECT id, name FROM users WHERE id = $1", "[2]"];

/// On every server: users whom nobody watches, a server that takes any SQL, a client of it.
fn with_any(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = any(&kind, &database).start();
        test(&database, &server, &mut server.client());
    });
}

fn user(id: u64) -> serde_json::Value {
    json!([{"id": id, "name": format!("User {id}")}])
}

#[test]
fn fifty_clients_that_ask_a_cold_query_cost_one_statement() {
    with_any(|database, server, client| {
        inspect(client, ONE);
        let mut lock = Lock::on(database, "users");
        let mut clients: Vec<Client> = (0..50).map(|_| asking(server, ONE)).collect();
        await_waiting(client, 50);
        lock.await_arrivals(1);
        let told = inspect(client, ONE);
        assert_eq!((told.field("in_flight"), told.field("waiters")), (Reply::Integer(1), Reply::Integer(50)));
        assert_eq!(database.number(STATEMENTS), 1);
        lock.release();
        for client in &mut clients {
            assert_eq!(client.receive().json(), user(1));
        }
        assert_eq!((client.figure("statements"), client.figure("coalesced")), (1, 49));
        await_waiting(client, 0);
    });
}

/// How many of the module's statements wait for a lock.
const STATEMENTS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'pgcache/%' AND wait_event_type = 'Lock'";

#[test]
fn fifty_clients_that_ask_what_nobody_has_asked_before_cost_one_statement() {
    with_any(|database, server, client| {
        let mut lock = Lock::on(database, "users");
        let mut clients: Vec<Client> = (0..50).map(|_| asking(server, ONE)).collect();
        await_waiting(client, 50);
        lock.await_arrivals(1);
        assert_eq!((database.number(STATEMENTS), client.figure("flights")), (1, 0), "it is asked what it reads");
        lock.release();
        for client in &mut clients {
            assert_eq!(client.receive().json(), user(1));
        }
        assert_eq!((client.figure("statements"), client.figure("misses")), (1, 50));
        await_waiting(client, 0);
    });
}

#[test]
fn a_table_that_is_emptied_and_filled_in_one_transaction_is_not_seen_empty() {
    with_any(|database, server, client| {
        store(client, ONE);
        client.call(&["PGCACHE.FLUSH", "ALL"]);
        let mut writer = database.connect();
        let refill =
            "CREATE TEMPORARY TABLE kept AS SELECT * FROM users; BEGIN; TRUNCATE users; INSERT INTO users TABLE kept";
        writer.batch_execute(refill).unwrap();
        let mut early = asking(server, ONE);
        eventually("it waits for the table", || (database.number(STATEMENTS) == 1).then_some(()));
        writer.batch_execute("COMMIT").unwrap();
        assert_eq!(early.receive().json(), user(1));
    });
}

#[test]
fn other_parameters_and_other_spellings_join_as_they_should() {
    with_any(|database, server, client| {
        inspect(client, ONE);
        let lock = Lock::on(database, "users");
        let spelled = [ONE[0], " [ 1 ] "];
        let mut clients = [asking(server, ONE), asking(server, &spelled), asking(server, TWO)];
        await_waiting(client, 3);
        assert_eq!(client.figure("flights"), 2);
        lock.release();
        for (client, id) in clients.iter_mut().zip([1, 1, 2]) {
            assert_eq!(client.receive().json(), user(id));
        }
    });
}

#[test]
fn the_shortest_time_to_live_of_those_who_wait_is_stored() {
    with_any(|database, server, client| {
        let lock = Lock::on(database, "users");
        let mut clients = ["3000", "60", "9000"].map(|ttl| asking(server, &[ONE, &["TTL", ttl]].concat()));
        await_waiting(client, 3);
        lock.release();
        for client in &mut clients {
            assert_eq!(client.receive().json(), user(1));
        }
        let Reply::Integer(left) = inspect(client, ONE).field("ttl_ms") else { panic!("it is not stored") };
        assert!(left > 0 && left <= 60_000, "{left}");
    });
}

/// A load is under way when this happens: what it brings is answered and not stored.
fn not_stored_after(act: impl Fn(&mut Client)) {
    with_any(|database, server, client| {
        // Before it was ever run, and after.
        for round in 0..2 {
            let words = &[ONE, &["TAGS", "1", "red"]].concat();
            assert_eq!(during_a_load(server, database, "users", words, &act).json(), user(1), "{round}");
            assert!(!is_stored(client, words), "{round}");
            store(client, words);
            client.call(&["PGCACHE.FLUSH", "ALL"]);
            assert!(!is_stored(client, words));
        }
        assert_eq!(store(client, TWO), user(2));
    });
}

#[test]
fn flushing_everything_keeps_a_load_out() {
    not_stored_after(|client| {
        assert!(matches!(client.call(&["PGCACHE.FLUSH", "ALL"]), Reply::Integer(_)));
    });
}

#[test]
fn flushall_keeps_a_load_out() {
    not_stored_after(|client| {
        client.call(&["FLUSHALL"]);
    });
}

#[test]
fn a_flushed_tag_and_what_follows_it_keep_a_load_out() {
    not_stored_after(|client| {
        flush_tags(client, &["red"]);
        // What happens later does not undo it.
        client.call(&["SWAPDB", "0", "1"]);
        client.call(&["SWAPDB", "0", "1"]);
        flush_tags(client, &["blue"]);
    });
}

#[test]
fn who_asks_after_a_flush_gets_what_was_read_after_it() {
    with_any(|database, server, client| {
        let mut gate = Gate::on(database);
        let words = &["SELECT name FROM users WHERE id = 1 AND gate(id)"];
        gate.shut();
        let mut early = asking(server, words);
        gate.await_arrivals(1);
        database.execute("UPDATE users SET name = 'new'");
        client.call(&["PGCACHE.FLUSH", "ALL"]);
        let mut late = asking(server, words);
        gate.await_arrivals(2);
        gate.open();
        assert_eq!(late.receive().json(), json!([{"name": "new"}]));
        assert!(matches!(early.receive(), Reply::Bulk(_)));
        assert_eq!(query(client, words).json(), json!([{"name": "new"}]), "the first is not stored over it");
        assert_eq!(store(client, words), json!([{"name": "new"}]));
    });
}

#[test]
fn in_transactions_and_scripts_hits_answer_and_a_miss_is_pgmiss() {
    with_any(|_, _, client| {
        let hit = store(client, ONE);
        client.call(&["MULTI"]);
        for words in [ONE, TWO, &["SELECT never FROM nothing"]] {
            assert_eq!(query(client, words), Reply::Simple("QUEUED".into()));
        }
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no list") };
        assert_eq!(replies[0].json(), hit);
        assert_eq!((replies[1].code(), replies[2].code()), ("PGMISS", "PGMISS"));
        let script = "return redis.call('PGCACHE.QUERY', ARGV[1], ARGV[2])";
        for eval in ["EVAL", "EVAL_RO"] {
            assert_eq!(client.call(&[eval, script, "0", ONE[0], ONE[1]]).json(), hit, "{eval}");
            assert_eq!(client.call(&[eval, script, "0", TWO[0], TWO[1]]).code(), "PGMISS", "{eval}");
        }
        assert_eq!(query(client, TWO).json(), user(2), "outside of it the same client loads");
    });
}

#[test]
fn who_waits_keeps_nobody_waiting_and_may_leave() {
    with_any(|database, server, client| {
        let lock = Lock::on(database, "users");
        for _ in 0..5 {
            let waiting = asking(server, ONE);
            await_waiting(client, 1);
            assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()));
            drop(waiting);
            await_waiting(client, 0);
        }
        let mut last = asking(server, ONE);
        await_waiting(client, 1);
        lock.release();
        assert_eq!(last.receive().json(), user(1));
    });
}

#[test]
fn a_backend_killed_in_the_middle_is_a_retry_or_an_error_and_never_a_hang() {
    with_any(|database, server, client| {
        let mut lock = Lock::on(database, "users");
        let mut waiting = asking(server, ONE);
        lock.await_arrivals(1);
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        assert_eq!(database.number(ended), 1);
        lock.release();
        match waiting.receive() {
            Reply::Error(text) => assert!(text.starts_with("PGDOWN") || text.starts_with("PGERR"), "{text}"),
            answer => assert_eq!(answer.json(), user(1)),
        }
        await_result(client, ONE, &user(1));
        assert_eq!(client.figure("waiting_clients"), 0);
    });
}

#[test]
fn while_postgresql_is_down_hits_go_on_and_misses_say_so() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        let server = any(&kind, &database).setting("invalidation", "off").start();
        let mut client = server.client();
        let hit = store(&mut client, ONE);
        postgres.kill();
        eventually("it is noticed", || (query(&mut client, TWO).code() == "PGDOWN").then_some(()));
        for _ in 0..3 {
            assert_eq!(query(&mut client, ONE).json(), hit);
            assert_eq!(query(&mut client, TWO).code(), "PGDOWN");
        }
        assert!(!is_stored(&mut client, TWO));
        postgres.start_again();
        await_result(&mut client, TWO, &user(2));
        assert_eq!(query(&mut client, ONE).json(), hit);
    });
}

#[test]
fn while_a_source_is_suspect_what_it_tells_of_is_read_through() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(3).execute("CREATE TABLE quiet (n int); INSERT INTO quiet VALUES (1)");
            let setup = any(&kind, &database).setting("invalidation", mode);
            let setup = setup.setting(UNTOLD.0, UNTOLD.1);
            let longest = Duration::from_millis(500);
            let server = start_listening(setup.setting("max_staleness_ms", &longest.as_millis().to_string()));
            let mut client = server.client();
            watch(&mut client, "users");
            let quiet = &["SELECT n FROM quiet"];
            store(&mut client, ONE);
            let unwatched = store(&mut client, quiet);
            let sql = "SELECT pid::bigint FROM pg_stat_activity
                WHERE application_name = 'pgcache/notices' AND datname = current_database()";
            let listener = u32::try_from(database.number(sql)).unwrap();
            freeze(listener);
            database.execute("UPDATE users SET name = 'new'; UPDATE quiet SET n = 2");
            let changed = Instant::now();
            await_freshness(&mut client, "suspect");
            assert_eq!(query(&mut client, ONE).json()[0]["name"], "new");
            assert_eq!(query(&mut client, quiet).json(), unwatched, "nobody vouches for it anyway");
            kill(listener, libc::SIGCONT);
            await_freshness(&mut client, "live");
            // A sign of life that was on its way when the change came vouches for the time before it.
            eventually("the change is told", || {
                let asked = changed.elapsed();
                let is_new = query(&mut client, ONE).json()[0]["name"] == "new";
                assert!(is_new || asked < longest, "{mode}: {asked:?} after the change");
                is_new.then_some(())
            });
            eventually("it is kept again", || {
                query(&mut client, ONE);
                is_stored(&mut client, ONE).then_some(())
            });
        }
    });
}

#[test]
fn a_query_that_fails_is_not_remembered() {
    with_any(|database, _, client| {
        let words = &["SELECT 10 / n AS v FROM numbers"];
        database.execute("CREATE TABLE numbers (n int); INSERT INTO numbers VALUES (0)");
        for _ in 0..2 {
            let reply = query(client, words);
            assert!(matches!(&reply, Reply::Error(text) if text.starts_with("PGERR 22012 ")), "{reply:?}");
            assert!(!is_stored(client, words));
        }
        database.execute("UPDATE numbers SET n = 5");
        assert_eq!(query(client, words).json(), json!([{"v": 2}]));
    });
}

#[test]
fn sessions_are_left_as_they_were_found() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = any(&kind, &database).setting("pool_size", "1").start();
        let mut client = server.client();
        // Whether these are refused or answered, the next query of the only session is none the wiser.
        let attempts = [
            "SELECT set_config('search_path', 'nowhere', false)",
            "SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
            "SELECT set_config('statement_timeout', '1', false)",
            "SELECT set_config('role', 'pg_monitor', false)",
            "SELECT set_config('extra_float_digits', '-15', false)",
        ];
        for (number, sql) in attempts.into_iter().enumerate() {
            query(&mut client, &[sql]);
            let after =
                "SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone, current_user,
                current_setting('statement_timeout') <> '1ms' AS patient, 0.1::float8 + 0.2 AS sum, $1::text AS asked";
            let found = query(&mut client, &[after, &format!("[\"{number}\"]")]).json()[0].clone();
            assert_ne!(found["path"], "nowhere", "{sql}");
            assert_ne!(found["zone"], "Asia/Tokyo", "{sql}");
            assert_eq!((&found["current_user"], &found["patient"]), (&json!("postgres"), &json!(true)), "{sql}");
            assert_eq!(found["sum"], json!(0.1 + 0.2), "{sql}");
            assert_eq!(client.read("users", r#"{"id":1}"#).json()["id"], 1, "{sql}");
            client.invalidate("users", r#"{"id":1}"#);
        }
    });
}

#[test]
fn rows_and_results_live_next_to_each_other() {
    with_any(|_, _, client| {
        let row = client.read("users", r#"{"id":1}"#);
        store(client, ONE);
        client.call(&["PGCACHE.WRITE", "users", r#"{"id":2}"#, r#"{"id":2,"name":"written"}"#]);
        assert_eq!(client.read("users", r#"{"id":1}"#), row);
        assert_eq!(query(client, TWO).json(), user(2), "WRITE is for rows alone");
        let Reply::Array(keys) = client.call(&["KEYS", "pg_cache:*"]) else { panic!("no list") };
        let keys: BTreeSet<String> = keys.iter().map(Reply::text).collect();
        assert!(keys.contains(r#"pg_cache:users:{"id":1}"#), "{keys:?}");
    });
}

#[test]
fn what_waits_for_one_quick_query_shares_transactions_and_gets_its_own_answers() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(40);
        let server = any(&kind, &database).setting("pool_size", "1").start();
        let mut client = server.client();
        let sql = "SELECT id, 12 / ($1::int - 5) AS v FROM users WHERE id <= $1::int ORDER BY id DESC LIMIT 1";
        query(&mut client, &[sql, "[1]"]);
        let mut lock = Lock::on(&database, "users");
        let mut first = asking(&server, &[sql, "[2]"]);
        lock.await_arrivals(1);
        let params: Vec<String> =
            (3..40).map(|id| format!("[{id}]")).chain(["[\"x\"]".into(), "[1,2]".into()]).collect();
        let mut others: Vec<Client> = params.iter().map(|params| asking(&server, &[sql, params])).collect();
        await_waiting(&mut client, 1 + params.len() as u64);
        let before = client.figure("statements");
        lock.release();
        assert_eq!(first.receive().json()[0]["id"], 2);
        for (params, other) in params.iter().zip(&mut others) {
            let reply = other.receive();
            match params.as_str() {
                "[5]" => assert!(format!("{reply:?}").contains("PGERR 22012"), "{reply:?}"),
                "[\"x\"]" => assert_eq!(reply.code(), "PGBADVALUE"),
                "[1,2]" => assert_eq!(reply.code(), "ERR"),
                _ => {
                    let id: i64 = params.trim_matches(['[', ']']).parse().unwrap();
                    assert_eq!(reply.json(), json!([{"id": id, "v": 12 / (id - 5)}]), "{params}");
                }
            }
        }
        let turns = client.figure("statements") - before;
        // The one that fails leaves the rest of its sixteen to run by themselves; without sharing there are as many turns as queries.
        assert!(turns < 30, "{turns} turns for {} queries", params.len());
    });
}
