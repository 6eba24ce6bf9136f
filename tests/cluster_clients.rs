//! Client libraries of clusters: each command goes where its row is, and what is moved is found again.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use redis::cluster::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, FromRedisValue, RedisResult};

use support::cluster::{slot_of, Cluster};
use support::{on_every_server, Kind, Postgres};

/// The Python that Debian's libraries are for, which another one may hide.
const PYTHON: &str = "/usr/bin/python3";

fn key(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// Three primaries with a replica each, and a database with users.
fn on_a_cluster(test: impl Fn(&Kind, &Cluster)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(100);
        let cluster = Cluster::start(&kind, 3, 1, |node| node.on(&database).setting("query", "any"));
        test(&kind, &cluster);
    });
}

/// How often a node has sent a client elsewhere.
fn redirected(cluster: &Cluster) -> u64 {
    let count = |node: usize| {
        let said = cluster[node].client().call(&["INFO", "errorstats"]).text();
        let count = said.lines().find_map(|line| line.strip_prefix("errorstat_MOVED:count="));
        count.map_or(0, |count| count.trim().parse().unwrap())
    };
    (0..cluster.len()).map(count).sum()
}

/// Has the slot of row 1 belong to another node.
fn move_row_1(cluster: &Cluster) {
    let slot = slot_of(key(1));
    let from = cluster.node_of(slot);
    let to = cluster.primaries().into_iter().find(|node| *node != from).unwrap();
    cluster.move_slots(slot..=slot, to);
}

/// Runs a client of the folder beside this file, which says `move` when all that it has sent came to the right node, and `done` at its end.
fn run_client(cluster: &Cluster, program: &str, arguments: &[&str]) {
    let before = redirected(cluster);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster_clients").join(arguments[0]);
    let mut command = Command::new(program);
    command.arg(file).args(&arguments[1..]).arg(cluster[0].port().to_string()).env("NODE_PATH", node_path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; see scripts/install.sh"));
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    if lines.next().as_deref() == Some("move") {
        assert_eq!(redirected(cluster), before, "{arguments:?}: a command came to the wrong node");
        move_row_1(cluster);
        writeln!(client.stdin.take().unwrap(), "moved").unwrap();
    }
    let last = lines.last().unwrap_or_default();
    let mut said = String::new();
    client.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(client.wait().unwrap().success() && last.starts_with("done"), "{arguments:?}: {said}");
}

/// Where Debian has libraries for Node; `PGCACHE_NODE_PATH` names other ones.
fn node_path() -> String {
    std::env::var("PGCACHE_NODE_PATH").unwrap_or("/usr/share/nodejs".into())
}

/// The library in Python that `PGCACHE_PYTHON`, or Debian's Python, has.
fn python(library: &str) {
    let program = std::env::var("PGCACHE_PYTHON").unwrap_or(PYTHON.into());
    on_a_cluster(|_, cluster| {
        for kind in ["sync", "asyncio"] {
            run_client(cluster, &program, &["client.py", library, kind]);
        }
    });
}

#[test]
fn redis_py_sends_each_command_where_its_row_is() {
    python("redis");
}

#[test]
#[ignore = "Debian has no valkey-py: PGCACHE_PYTHON names a Python that has it"]
fn valkey_py_sends_each_command_where_its_row_is() {
    python("valkey");
}

#[test]
fn node_redis_sends_each_command_where_its_row_is() {
    on_a_cluster(|_, cluster| run_client(cluster, "node", &["client.js"]));
}

/// The redis crate knows no commands of modules: it sends them by their first argument unless told otherwise.
fn by(key: &str, to: SlotAddr) -> RoutingInfo {
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, to)))
}

fn command(words: &[&str]) -> Cmd {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command
}

fn ask<T: FromRedisValue>(connection: &mut ClusterConnection, key: &str, words: &[&str]) -> RedisResult<T> {
    let value = connection.route_command(&command(words), by(key, SlotAddr::Master))?;
    Ok(T::from_redis_value(value).expect("it has this type"))
}

fn read(connection: &mut ClusterConnection, id: usize) -> serde_json::Value {
    let row: Option<String> = ask(connection, &key(id), &["PGCACHE.READ", "users", &key(id)]).unwrap();
    serde_json::from_str(&row.unwrap_or("null".into())).unwrap()
}

#[test]
fn the_redis_crate_sends_each_command_where_it_is_told_to() {
    on_a_cluster(|_, cluster| {
        let mut connection = cluster.connection();
        let before = redirected(cluster);
        assert!((1..=30).all(|id| read(&mut connection, id)["id"] == id));
        assert!(read(&mut connection, 99_999).is_null());
        let row = key(7);
        let written: String =
            ask(&mut connection, &row, &["PGCACHE.WRITE", "users", &row, r#"{"id":7,"name":"written"}"#]).unwrap();
        assert_eq!((written.as_str(), &read(&mut connection, 7)["name"]), ("OK", &"written".into()));
        let _: String = ask(&mut connection, &row, &["PGCACHE.INVALIDATE", "users", &row]).unwrap();
        assert_ne!(read(&mut connection, 7)["name"], "written");
        let many: Vec<String> = (1..=30).map(key).collect();
        let many = format!("[{}]", many.join(","));
        let rows: String = ask(&mut connection, &many, &["PGCACHE.MULTIREAD", "users", &many]).unwrap();
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&rows).unwrap().len(), 30);
        let define = command(&["PGCACHE.DEFINE", "of", "SELECT id FROM users WHERE id = $1"]);
        let primaries = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        connection.route_command(&define, primaries).unwrap();
        let result: String = ask(&mut connection, "of", &["PGCACHE.QUERY", "NAME", "of", "[3]"]).unwrap();
        assert_eq!(result, r#"[{"id":3}]"#);
        let health = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        connection.route_command(&command(&["PGCACHE.HEALTH"]), health).unwrap();
        let error = ask::<String>(&mut connection, &row, &["PGCACHE.READ", "nothing", &row]).unwrap_err();
        assert_eq!(error.code(), Some("PGNOTABLE"));
        assert_eq!(redirected(cluster), before, "all came to the right node");

        move_row_1(cluster);
        assert_eq!(read(&mut connection, 1)["id"], 1);
        assert!(redirected(cluster) > before);
    });
}

#[test]
fn the_redis_crate_finds_rows_by_redirects_if_it_is_not_told() {
    on_a_cluster(|_, cluster| {
        let mut connection = cluster.connection();
        let read = |id: usize| command(&["PGCACHE.READ", "users", &key(id)]);
        for id in 1..=30 {
            let row: String = read(id).query(&mut connection).unwrap();
            assert!(row.contains(&format!(r#""id":{id},"#)), "{row}");
        }
        assert!(redirected(cluster) > 0, "it has sent them all by the name of the table");
        let mut pipeline = redis::cluster::cluster_pipe();
        for id in 1..=30 {
            pipeline.add_command(read(id));
        }
        let error = pipeline.query::<Vec<String>>(&mut connection).unwrap_err();
        assert!(error.to_string().contains("Moved"), "pipelines follow no redirect: {error}");
    });
}
