//! How many connections loads use: as few as keep PostgreSQL busy, all of them when statements take long.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, process, Client, Database, Kind, Lock, Postgres, Server};

const POOL: u32 = 4;

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn server_on(kind: &Kind, database: &Database<'_>, further: &[(&str, &str)]) -> Server {
    let setup = Server::setup(kind)
        .on(database)
        .setting("pool_size", &POOL.to_string())
        // A gap in the notices would have loads begin with one connection.
        .setting("invalidation", "off");
    further.iter().fold(setup, |setup, (name, value)| setup.setting(name, value)).start()
}

fn asking(server: &Server, table: &str, id: u64) -> Client {
    let mut client = server.client();
    client.send(&["PGCACHE.READ", table, &user(id)]);
    client
}

#[test]
fn slow_loads_get_the_whole_pool() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(100);
        let server = server_on(&kind, &database, &[]);
        let mut client = server.client();
        client.key("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        // Each comes when those before it stand at the lock already.
        let readers: Vec<(u64, Client)> = (1..=u64::from(POOL))
            .map(|id| {
                let reader = asking(&server, "users", id);
                lock.await_arrivals(id as usize);
                (id, reader)
            })
            .collect();
        let info = client.call(&["INFO", "pgcache_pool"]).text();
        assert!(info.contains("in_use=4,"), "{info}");
        lock.release();
        for (id, mut reader) in readers {
            assert_eq!(reader.receive().json()["id"], id);
        }
    });
}

#[test]
fn keys_of_which_each_takes_a_statement_get_the_whole_pool() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(100).execute("CREATE VIEW everyone AS SELECT id, name FROM users");
        let server = server_on(&kind, &database, &[]);
        server.client().key("everyone", &user(1));
        let mut lock = Lock::on(&database, "users");
        let readers: Vec<Client> = (1..=20).map(|id| asking(&server, "everyone", id)).collect();
        lock.await_arrivals(POOL as usize);
        lock.release();
        for (id, mut reader) in (1..=20).zip(readers) {
            assert_eq!(reader.receive().json()["id"], id);
        }
    });
}

#[test]
fn a_table_is_not_stuck_behind_a_slow_one() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database
            .with_users(100)
            .execute("CREATE TABLE slow AS SELECT * FROM users; ALTER TABLE slow ADD PRIMARY KEY (id)");
        let server = server_on(&kind, &database, &[("statement_timeout_ms", "60000"), ("load_timeout_ms", "60000")]);
        let mut client = server.client();
        client.key("slow", &user(1));
        let mut lock = Lock::on(&database, "slow");
        let mut waiting = asking(&server, "slow", 1);
        lock.await_arrivals(1);
        for id in 1..=50 {
            assert_eq!(client.read("users", &user(id)).json()["id"], id);
        }
        assert_eq!(client.multiread("users", r#"[{"id":51},{"id":52}]"#).json()[1]["id"], 52);
        lock.release();
        assert_eq!(waiting.receive().json()["id"], 1);
    });
}

/// The only connection at work is silent, and PostgreSQL will not say a word on it: nothing but time can tell.
#[test]
fn a_connection_that_says_nothing_any_more_holds_nobody_up() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(100);
        let server = server_on(&kind, &database, &[("connect_timeout_ms", "60000"), ("load_timeout_ms", "60000")]);
        let mut client = server.client();
        client.read("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        let mut waiting = asking(&server, "users", 2);
        lock.await_arrivals(1);
        let backend = database.number(
            "SELECT pid::bigint FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        let backend = u32::try_from(backend).unwrap();
        process::freeze(backend);
        lock.release();
        for id in 3..=100 {
            assert_eq!(client.read("users", &user(id)).json()["id"], id);
        }
        process::kill(backend, libc::SIGCONT);
        assert_eq!(waiting.receive().json()["id"], 2);
    });
}

/// Whatever the machine does: while a statement is at work, the misses of all clients gather for the next one.
#[test]
fn many_quick_loads_go_together() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1_000);
        let server = server_on(&kind, &database, &[]);
        let mut client = server.client();
        client.key("users", &user(1));
        let before = (client.figure("statements"), client.figure("keys_loaded"));
        let mut clients: Vec<Client> = (0..50).map(|_| server.client()).collect();
        for round in 0..20 {
            for (n, client) in (1..).zip(&mut clients) {
                client.send(&["PGCACHE.READ", "users", &user(round * 50 + n)]);
            }
            for (n, client) in (1..).zip(&mut clients) {
                assert_eq!(client.receive().json()["id"], round * 50 + n);
            }
        }
        let statements = client.figure("statements") - before.0;
        let keys = client.figure("keys_loaded") - before.1;
        assert_eq!(keys, 1_000);
        assert!(statements * 2 <= keys, "{statements} statements for {keys} rows");
    });
}

#[test]
fn a_load_is_planned_once_and_not_for_each_batch() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(3);
        database.execute("CREATE VIEW planned AS SELECT id, current_setting('plan_cache_mode') AS plans FROM users");
        let server = server_on(&kind, &database, &[]);
        let row = server.client().read("planned", &user(1)).json();
        assert_eq!(row["plans"], "force_generic_plan");
    });
}

/// So that PostgreSQL does not keep sessions, of which the role may have few, whose other side a cut cable has taken away.
#[test]
fn sessions_end_when_the_network_has_lost_their_other_side() {
    const VIEW: &str = "CREATE VIEW kept AS SELECT id,
        (SELECT string_agg(current_setting(name), ' ' ORDER BY name) FROM pg_settings
          WHERE name IN ('tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count', 'tcp_user_timeout')) AS limits
        FROM users";
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1);
        database.execute(VIEW);
        for (options, limits) in [("-c jit=on", "3 5 1 8000"), ("-c tcp_keepalives_idle=60", "3 60 1 8000")] {
            let server = server_on(&kind, &database, &[("pg_options", options)]);
            assert_eq!(server.client().read("kept", &user(1)).json()["limits"], limits);
        }
    });
}

#[test]
fn a_plan_that_was_made_for_a_small_table_does_not_stay() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE growing (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
             INSERT INTO growing SELECT n, 'name' FROM generate_series(1, 10) AS n; ANALYZE growing",
        );
        let plan = database.connect().query("EXPLAIN SELECT * FROM growing WHERE id = 1", &[]).unwrap();
        assert!(plan[0].get::<_, String>(0).contains("Seq Scan"), "{plan:?}");
        let server = server_on(&kind, &database, &[]);
        let mut client = server.client();
        client.read("growing", &user(1));
        database.execute("INSERT INTO growing SELECT n, 'name' FROM generate_series(11, 50000) AS n");
        let mut id = 1;
        eventually("the index is used", || {
            id += 1;
            assert_eq!(client.read("growing", &user(id)).json()["id"], id);
            let walks = "SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'growing'";
            (database.number(walks) > 0).then_some(())
        });
    });
}
