//! Cables that are cut: the network to PostgreSQL loses everything without a word, again and again.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::network::{in_network, Network, FAR, NET};
use support::watched::{await_name, health, start_listening, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Server};

const POOL: usize = 4;
const CUTS: usize = 3;
/// Longer than anything has patience for: connections, loads, leases, and both kernels.
const CUT: Duration = Duration::from_secs(12);
/// Far longer than it takes, and far shorter than the kernels wait by themselves.
const SOON: Duration = Duration::from_secs(20);
/// For so long there may be more sessions than the module uses.
const EXCESS: Duration = Duration::from_secs(30);

fn user(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// A server with time-outs as they are by default, which a cable leads to PostgreSQL.
fn server(kind: &Kind, database: &Database<'_>) -> Server {
    let setup = Server::setup(kind).on(database).setting("pg_host", FAR);
    let times = [
        ("connect_timeout_ms", "2000"),
        ("statement_timeout_ms", "2000"),
        ("load_timeout_ms", "5000"),
        ("max_staleness_ms", "2000"),
    ];
    let setup = times.into_iter().fold(setup, |setup, (name, value)| setup.setting(name, value));
    start_listening(setup.setting("pool_size", &POOL.to_string()))
}

/// Counts the module's sessions, and for how long there have been too many.
struct Sessions<'n> {
    network: &'n Network,
    client: postgres::Client,
    excess: Option<Instant>,
    most: i64,
}

impl<'n> Sessions<'n> {
    fn of(network: &'n Network, database: &Database<'_>) -> Self {
        Self { network, client: network.beyond(|| database.connect()), excess: None, most: 0 }
    }

    fn count(&mut self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgcache/%'";
        let client = &mut self.client;
        let count: i64 = self.network.beyond(|| client.query_one(sql, &[]).unwrap().get(0));
        self.most = self.most.max(count);
        count
    }

    fn look(&mut self) {
        if self.count() <= POOL as i64 + 3 {
            self.excess = None;
            return;
        }
        let excess = self.excess.get_or_insert_with(Instant::now).elapsed();
        assert!(excess < EXCESS, "{} sessions for {excess:?}", self.most);
    }
}

fn assert_recovers(kind: &Kind, network: &Network) {
    let postgres = network.beyond(|| {
        let postgres = Postgres::start_with("listen_addresses = '*'");
        postgres.set_hba(&format!("host all all 127.0.0.1/32 trust\nhost all all {NET} trust\n"));
        postgres
    });
    let database = network.beyond(|| postgres.database());
    network.beyond(|| database.with_users(100_000).number("SELECT count(*) FROM users"));
    let server = server(kind, &database);
    let mut client = server.client();
    watch(&mut client, "users");
    let mut sessions = Sessions::of(network, &database);
    let mut next = 1;
    let mut miss = |client: &mut Client| {
        next += 1;
        client.read("users", &user(next)).code().to_owned()
    };
    for round in 1..=CUTS {
        assert_eq!(miss(&mut client), "");
        network.cut();
        let began = Instant::now();
        while began.elapsed() < CUT {
            let code = miss(&mut client);
            assert!(["PGDOWN", "PGTIMEOUT"].contains(&code.as_str()), "{code:?} while the cable is cut");
            sessions.look();
        }
        network.mend();
        let mended = Instant::now();
        eventually("a row", || miss(&mut client).is_empty().then_some(()));
        let read = mended.elapsed();
        eventually("notices are live", || {
            sessions.look();
            (health(&mut client).field("freshness").text() == "live").then_some(())
        });
        let live = mended.elapsed();
        let name = format!("changed {round}");
        network.beyond(|| {
            database.execute(&format!("UPDATE users SET name = '{name}' WHERE id = 1")).number("SELECT 1::bigint")
        });
        await_name(&mut client, "users", &user(1), &name);
        eprintln!("cut {round}: a row after {} ms, live after {} ms", read.as_millis(), live.as_millis());
        assert!(read < SOON && live < SOON, "{read:?} {live:?}");
    }
    eventually("no session is left over", || {
        sessions.look();
        (sessions.count() <= POOL as i64 + 3).then_some(())
    });
    eprintln!("{} sessions at most", sessions.most);
}

#[test]
fn a_cable_that_is_cut_and_mended_leaves_neither_outage_nor_sessions_nor_doubt() {
    in_network("cables", |network| on_every_server(|kind| assert_recovers(&kind, &network)));
}
