//! What near caches are told: the channel `pg_cache_near`, and what PGCACHE.NEAR vouches for.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::cluster::Cluster;
use support::process::{freeze, kill};
use support::watched::{await_freshness, start_listening, watch, UNTOLD};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10);
    database
}

/// A server of a watched table.
fn watching(kind: &support::Kind, database: &Database<'_>) -> Server {
    let server = start_listening(Server::setup(kind).on(database).setting("query", "any"));
    watch(&mut server.client(), "users");
    server
}

/// So many heartbeats without a message are waited for.
const MANY_BEATS: usize = 100;

/// A near cache, as far as it listens.
struct NearCache {
    client: Client,
    /// The last message's run and number.
    last: Option<(String, u64)>,
}

impl NearCache {
    /// One that has heard a heartbeat: from here on it hears everything.
    fn new(client: Client, subscribe: [&str; 2]) -> Self {
        let mut near = Self { client, last: None };
        assert!(matches!(near.client.call(&subscribe), Reply::Array(_)));
        near.beat();
        near
    }

    fn of(server: &Server) -> Self {
        Self::new(server.client(), ["SUBSCRIBE", "pg_cache_near"])
    }

    /// The next message. No number is left out.
    fn next(&mut self) -> Value {
        let Reply::Array(message) = self.client.receive() else { panic!("no message") };
        let message: Value = serde_json::from_str(&message[2].text()).unwrap();
        let (run, seq) = (message["run"].as_str().unwrap().to_owned(), message["seq"].as_u64().unwrap());
        if let Some((last_run, last_seq)) = &self.last {
            assert_eq!((&run, seq), (last_run, last_seq + 1), "{message}");
        }
        self.last = Some((run, seq));
        message
    }

    fn beat(&mut self) -> Value {
        loop {
            let message = self.next();
            if message.get("sources").is_some() {
                return message;
            }
        }
    }

    /// The next message that is no heartbeat, without its number.
    fn told(&mut self) -> Value {
        for _ in 0..MANY_BEATS {
            let mut message = self.next();
            if message.get("sources").is_none() {
                let members = message.as_object_mut().unwrap();
                members.retain(|name, _| name != "run" && name != "seq");
                return message;
            }
        }
        panic!("nothing is told but heartbeats");
    }

    /// Waits for the messages that tell of all of these keys, and nothing else but heartbeats.
    fn told_of(&mut self, table: &str, keys: &[&str]) {
        let mut missing: Vec<&str> = keys.to_vec();
        while !missing.is_empty() {
            let message = self.told();
            assert_eq!(message["table"], table, "{message}");
            let named: Vec<&str> =
                message["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            missing.retain(|key| !named.contains(key));
        }
    }
}

fn vouched(client: &mut Client, arguments: &[&str]) -> Value {
    match client.call(&[&["PGCACHE.NEAR"], arguments].concat()) {
        Reply::Nil => Value::Null,
        reply => reply.json(),
    }
}

#[test]
fn a_change_is_told_with_all_keys_of_its_row_whether_or_not_it_is_cached() {
    on_every_server(|kind| {
        let database = users();
        let server = watching(&kind, &database);
        server.client().read("users", ONE);
        let mut near = NearCache::of(&server);
        database.execute("UPDATE users SET name = 'x' WHERE id IN (1, 2)");
        near.told_of("users", &[ONE, TWO, r#"{"email":"user1@example.com"}"#]);
        database.execute("TRUNCATE users");
        let message = near.told();
        assert_eq!(message, json!({"table": "users"}));
    });
}

#[test]
fn what_commands_and_others_drop_is_told() {
    on_every_server(|kind| {
        let database = users();
        let server = watching(&kind, &database);
        let mut client = server.client();
        client.read("users", TWO);
        assert_eq!(client.call(&["PGCACHE.DEFINE", "top", "SELECT 1 AS one"]).text(), "OK");
        client.call(&["PGCACHE.QUERY", "SELECT id FROM users", "[]", "TAGS", "1", "t"]);
        let mut near = NearCache::of(&server);
        let cases: [(&[&str], Value); 8] = [
            (&["PGCACHE.INVALIDATE", "users", r#"{"id":"1"}"#], json!({"table": "users", "keys": [ONE]})),
            (&["PGCACHE.WRITE", "users", ONE, r#"{"id":1}"#], json!({"table": "users", "keys": [ONE]})),
            (&["DEL", &client.call(&["PGCACHE.KEY", "users", TWO]).text()], json!({"table": "users", "keys": [TWO]})),
            (&["PGCACHE.FLUSH", "TAG", "t"], json!({"tag": "t"})),
            (&["PGCACHE.FLUSH", "TABLE", "users"], json!({"table": "users"})),
            (&["PGCACHE.DEFINE", "top", "SELECT 2 AS two"], json!({"query": "top"})),
            (&["PGCACHE.FLUSH", "ALL"], json!({"all": true})),
            (&["FLUSHALL"], json!({"all": true})),
        ];
        for (command, wanted) in &cases {
            assert!(!matches!(client.call(command), Reply::Error(_)), "{command:?}");
            assert_eq!(near.told(), *wanted, "{command:?}");
            // What follows from it may be told once more.
            near.beat();
        }
    });
}

#[test]
fn only_what_stands_and_is_told_of_is_vouched_for() {
    on_every_server(|kind| {
        let database = users();
        database.execute("CREATE VIEW names AS SELECT id, name FROM users");
        database.execute("CREATE TABLE alone (id int PRIMARY KEY); INSERT INTO alone VALUES (1)");
        let server = watching(&kind, &database);
        let mut client = server.client();
        assert_eq!(vouched(&mut client, &["users", ONE]), Value::Null);
        client.read("users", ONE);
        let answer = vouched(&mut client, &["public.users", r#"{ "id": "1" }"#]);
        assert_eq!(
            (&answer["table"], &answer["key"], &answer["source"]),
            (&json!("users"), &json!(ONE), &json!("default"))
        );
        assert!(answer["ttl_ms"].as_u64().unwrap() > 0 && answer["run"].is_string(), "{answer}");
        let many = vouched(&mut client, &["users", r#"[{"id":2},{"id":1}]"#]);
        assert_eq!((&many[0], &many[1]["key"]), (&Value::Null, &json!(ONE)));
        let name = r#"{"name":"User 3"}"#;
        client.read("users", name);
        assert_eq!(vouched(&mut client, &["users", name])["key"], Value::Null, "any change of the table ends it");
        client.read("alone", ONE);
        let alone = vouched(&mut client, &["alone", ONE]);
        assert_eq!((&alone["key"], &alone["source"]), (&json!(ONE), &Value::Null), "nobody tells of its changes");
        client.read("users", r#"{"id":999}"#);
        assert_eq!(
            vouched(&mut client, &["users", r#"{"id":999}"#])["key"],
            json!(r#"{"id":999}"#),
            "there is no such row"
        );
        let query = ["SELECT name FROM users WHERE id = $1", "[1]", "TAGS", "1", "t"];
        assert_eq!(vouched(&mut client, &[&["QUERY", "[1]"], &query[..]].concat()), Value::Null);
        client.call(&[&["PGCACHE.QUERY"], &query[..]].concat());
        let answer = vouched(&mut client, &[&["QUERY", "[1]"], &query[..]].concat());
        assert_eq!((&answer["tables"], &answer["tags"]), (&json!(["users"]), &json!(["t"])));
        assert_eq!(answer["query"].as_str().unwrap().len(), 64);
    });
}

/// The pid of the backend that tells the server of changes.
fn notice_backend(database: &Database<'_>) -> u32 {
    let sql =
        "SELECT pid::bigint FROM pg_stat_activity WHERE application_name = 'pgcache/notices' AND datname = current_database()
               ORDER BY backend_start LIMIT 1";
    u32::try_from(database.number(sql)).unwrap()
}

#[test]
fn nothing_is_vouched_for_while_the_source_is_suspect_and_heartbeats_say_so() {
    on_every_server(|kind| {
        let database = users();
        let setup = Server::setup(&kind).on(&database).setting("max_staleness_ms", "500").setting("on_gap", "serve");
        let server = start_listening(setup.setting(UNTOLD.0, UNTOLD.1));
        let mut client = server.client();
        watch(&mut client, "users");
        eventually("the row is vouched for", || {
            client.read("users", ONE);
            (vouched(&mut client, &["users", ONE]) != Value::Null).then_some(())
        });
        let mut near = NearCache::of(&server);
        let beat = near.beat();
        assert_eq!(beat["max_staleness_ms"], 500);
        assert!(beat["sources"]["default"]["age_ms"].as_u64().unwrap() < 500, "{beat}");
        let pid = notice_backend(&database);
        freeze(pid);
        eventually("the source is suspect", || near.beat()["sources"]["default"]["suspect"].is_string().then_some(()));
        assert_eq!(vouched(&mut client, &["users", ONE]), Value::Null);
        kill(pid, libc::SIGCONT);
        eventually("the source is live", || near.beat()["sources"]["default"]["age_ms"].is_u64().then_some(()));
    });
}

#[test]
fn messages_that_nobody_hears_are_counted_and_whoever_comes_again_sees_the_gap() {
    on_every_server(|kind| {
        let database = users();
        let server = watching(&kind, &database);
        let mut first = NearCache::of(&server);
        let (run, seq) =
            first.beat().as_object().map(|beat| (beat["run"].clone(), beat["seq"].as_u64().unwrap())).unwrap();
        drop(first);
        let mut client = server.client();
        for _ in 0..100 {
            client.call(&["PGCACHE.INVALIDATE", "users", ONE]);
        }
        let mut second = NearCache::of(&server);
        let beat = second.beat();
        assert_eq!(beat["run"], run);
        assert!(beat["seq"].as_u64().unwrap() >= seq + 101, "{beat}");
    });
}

#[test]
fn each_node_of_a_cluster_tells_those_who_listen_to_it_alone() {
    on_every_server(|kind| {
        let database = users();
        let cluster = Cluster::start(&kind, 3, 0, |node| node.on(&database));
        for node in cluster.primaries() {
            await_freshness(&mut cluster[node].client(), "live");
        }
        watch(&mut cluster[0].client(), "users");
        let channels: Vec<String> = cluster
            .primaries()
            .into_iter()
            .map(|node| cluster[node].client().call(&["PGCACHE.HEALTH"]).field("near_channel").text())
            .collect();
        assert!(channels.iter().all(|channel| channel.starts_with("pg_cache_near:")), "{channels:?}");
        let listen = |node: usize, channel: &str| NearCache::new(cluster[node].client(), ["SUBSCRIBE", channel]);
        let mut near: Vec<NearCache> =
            cluster.primaries().into_iter().zip(&channels).map(|(node, channel)| listen(node, channel)).collect();
        let runs: std::collections::BTreeSet<String> = near.iter().map(|near| near.last.clone().unwrap().0).collect();
        assert_eq!(runs.len(), 3, "each hears one node");
        cluster.client().call(&["PGCACHE.READ", "users", ONE]);
        for near in &mut near {
            near.beat();
        }
        for node in cluster.primaries() {
            // Each has to know the table to tell of it.
            cluster[node].client().call(&["PGCACHE.STATS", "TABLE", "users"]);
        }
        database.execute("UPDATE users SET name = 'x' WHERE id = 1");
        let owner = cluster.owner_of(ONE);
        let place = cluster.primaries().into_iter().position(|node| node == owner).unwrap();
        near[place].told_of("users", &[ONE]);
    });
}
