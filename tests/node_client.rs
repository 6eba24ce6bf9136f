//! The npm package of clients/node: all of its methods, and its near cache, against real servers.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;

use support::cluster::{slot_of, Cluster};
use support::process::{freeze, kill};
use support::python::run;
use support::watched::{await_freshness, start_listening};
use support::{on_every_server, Database, Postgres, Server};

const LIBRARIES: [&str; 2] = ["redis", "ioredis"];

/// Node with a program of the package's, which is built once.
fn node(arguments: &[&str]) -> Command {
    static BUILT: Once = Once::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    BUILT.call_once(|| {
        let built = Command::new(root.join("scripts/node.sh")).arg("build").status().unwrap();
        assert!(built.success(), "scripts/node.sh build: see scripts/install.sh");
    });
    let mut command = Command::new("node");
    command.args(arguments).current_dir(root.join("target/node/test"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn tables() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(20);
    database.execute(
        "CREATE TABLE numbers (big numeric PRIMARY KEY, exact numeric);
         INSERT INTO numbers VALUES (12345678901234567890, 0.12345678901234567890)",
    );
    database
}

/// Goes through everything with a library.
fn everything(library: &str, place: &str, port: u16, on_request: impl FnMut(&str)) {
    let last = run(node(&["end_to_end.js", library, place, &port.to_string()]), on_request);
    assert_eq!(last, format!("done {library} {place}"));
}

#[test]
fn every_method_does_its_work_on_one_server() {
    on_every_server(|kind| {
        for library in LIBRARIES {
            let database = tables();
            let server = start_listening(Server::setup(&kind).on(&database).setting("max_staleness_ms", "2000"));
            let mut client = server.client();
            everything(library, "server", server.port(), |request| {
                match request.split_once(' ').unwrap_or((request, "")) {
                    ("sql", statement) => drop(database.execute(statement)),
                    ("kill", _) => drop(client.call(&["CLIENT", "KILL", "TYPE", "pubsub"])),
                    ("freeze", _) => freeze(server.pid()),
                    ("thaw", _) => kill(server.pid(), libc::SIGCONT),
                    _ => panic!("{request}"),
                }
            });
        }
    });
}

#[test]
fn every_method_does_its_work_in_a_cluster() {
    on_every_server(|kind| {
        for library in LIBRARIES {
            let database = tables();
            let cluster = Cluster::start(&kind, 3, 0, |node| node.on(&database).setting("max_staleness_ms", "2000"));
            for node in cluster.primaries() {
                await_freshness(&mut cluster[node].client(), "live");
            }
            everything(library, "cluster", cluster[0].port(), |request| match request.split_once(' ') {
                Some(("sql", statement)) => drop(database.execute(statement)),
                _ => move_row_1(&cluster),
            });
        }
    });
}

/// Has the slot of row 1 belong to another node.
fn move_row_1(cluster: &Cluster) {
    let slot = slot_of(r#"{"id":1}"#);
    let from = cluster.node_of(slot);
    let to = cluster.primaries().into_iter().find(|node| *node != from).unwrap();
    cluster.move_slots(slot..=slot, to);
}

#[test]
fn what_the_readme_says_works() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(include_str!("../scripts/sample.sql"));
        let server = start_listening(Server::setup(&kind).on(&database));
        let blocks: Vec<&str> = include_str!("../clients/node/README.md")
            .split("```js\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        assert!(blocks.len() > 2);
        let lines = blocks.concat().replace("6379", &server.port().to_string());
        run(node(&["--input-type=module", "--eval", &lines]), |request| panic!("{request}"));
    });
}
