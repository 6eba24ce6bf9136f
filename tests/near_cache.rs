//! The near cache of the Python package against real servers: what it keeps, and what ends that.
#![allow(clippy::unwrap_used)]

mod support;

use support::cluster::{slot_of, Cluster};
use support::process::{freeze, kill};
use support::python::{library, python, run};
use support::watched::{await_freshness, start_listening};
use support::{on_every_server, Database, Postgres, Server};

fn tables() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(20);
    database.execute(
        "CREATE VIEW names AS SELECT id, name FROM users;
         CREATE TABLE alone (id int PRIMARY KEY, name text); INSERT INTO alone VALUES (1, 'old')",
    );
    database
}

/// Goes through everything, synchronous and not.
fn everything(place: &str, port: u16, mut on_request: impl FnMut(&str)) {
    for mode in ["sync", "asyncio"] {
        let program = python(&["near_end_to_end.py", &library(), mode, place, &port.to_string()]);
        assert_eq!(run(program, &mut on_request), format!("done {} {mode} {place}", library()));
    }
}

#[test]
fn what_is_kept_near_by_ends_with_every_change_and_with_every_doubt() {
    on_every_server(|kind| {
        let database = tables();
        let server = start_listening(Server::setup(&kind).on(&database).setting("max_staleness_ms", "2000"));
        let mut client = server.client();
        everything("server", server.port(), |request| match request.split_once(' ').unwrap_or((request, "")) {
            ("sql", statement) => drop(database.execute(statement)),
            ("kill", _) => drop(client.call(&["CLIENT", "KILL", "TYPE", "pubsub"])),
            ("freeze", _) => freeze(server.pid()),
            ("thaw", _) => kill(server.pid(), libc::SIGCONT),
            _ => panic!("{request}"),
        });
    });
}

#[test]
fn what_is_kept_near_by_ends_in_a_cluster_too() {
    on_every_server(|kind| {
        let database = tables();
        let cluster = Cluster::start(&kind, 3, 0, |node| node.on(&database).setting("max_staleness_ms", "2000"));
        for node in cluster.primaries() {
            await_freshness(&mut cluster[node].client(), "live");
        }
        everything("cluster", cluster[0].port(), |request| match request.split_once(' ') {
            Some(("sql", statement)) => drop(database.execute(statement)),
            _ => move_row_1(&cluster),
        });
    });
}

/// Has the slot of row 1 belong to another node.
fn move_row_1(cluster: &Cluster) {
    let slot = slot_of(r#"{"id":1}"#);
    let from = cluster.node_of(slot);
    let to = cluster.primaries().into_iter().find(|node| *node != from).unwrap();
    cluster.move_slots(slot..=slot, to);
}
