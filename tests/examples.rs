//! The examples for clients, as they stand, with the libraries that Debian has.
#![allow(clippy::unwrap_used)]

mod support;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::network::cannot_run;
use support::watched::{await_freshness, start_listening};
use support::{on_every_server, port, Database, Kind, Postgres, Server};

/// What `make run` has.
struct Shop {
    postgres: Postgres,
    server: Server,
}

impl Shop {
    fn new(kind: &Kind) -> Self {
        let postgres = Postgres::start();
        postgres.connect("postgres").unwrap().batch_execute("CREATE ROLE demo LOGIN SUPERUSER").unwrap();
        postgres.connect("postgres").unwrap().batch_execute("CREATE DATABASE shop OWNER demo").unwrap();
        let database = Database { postgres: &postgres, name: "shop".into() };
        database.execute(include_str!("../scripts/sample.sql"));
        let server = start_listening(Server::setup(kind).on(&database));
        Self { postgres, server }
    }

    /// What a client prints that is started with the server's port and these arguments.
    fn run(&self, program: &str, example: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example));
        command.arg(self.server.port().to_string()).args(arguments);
        // Where Debian has libraries for Node, whoever has built the Node that is here.
        printed(command.env("NODE_PATH", "/usr/share/nodejs"))
    }

    /// The lines that `command` prints, whose last word is the server's port.
    fn lines(&self, command: &mut Command) -> Vec<String> {
        command.arg(self.server.port().to_string()).current_dir(env!("CARGO_MANIFEST_DIR"));
        printed(command).lines().map(str::to_owned).collect()
    }
}

/// What a program prints, which has to succeed.
fn printed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; see scripts/install.sh"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_configuration_is_what_a_server_takes() {
    on_every_server(|kind| {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["db1".into()]).unwrap();
        for (name, text) in [("ca.pem", &*key.cert.pem()), ("password", "secret"), ("analytics-password", "secret")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let example = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pgcache.conf")).unwrap();
        let example = example.replace("/etc/pgcache", folder.path().to_str().unwrap());
        let example = example.replace("http_port 9379", &format!("http_port {}", port::free()));
        // Nobody listens there.
        let nobody = format!("_host 127.0.0.1 pg_port {}", port::free());
        let example = example.replace("_host db1", &nobody).replace("_host db2", "_host 127.0.0.1");
        let (module, own): (Vec<_>, Vec<_>) = example.lines().partition(|line| line.starts_with("loadmodule "));
        // Behind `loadmodule` and its path.
        let words: Vec<&str> = module[0].split(' ').skip(2).collect();
        let setup = words.chunks(2).fold(Server::setup(&kind), |setup, pair| setup.setting(pair[0], pair[1]));
        let server = own.iter().fold(setup, |setup, line| setup.line(line)).start();
        let mut client = server.client();
        assert_eq!(client.call(&["AUTH", "shop", "change me"]).text(), "OK");
        assert_eq!(client.call(&["PGCACHE.FLUSH", "ALL"]).code(), "NOPERM");
        assert_eq!(client.read("users", r#"{"id":1}"#).code(), "PGDOWN");
    });
}

/// The Python that Debian's libraries are for, which another one may hide.
const PYTHON: &str = "/usr/bin/python3";

#[test]
fn the_client_in_python() {
    on_every_server(|kind| {
        let printed = Shop::new(&kind).run(PYTHON, "python/client.py", &[]);
        assert_eq!(printed, "Ada Lovelace\n['Ada Lovelace', 'User 2', None]\n6\n");
    });
}

#[test]
fn the_client_in_node() {
    on_every_server(|kind| {
        let printed = Shop::new(&kind).run("node", "node/client.js", &[]);
        assert_eq!(printed, "Ada Lovelace\n[ 'Ada Lovelace', 'User 2', null ]\n");
    });
}

/// The figure that a way to cache has printed: stale reads, and all.
fn figures(printed: &str, way: &str) -> (u64, u64) {
    let line = printed.lines().find_map(|line| line.strip_prefix(way)).unwrap_or_else(|| panic!("{printed}"));
    let words: Vec<&str> = line.split(' ').collect();
    (words[1].parse().unwrap(), words[4].parse().unwrap())
}

#[test]
fn no_read_through_the_cache_is_stale_beside_changes() {
    on_every_server(|kind| {
        let shop = Shop::new(&kind);
        // A second for a change to be heard: a busy machine takes longer than the 50 ms of the figures that are published.
        let printed = shop.run(PYTHON, "python/stale_reads.py", &[&shop.postgres.port().to_string(), "4", "1"]);
        let (stale, all) = figures(&printed, "Pgcache:");
        assert_eq!(stale, 0, "{printed}");
        assert!(all > 100 && figures(&printed, "CacheAside:").1 > 100, "{printed}");
        await_freshness(&mut shop.server.client(), "live");
    });
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("version").stdin(Stdio::null()).output().is_ok()
}

/// Where Debian has libraries for Go.
const REDIGO: &str = "/usr/share/gocode/src/github.com/gomodule/redigo";

#[test]
fn the_client_in_go() {
    if !is_there("go") || !Path::new(REDIGO).exists() {
        return cannot_run(
            "examples: the_client_in_go",
            "Go and redigo are not on this machine: golang-go golang-github-gomodule-redigo-dev",
        );
    }
    on_every_server(|kind| {
        let mut command = Command::new("go");
        command.env("GOPATH", "/usr/share/gocode").env("GO111MODULE", "off").env("GOCACHE", built_by_go());
        command.args(["run", "examples/go/client.go"]);
        let lines = Shop::new(&kind).lines(&mut command);
        assert_eq!(lines, ["true User 3", "User 4 true", "User 7 User 70", "true false"]);
    });
}

fn built_by_go() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("go")
}

/// With Jedis where `PGCACHE_JEDIS` names its class path, else with a stand-in for it.
#[test]
fn the_client_in_java() {
    if !is_there("java") || !is_there("javac") {
        return cannot_run("examples: the_client_in_java", "no Java on this machine: default-jdk-headless");
    }
    let classes = tempfile::tempdir().unwrap();
    let classes = std::env::var_os("PGCACHE_JEDIS").unwrap_or_else(|| compiled_stand_in(classes.path()));
    on_every_server(|kind| {
        let mut command = Command::new("java");
        command.arg("-cp").arg(&classes).arg("examples/java/Client.java");
        let lines = Shop::new(&kind).lines(&mut command);
        assert!(
            lines[0].starts_with(r#"{"id":3,"#) && lines[2].starts_with(r#"[{"id":4,"#) && lines[2].ends_with(",null]"),
            "{lines:?}"
        );
        let query = r#"[{"id":7,"name":"User 7"},{"id":70,"name":"User 70"}]"#;
        assert_eq!((&*lines[1], &*lines[3], &*lines[4]), ("nobody", query, "PGBADVALUE false"));
    });
}

fn compiled_stand_in(classes: &Path) -> OsString {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java_client");
    let mut command = Command::new("javac");
    command.args(["-Xlint:all", "-Werror", "-d"]).arg(classes).arg("-sourcepath").arg(&sources);
    printed(command.arg(sources.join("redis/clients/jedis/JedisPooled.java")));
    classes.as_os_str().to_owned()
}

#[test]
fn the_client_in_rust_goes_through_every_verb() {
    on_every_server(|kind| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["run", "--locked", "--quiet", "--example", "client", "--"]);
        let lines = Shop::new(&kind).lines(&mut command);
        let wanted = [
            r#"Some(User { id: 3, name: "User 3" })"#,
            "[Some(3), Some(4), None]",
            r#"Some("written")"#,
            r#"[User { id: 7, name: "User 7" }, User { id: 70, name: "User 70" }]"#,
        ];
        assert_eq!(lines[..4], wanted);
        assert!(lines[4].starts_with("1 dropped, ") && lines[5].contains("healthy"), "{lines:?}");
        assert_eq!(lines[6], r#"Some("PGBADVALUE")"#);
    });
}
