//! What the other tests stand on: servers and PostgreSQL start, answer, break on request and leave nothing behind.
#![allow(clippy::unwrap_used)] // a test may panic

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::process::exists;
use support::{eventually, on_every_server, Postgres, Reply, Server};

#[test]
fn every_server_answers_and_is_gone_after_drop() {
    on_every_server(|kind| {
        let mut server = Server::setup(&kind).without_module().start();
        assert_eq!(server.client().call(&["PING"]), Reply::Simple("PONG".into()));
        let major = kind.name.rsplit('-').next().unwrap();
        let field = if kind.name.starts_with("valkey") { "valkey_version" } else { "redis_version" };
        assert!(server.client().info("server", field).starts_with(major));
        assert!(server.is_alive());
        let (pid, folder) = (server.pid(), server.folder().to_path_buf());
        drop(server);
        assert!(!exists(pid) && !folder.exists());
    });
}

#[test]
fn both_protocols_of_the_redis_crate_work() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).without_module().start();
        for mut connection in [server.connection(), server.connection3()] {
            let pong: String = redis::cmd("PING").query(&mut connection).unwrap();
            assert_eq!(pong, "PONG");
        }
        assert!(matches!(server.client3().call(&["HELLO"]), Reply::Map(_)));
    });
}

#[test]
fn a_server_keeps_its_folder_over_a_crash() {
    on_every_server(|kind| {
        let setup = Server::setup(&kind).without_module().config("appendonly", "yes").config("appendfsync", "always");
        let server = setup.start();
        server.client().call(&["SET", "a", "1"]);
        let server = server.crash_and_restart();
        assert_eq!(server.client().call(&["GET", "a"]).text(), "1");
        let (server, _) = server.shutdown_and_restart("NOSAVE");
        assert_eq!(server.client().call(&["GET", "a"]).text(), "1");
    });
}

#[test]
fn a_server_that_cannot_load_its_module_says_why() {
    on_every_server(|kind| {
        let log = Server::setup(&kind).without_module().line("loadmodule /nowhere/libpgcache.so").refused();
        assert!(log.contains("/nowhere/libpgcache.so"), "{log}");
    });
}

#[test]
fn the_shared_postgres_gives_each_test_a_database() {
    let (one, two) = (Postgres::shared().database(), Postgres::shared().database());
    assert_ne!(one.name, two.name);
    assert_eq!(one.with_users(3).number("SELECT count(*) FROM users"), 3);
    assert_eq!(two.number("SELECT count(*) FROM pg_tables WHERE tablename = 'users'"), 0);
}

#[test]
fn postgres_can_be_killed_restarted_and_frozen() {
    let postgres = Postgres::start_with("max_connections=17");
    let database = postgres.database();
    database.with_users(2);
    assert_eq!(database.text("SHOW max_connections").unwrap(), "17");

    postgres.kill();
    assert!(postgres.connect("postgres").is_err());
    postgres.start_again();
    assert_eq!(database.number("SELECT count(*) FROM users"), 2);
    postgres.restart();

    let mut client = database.connect();
    postgres.freeze();
    let answer = std::thread::spawn(move || client.query_one("SELECT 1", &[]).is_ok());
    std::thread::sleep(Duration::from_millis(200));
    assert!(!answer.is_finished());
    postgres.thaw();
    assert!(answer.join().unwrap());

    postgres.freeze();
    let (pid, home) = (postgres.pid(), postgres.home().to_path_buf());
    drop(database);
    drop(postgres);
    assert!(!exists(pid) && !home.exists());
}

#[test]
fn postgres_can_ask_for_a_password() {
    let postgres = Postgres::start();
    postgres.database().execute("ALTER ROLE postgres PASSWORD 'secret'");
    postgres.set_hba("host all all 127.0.0.1/32 scram-sha-256\n");
    assert!(postgres.connect("postgres").is_err());
    let options = format!("host=127.0.0.1 port={} user=postgres password=secret", postgres.port());
    assert!(postgres::Client::connect(&options, postgres::NoTls).is_ok());
    postgres.restart();
}

#[test]
fn postgres_can_offer_tls() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let postgres = Postgres::start_with_tls(&certificate.cert.pem(), &certificate.signing_key.serialize_pem(), "");
    assert_eq!(postgres.database().text("SHOW ssl").unwrap(), "on");
}

/// What [`nothing_survives_a_killed_test_process`] starts in a process of its own and kills.
#[test]
#[ignore = "started by another test"]
fn start_things_and_wait_to_be_killed() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).without_module().start();
        let postgres = Postgres::start();
        let _client = postgres.connect("postgres").unwrap();
        postgres.freeze();
        println!("started {} {}", server.pid(), server.folder().display());
        println!("started {} {}", postgres.pid(), postgres.home().display());
        println!("all");
        std::thread::sleep(Duration::from_secs(60));
    });
}

#[test]
fn nothing_survives_a_killed_test_process() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "start_things_and_wait_to_be_killed"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let started: Vec<(u32, PathBuf)> = lines
        .take_while(|line| line != "all")
        .filter_map(|line| {
            // The test runner's own words stand before ours on the first line.
            let (pid, folder) = line.split_once("started ")?.1.split_once(' ')?;
            Some((pid.parse().unwrap(), folder.into()))
        })
        .collect();
    assert_eq!(started.len(), 2);
    assert!(started.iter().all(|(pid, folder)| exists(*pid) && folder.exists()));
    process.kill().unwrap();
    process.wait().unwrap();
    for (pid, folder) in started {
        eventually("a process and its folder are gone", || (!exists(pid) && !folder.exists()).then_some(()));
    }
}
