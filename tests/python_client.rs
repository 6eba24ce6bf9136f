//! The Python package of clients/python: its own tests, all of its methods against real servers, and what its README says.
#![allow(clippy::unwrap_used)]

mod support;

use support::cluster::{slot_of, Cluster};
use support::python::{library, package, python, run, run_alone};
use support::server::module;
use support::watched::start_listening;
use support::{on_every_server, port, Database, Postgres, Server};

/// Goes through every method, synchronous and not, and asserts that the program has come to its end.
fn every_method(place: &str, port: u16, on_move: impl Fn(&str)) {
    for mode in ["sync", "asyncio"] {
        let last = run(python(&["end_to_end.py", &library(), mode, place, &port.to_string()]), &on_move);
        assert_eq!(last, format!("done {} {mode} {place}", library()));
    }
}

/// Has the slot of row 1 belong to another node.
fn move_row_1(cluster: &Cluster) {
    let slot = slot_of(r#"{"id":1}"#);
    let from = cluster.node_of(slot);
    let to = cluster.primaries().into_iter().find(|node| *node != from).unwrap();
    cluster.move_slots(slot..=slot, to);
}

/// Users, and a row whose columns name it each, with a value of every type that the package knows.
fn with_kinds(database: &Database<'_>) {
    database.with_users(100);
    database.execute(
        r#"ALTER TABLE users ADD same int NOT NULL DEFAULT 1;
        CREATE TYPE colour AS ENUM ('red', 'green');
        CREATE TABLE kinds (
            id uuid PRIMARY KEY, amount numeric UNIQUE, at timestamptz UNIQUE, local timestamp UNIQUE, day date UNIQUE,
            hour time UNIQUE, photo bytea UNIQUE, colour colour UNIQUE, flag boolean UNIQUE, score float8 UNIQUE,
            big numeric UNIQUE, name text UNIQUE
        );
        INSERT INTO kinds VALUES (
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 12.50, '2024-01-02 03:04:05.5+00', '2024-01-02 03:04:05', '2024-01-02',
            '03:04:05.25', '\x00ff', 'red', true, 2, 10 ^ 5000::numeric, E'Ünï "} \\ \n'
        );"#,
    );
}

#[test]
fn the_package_passes_its_own_tests() {
    run_alone(python(&["-m", "unittest", "discover"]));
}

#[test]
fn every_method_does_its_work_on_one_server() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        with_kinds(&database);
        let server = start_listening(Server::setup(&kind).on(&database));
        every_method("server", server.port(), |_| panic!("there is one server"));
    });
}

#[test]
fn every_method_does_its_work_in_a_cluster() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        with_kinds(&database);
        let cluster = Cluster::start(&kind, 3, 0, |node| node.on(&database));
        every_method("cluster", cluster[0].port(), |_| move_row_1(&cluster));
    });
}

#[test]
fn a_source_that_is_down_is_an_error_that_may_be_retried() {
    let program = "import sys, redis, pgcache
try:
    pgcache.PGCache(redis.Redis(port=int(sys.argv[1]))).read('users', id=1)
except pgcache.PGDown as error:
    print(error.code, error.table, error.retryable)";
    on_every_server(|kind| {
        let nobody = port::free().to_string();
        let server = Server::setup(&kind).setting("pg_host", "127.0.0.1").setting("pg_port", &nobody).start();
        let printed = run_alone(python(&["-c", program, &server.port().to_string()]));
        assert_eq!(printed, "PGDOWN users True");
    });
}

#[test]
fn the_manager_loads_the_module_and_reads_by_sql() {
    let program = "import sys, redis, pgcache
client, path, port, database = redis.Redis(port=int(sys.argv[1])), *sys.argv[2:]
config = {'host': '127.0.0.1', 'port': port, 'database': database, 'user': 'postgres', 'query': 'any'}
manager = pgcache.PGCacheManager(client, config, path=path)
assert not pgcache.load_pgcache_module(client, config, path)
rows = manager.get('SELECT id FROM users WHERE id = ? OR name = ?', [1, 'User 2'])
print([row['id'] for row in rows], manager.read('users', id=3)['name'])";
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let server = Server::setup(&kind).without_module().line("enable-module-command yes").start();
        let (port, pg_port) = (server.port().to_string(), database.postgres.port().to_string());
        let module = module();
        let arguments = ["-c", program, &port, module.to_str().unwrap(), &pg_port, &database.name];
        assert_eq!(run_alone(python(&arguments)), "[1, 2] User 3");
    });
}

#[test]
fn throwaway_servers_are_there_for_a_test_and_gone_behind_it() {
    let program = "import os, sys, redis
from pgcache import PGCache
from pgcache.testing import running
sql = 'CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, $$one$$)'
with running(sys.argv[1], sql=sql, settings={'default_ttl': 60}) as servers:
    client = redis.Redis(port=servers.redis_port)
    print(PGCache(client).read('t', id=1)['name'])
try:
    redis.Redis(port=servers.redis_port).ping()
except redis.ConnectionError:
    print('gone')";
    assert_eq!(run_alone(python(&["-c", program, module().to_str().unwrap()])), "gone");
}

#[test]
fn what_the_readme_says_works() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(include_str!("../scripts/sample.sql"));
        let server = start_listening(Server::setup(&kind).on(&database));
        let readme = std::fs::read_to_string(package().join("README.md")).unwrap();
        let blocks: Vec<&str> =
            readme.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(blocks.len() > 2, "{readme}");
        let lines = blocks.concat().replace("6379", &server.port().to_string());
        run_alone(python(&["-c", &lines]));
    });
}
