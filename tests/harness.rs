//! What the other tests stand on: servers and PostgreSQL start, answer, break on request and leave nothing behind.
#![allow(clippy::unwrap_used)] // a test may panic

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::cluster::{self, slot_of};
use support::network::in_network;
use support::process::exists;
use support::{eventually, on_every_server, Cluster, Kind, Postgres, Reply, Server};

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

/// Three primaries with a replica each, without the module.
fn plain_cluster(kind: &Kind) -> Cluster {
    Cluster::start(kind, 3, 1, |setup| setup.without_module())
}

/// Some keys, of slots all over the place.
fn keys() -> impl Iterator<Item = String> {
    let odd = ["{", "{}", "{}a", "a{b}c{d}", "{a", "{{a}}", "}{a}"].map(str::to_owned);
    (0..200).map(|number| format!("key:{number}")).chain(odd)
}

#[test]
fn a_cluster_shares_its_slots_out_and_both_clients_find_every_key() {
    on_every_server(|kind| {
        let cluster = plain_cluster(&kind);
        assert_eq!(cluster.primaries(), [0, 1, 2]);
        assert_eq!([0, 1, 2].map(|primary| cluster.replicas_of(primary)), [[3], [4], [5]]);
        let (mut client, mut connection) = (cluster.client(), cluster.connection());
        for key in keys() {
            let slot = cluster[0].client().call(&["CLUSTER", "KEYSLOT", &key]);
            assert_eq!(slot, Reply::Integer(slot_of(&key).into()), "{key}");
            assert_eq!(client.call(&["SET", &key, "1"]), Reply::Simple("OK".into()));
            assert_eq!(cluster[cluster.owner_of(&key)].client().call(&["GET", &key]).text(), "1");
            let incremented: i64 = redis::cmd("INCR").arg(&key).query(&mut connection).unwrap();
            assert_eq!(incremented, 2);
            let mut replica = cluster[cluster.replicas_of(cluster.owner_of(&key))[0]].client();
            assert_eq!(replica.call(&["GET", &key]).code(), "MOVED");
            replica.call(&["READONLY"]);
            eventually("the replica has it", || {
                (replica.call(&["GET", &key]) == Reply::Bulk("2".into())).then_some(())
            });
        }
        assert_eq!(client.redirected, 0);
    });
}

#[test]
fn slots_move_with_their_keys_and_can_be_stopped_half_way() {
    on_every_server(|kind| {
        let cluster = plain_cluster(&kind);
        let mut client = cluster.client();
        let names: Vec<String> = ('a'..='e').map(|name| format!("{{tag}}{name}")).collect();
        names.iter().for_each(|name| drop(client.call(&["SET", name, "1"])));
        let (slot, from) = (slot_of("tag"), cluster.owner_of("{tag}"));
        let to = (from + 1) % 3;
        let mut migration = cluster.begin_move(slot, to);
        assert_eq!(migration.move_keys(2), 2);
        let mut source = cluster[from].client();
        let asked = names.iter().filter(|name| source.call(&["GET", name]).code() == "ASK").count();
        assert_eq!(asked, 2);
        names.iter().for_each(|name| assert_eq!(client.call(&["INCR", name]), Reply::Integer(2)));
        assert_eq!(client.redirected, 2);
        migration.move_all_keys();
        migration.finish();
        cluster.await_agreement();
        assert_eq!(cluster.node_of(slot), to);
        names.iter().for_each(|name| assert_eq!(client.call(&["INCR", name]), Reply::Integer(3)));
        assert_eq!(client.redirected, 3, "it remembers who serves the slot");

        let third = (from + 2) % 3;
        cluster.move_slots(slot..=slot, third);
        cluster.move_slots(slot + 1..=slot + 99, third);
        assert!((slot..=slot + 99).all(|slot| cluster.node_of(slot) == third));
        names.iter().for_each(|name| assert_eq!(client.call(&["INCR", name]), Reply::Integer(4)));
    });
}

#[test]
fn replicas_take_the_place_of_primaries_that_are_told_to_that_die_or_that_freeze() {
    on_every_server(|kind| {
        let mut cluster = plain_cluster(&kind);
        let mut client = cluster.client();
        keys().for_each(|key| assert_eq!(client.call(&["SET", &key, "1"]), Reply::Simple("OK".into())));
        // A primary that dies tells nobody what its replica has not heard yet.
        for primary in cluster.primaries() {
            assert_eq!(cluster[primary].client().call(&["WAIT", "1", "0"]), Reply::Integer(1));
        }
        let mut assert_served = |cluster: &Cluster| {
            keys().for_each(|key| assert_eq!(client.call(&["GET", &key]).text(), "1"));
            assert_eq!(cluster.primaries().len(), 3);
        };
        cluster.failover(3);
        assert_served(&cluster);

        cluster.kill(1);
        assert_eq!(cluster.await_promotion(1), 4);
        assert_served(&cluster);

        cluster.freeze(2);
        assert_eq!(cluster.await_promotion(2), 5);
        assert_served(&cluster);

        cluster.start_again(1);
        cluster.thaw(2);
        eventually("those that are back are replicas", || {
            let replicas = [3, 4, 5].map(|primary| cluster.replicas_of(primary));
            (replicas == [[0], [1], [2]]).then_some(())
        });
        cluster.await_settled();
        assert_served(&cluster);
    });
}

/// The nodes that are on the far host: a primary, and a replica of another one.
const BEYOND: [usize; 2] = [2, 4];

#[test]
fn a_cluster_is_cut_in_two_and_heals() {
    in_network("a cluster that is cut in two", |network| {
        on_every_server(|kind| {
            let setup = || cluster::node(&kind).without_module();
            let mut cluster = Cluster::start_across(&network, &BEYOND, (3, 1), setup);
            let mut client = cluster.client();
            keys().for_each(|key| assert_eq!(client.call(&["SET", &key, "1"]), Reply::Simple("OK".into())));
            assert_eq!(cluster[2].client().call(&["WAIT", "1", "0"]), Reply::Integer(1));
            let key = keys().find(|key| cluster.owner_of(key) == 2).unwrap();

            cluster.cut(&network, &BEYOND);
            let mut left_over = network.beyond(|| cluster[2].client());
            assert_eq!(left_over.call(&["GET", &key]).text(), "1", "it does not know yet");
            assert_eq!(cluster.await_promotion(2), 5);
            assert_eq!(client.call(&["INCR", &key]), Reply::Integer(2));
            eventually("the smaller part gives up", || {
                (left_over.call(&["GET", &key]).code() == "CLUSTERDOWN").then_some(())
            });

            cluster.mend(&network);
            eventually("the left primary is a replica", || (cluster.replicas_of(5) == [2]).then_some(()));
            cluster.await_settled();
            assert_eq!(left_over.call(&["GET", &key]).code(), "MOVED");
            keys().for_each(|other| {
                assert_eq!(client.call(&["GET", &other]).text(), if other == key { "2" } else { "1" })
            });
        });
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
