//! What is published on `pg_cache_events`.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};
use support::outage::{await_status, take_away};
use support::server::Setup;
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10);
    database
}

fn all(kind: &Kind, database: &Database<'_>) -> Setup {
    Server::setup(kind).on(database).setting("events", "all")
}

/// Someone who listens on the channel.
struct Listener {
    client: Client,
}

impl Listener {
    fn new(server: &Server) -> Self {
        let mut client = server.client();
        client.call(&["SUBSCRIBE", "pg_cache_events"]);
        Self { client }
    }

    fn message(&mut self) -> String {
        let Reply::Array(message) = self.client.receive() else { panic!("no message") };
        assert_eq!(message[1].text(), "pg_cache_events");
        message[2].text()
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.message()).unwrap()
    }

    /// The next event of this type, whatever comes before it.
    fn event_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event();
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Everything until now.
    fn rest(&mut self, server: &Server) -> Vec<String> {
        server.client().call(&["PUBLISH", "pg_cache_events", "the last"]);
        let mut messages = vec![];
        loop {
            let message = self.message();
            if message == "the last" {
                return messages;
            }
            messages.push(message);
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Takes the time out of an event, after a look at it.
fn without_time(mut event: Value, since_ms: u64) -> Value {
    let ts = event.as_object_mut().unwrap().remove("ts").unwrap().as_u64().unwrap();
    assert!((since_ms..=now_ms()).contains(&ts), "{ts}");
    event
}

#[test]
fn reads_writes_and_invalidations_are_told_by_default() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        let began = now_ms();
        let mut next = || without_time(listener.event(), began);
        let about = |kind: &str| json!({"type": kind, "source": "default", "table": "users", "key": {"id": 1}});
        client.read("users", r#"{ "id" : "1" }"#);
        assert_eq!(next(), about("cache_miss"));
        client.read("users", ONE);
        assert_eq!(next(), about("cache_hit"));
        client.call(&["PGCACHE.WRITE", "users", ONE, r#"{"id":1}"#, "60"]);
        let mut wrote = about("cache_write");
        wrote["ttl"] = json!(60);
        assert_eq!(next(), wrote);
        client.invalidate("users", ONE);
        let mut invalidated = about("cache_invalidate");
        invalidated["reason"] = json!("command");
        assert_eq!(next(), invalidated);
        assert_eq!(listener.rest(&server), Vec::<String>::new());
    });
}

#[test]
fn a_write_without_a_ttl_tells_the_default_one() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).on(&users()).setting("default_ttl", "77").start();
        let mut listener = Listener::new(&server);
        server.client().call(&["PGCACHE.WRITE", "users", ONE, "null"]);
        assert_eq!(listener.event_of("cache_write")["ttl"], 77);
    });
}

#[test]
fn a_multiread_tells_of_each_key() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        client.read("users", ONE);
        let mut listener = Listener::new(&server);
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":3}]"#);
        let mut events: Vec<String> =
            (0..3).map(|_| listener.event()).map(|event| format!("{} {}", event["type"], event["key"])).collect();
        events.sort();
        let wanted = [r#""cache_hit" {"id":1}"#, r#""cache_miss" {"id":2}"#, r#""cache_miss" {"id":3}"#];
        assert_eq!(events, wanted);
    });
}

#[test]
fn hits_in_transactions_and_scripts_are_told_too() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        client.read("users", ONE);
        let mut listener = Listener::new(&server);
        client.call(&["MULTI"]);
        client.read("users", ONE);
        client.call(&["EXEC"]);
        client.call(&["EVAL", "return redis.call('PGCACHE.READ', 'users', ARGV[1])", "0", ONE]);
        assert_eq!(listener.event()["type"], "cache_hit");
        assert_eq!(listener.event()["type"], "cache_hit");
    });
}

#[test]
fn a_load_is_told_when_asked_for() {
    on_every_server(|kind| {
        let server = all(&kind, &users()).start();
        let mut listener = Listener::new(&server);
        let began = now_ms();
        server.client().read("users", ONE);
        let mut load = without_time(listener.event_of("cache_load"), began);
        let took = load.as_object_mut().unwrap().remove("duration_us").unwrap();
        assert!(took.as_u64().unwrap() <= 1000 * (now_ms() - began + 1), "{took}");
        assert_eq!(load, json!({"type": "cache_load", "source": "default", "table": "users", "key": {"id": 1}}));
    });
}

#[test]
fn an_entrys_end_is_told() {
    on_every_server(|kind| {
        let server = all(&kind, &users()).start();
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        let began = now_ms();
        client.call(&["PGCACHE.READ", "users", ONE, "1"]);
        let expired = without_time(listener.event_of("cache_expire"), began);
        assert_eq!(expired, json!({"type": "cache_expire", "source": "default", "table": "users", "key": {"id": 1}}));
        assert_eq!(client.figure("expired"), 1);
    });
}

#[test]
fn an_entrys_end_is_told_when_a_read_is_what_finds_it() {
    on_every_server(|kind| {
        let server = all(&kind, &users()).start();
        let mut client = server.client();
        client.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        client.read("users", ONE);
        let key = client.key("users", ONE);
        client.call(&["PEXPIRE", &key, "1"]);
        let end = now_ms() + 2;
        eventually("its time has come", || (now_ms() > end).then_some(()));
        let mut listener = Listener::new(&server);
        client.read("users", ONE);
        assert_eq!(listener.event_of("cache_expire")["key"], json!({"id": 1}));
        assert_eq!(client.figure("expired"), 1);
    });
}

#[test]
fn an_eviction_is_told() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE fat (id bigint PRIMARY KEY, filling text);
             INSERT INTO fat SELECT n, repeat('x', 10000) FROM generate_series(1, 1000) n",
        );
        let server = all(&kind, &database).start();
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        let limit = client.used_memory() + 1_000_000;
        client.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        client.call(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
        for id in 1..=1000 {
            client.read("fat", &format!(r#"{{"id":{id}}}"#));
        }
        let evicted = listener.event_of("cache_evict");
        assert_eq!((&evicted["source"], &evicted["table"]), (&json!("default"), &json!("fat")));
        assert!((1..=1000).contains(&evicted["key"]["id"].as_i64().unwrap()), "{evicted}");
    });
}

#[test]
fn a_table_that_is_dropped_as_a_whole_is_told() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute("CREATE TABLE spans (span interval PRIMARY KEY)");
        let server = all(&kind, &database).start();
        let mut listener = Listener::new(&server);
        let began = now_ms();
        server.client().invalidate("spans", r#"{"span":"1 day"}"#);
        let flush = without_time(listener.event_of("table_flush"), began);
        assert_eq!(flush, json!({"type": "table_flush", "source": "default", "table": "spans"}));
    });
}

#[test]
fn a_source_that_goes_and_comes_back_is_told_once_each_way() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        let server = all(&kind, &database).start();
        let mut client = server.client();
        // HEALTH knows it a little earlier than the event is published, the log does not.
        eventually("the source is up", || server.log().contains("source default is up").then_some(()));
        let mut listener = Listener::new(&server);
        let began = now_ms();
        postgres.kill();
        let mut down = without_time(listener.event(), began);
        let reason = down.as_object_mut().unwrap().remove("reason").unwrap();
        assert!(!reason.as_str().unwrap().is_empty());
        assert_eq!(down, json!({"type": "source_down", "source": "default"}));
        postgres.start_again();
        let up = without_time(listener.event(), began);
        assert_eq!(up, json!({"type": "source_up", "source": "default"}));
        await_status(&mut client, "healthy");
        assert_eq!(listener.rest(&server), Vec::<String>::new());
    });
}

#[test]
fn a_load_that_fails_is_told_with_its_code() {
    on_every_server(|kind| {
        let database = users();
        database.execute("CREATE VIEW people AS SELECT id, 'same' AS kind FROM users");
        let server = all(&kind, &database).start();
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        let began = now_ms();
        assert_eq!(client.read("people", r#"{"kind":"same"}"#).code(), "PGNOTUNIQUE");
        let error = without_time(listener.event_of("cache_error"), began);
        let wanted = json!({"type": "cache_error", "source": "default", "table": "people", "key": {"kind": "same"}, "error": "PGNOTUNIQUE"});
        assert_eq!(error, wanted);
    });
}

#[test]
fn a_statement_that_takes_too_long_is_told() {
    on_every_server(|kind| {
        let database = users();
        let server = all(&kind, &database).start();
        let mut client = server.client();
        client.read("users", ONE);
        client.set("statement_timeout_ms", "100");
        let mut listener = Listener::new(&server);
        let _lock = Lock::on(&database, "users");
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGTIMEOUT");
        assert_eq!(listener.event_of("cache_error")["error"], "PGTIMEOUT");
    });
}

#[test]
fn a_load_that_is_given_up_is_told() {
    on_every_server(|kind| {
        let database = users();
        let server = all(&kind, &database).start();
        let mut client = server.client();
        client.read("users", ONE);
        client.set("load_timeout_ms", "100");
        let mut listener = Listener::new(&server);
        let _lock = Lock::on(&database, "users");
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGTIMEOUT");
        let told = listener.rest(&server);
        assert!(told.iter().any(|event| event.contains("cache_error") && event.contains("PGTIMEOUT")), "{told:?}");
    });
}

#[test]
fn a_load_without_a_connection_is_told() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(3);
        let server = all(&kind, &database).start();
        let mut client = server.client();
        client.read("users", ONE);
        take_away(&postgres, &mut client);
        let mut listener = Listener::new(&server);
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGDOWN");
        let told = listener.rest(&server);
        assert!(told.iter().any(|event| event.contains("cache_error") && event.contains("PGDOWN")), "{told:?}");
    });
}

#[test]
fn no_event_holds_row_data() {
    on_every_server(|kind| {
        let database = users();
        let server = all(&kind, &database).start();
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        for _ in 0..2 {
            client.read("users", ONE);
            client.multiread("users", r#"[{"id":1},{"id":2}]"#);
            client.call(&["PGCACHE.WRITE", "users", r#"{"id":3}"#, r#"{"id":3,"name":"User 3"}"#]);
            client.read("users", r#"{"id":3}"#);
        }
        client.invalidate("users", ONE);
        let events = listener.rest(&server);
        assert!(events.len() >= 10, "{events:?}");
        let told = events.iter().find(|event| event.contains("User ") || event.contains("example.com"));
        assert_eq!(told, None);
    });
}

#[test]
fn names_of_any_kind_make_one_json_object() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            r#"CREATE TABLE "A ""b"" c:d" ("k\ey" text PRIMARY KEY); INSERT INTO "A ""b"" c:d" VALUES (E'x"\n\\é')"#,
        );
        let server = Server::start(&kind, &database);
        let mut listener = Listener::new(&server);
        let key = json!({"k\\ey": "x\"\n\\é"});
        let reply = server.client().read(r#""A ""b"" c:d""#, &key.to_string());
        assert_eq!(reply.json(), key);
        let event = listener.event();
        assert_eq!(event["key"], key);
        assert_eq!(event["table"], r#""A ""b"" c:d""#);
    });
}

#[test]
fn none_silences_everything() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind).on(&database).setting("events", "none").start();
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        client.read("users", ONE);
        client.read("users", ONE);
        client.call(&["PGCACHE.WRITE", "users", ONE, "null"]);
        client.invalidate("users", ONE);
        client.read("nothing", ONE);
        assert_eq!(listener.rest(&server), Vec::<String>::new());
    });
}

#[test]
fn only_the_types_that_were_chosen_are_told() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).on(&users()).setting("events", "cache_load, cache_invalidate").start();
        let mut client = server.client();
        let mut listener = Listener::new(&server);
        client.read("users", ONE);
        client.read("users", ONE);
        client.invalidate("users", ONE);
        let told = listener.rest(&server);
        let kinds: Vec<Value> =
            told.iter().map(|event| serde_json::from_str::<Value>(event).unwrap()["type"].clone()).collect();
        assert_eq!(kinds, ["cache_load", "cache_invalidate"]);
    });
}

#[test]
fn a_replica_tells_of_its_own_hits() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        on_replica.call(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
        on_master.read("users", ONE);
        eventually("the entry arrives", || on_replica.exists(r#"pg_cache:users:{"id":1}"#).then_some(()));
        let mut listener = Listener::new(&replica);
        on_replica.read("users", ONE);
        assert_eq!(listener.event_of("cache_hit")["key"]["id"], 1);
    });
}
