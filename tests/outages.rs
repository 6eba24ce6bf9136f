//! PostgreSQL on its bad days: down, killed, restarted, refusing, full, slow and silent.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::outage::{await_status, bring_back, status, take_away};
use support::server::Setup;
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

/// The bound of the project: nothing that happens to PostgreSQL keeps a client of the server waiting longer.
const PING_MAX: Duration = Duration::from_millis(100);

fn user(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn source(client: &mut Client) -> Reply {
    client.call(&["PGCACHE.HEALTH"]).field("sources").field("default")
}

fn reason(client: &mut Client) -> Reply {
    source(client).field("reason")
}

fn await_figure(client: &mut Client, name: &str, count: u64) {
    eventually(name, || (client.figure(name) == count).then_some(()));
}

fn assert_is_user(reply: &Reply, id: usize) {
    let Reply::Bulk(_) = reply else { panic!("no row {id}: {reply:?}") };
    assert_eq!(reply.json()["id"], id);
}

fn assert_reads(client: &mut Client, ids: impl IntoIterator<Item = usize>) {
    for id in ids {
        assert_is_user(&client.read("users", &user(id)), id);
    }
}

/// Clients that have asked for these rows of the locked table, and wait, each load with a worker of its own. The
/// first `connections` of them have a connection, too, and stand at the lock.
fn loading(
    server: &Server,
    lock: &mut Lock,
    ids: impl IntoIterator<Item = usize>,
    connections: usize,
) -> Vec<(usize, Client)> {
    let mut watcher = server.client();
    ids.into_iter()
        .zip(1..)
        .map(|(id, count)| {
            let mut client = server.client();
            client.send(&["PGCACHE.READ", "users", &user(id)]);
            await_figure(&mut watcher, "waiting_clients", count as u64);
            await_figure(&mut watcher, "queued_tasks", 0);
            lock.await_arrivals(connections.min(count));
            (id, client)
        })
        .collect()
}

/// Measures time without that in which the machine was busy with others: a thread that waits for PostgreSQL, a lock
/// or a socket is not ready to run, so that such waits all count.
struct Stopwatch<'s> {
    server: &'s Server,
    kept_waiting: Duration,
    began: Instant,
}

impl<'s> Stopwatch<'s> {
    fn start(server: &'s Server) -> Self {
        Self { server, kept_waiting: kept_waiting(server), began: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        let elapsed = self.began.elapsed();
        elapsed.saturating_sub(kept_waiting(self.server).saturating_sub(self.kept_waiting))
    }
}

/// How long the server's main thread and this thread have been ready to run while the machine ran others, and how
/// long the machine itself stood still for others.
fn kept_waiting(server: &Server) -> Duration {
    let pid = server.pid();
    let waited = |path: String| {
        let figures = std::fs::read_to_string(&path).unwrap();
        Duration::from_nanos(figures.split_whitespace().nth(1).unwrap().parse().unwrap())
    };
    waited(format!("/proc/{pid}/task/{pid}/schedstat")) + waited("/proc/thread-self/schedstat".into()) + stolen()
}

/// What a hypervisor has kept from the processors of this machine, counted in hundredths of a second.
fn stolen() -> Duration {
    let figures = std::fs::read_to_string("/proc/stat").unwrap();
    let ticks: u64 = figures.split_whitespace().nth(8).unwrap().parse().unwrap();
    Duration::from_millis(ticks * 10)
}

/// The worst time that a PING took while `work` ran.
fn worst_ping(server: &Server, work: impl FnOnce()) -> Duration {
    let (done, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut client = server.client();
    thread::scope(|scope| {
        let pings = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let stopwatch = Stopwatch::start(server);
                assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()));
                worst = worst.max(stopwatch.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
                // The pace of the samples, which leaves a processor to the server.
                thread::sleep(Duration::from_millis(1));
            }
            worst
        });
        // A panic in `work` must end the other thread as well. Fewer samples would say nothing.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            work();
            eventually("enough samples", || (count.load(Ordering::Relaxed) > 100).then_some(()));
        }));
        done.store(true, Ordering::Relaxed);
        let worst = pings.join().unwrap();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        worst
    })
}

#[test]
fn a_server_starts_without_postgresql_and_recovers_by_itself() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        postgres.stop();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        let stopwatch = Stopwatch::start(&server);
        assert_eq!(client.read("users", &user(1)).code(), "PGDOWN");
        let took = stopwatch.elapsed();
        assert!(took < Duration::from_secs(30), "PGDOWN after {took:?}, not at once");
        assert_eq!(client.multiread("users", r#"[{"id":1},{"id":2}]"#).code(), "PGDOWN");
        assert_eq!(status(&mut client), "unhealthy");
        assert_ne!(reason(&mut client), Reply::Nil);
        bring_back(&postgres, &mut client);
        // An attempt that PostgreSQL refused while it was starting may end after the one that it took.
        eventually("no reason is left", || (reason(&mut client) == Reply::Nil).then_some(()));
        assert_reads(&mut client, 1..=10);
    });
}

#[test]
fn a_server_starts_beside_a_silent_postgresql_and_recovers_by_itself() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        postgres.freeze();
        let server = Server::setup(&kind).on(&database).setting("connect_timeout_ms", "5000").start();
        let mut client = server.client();
        assert_eq!(client.read("users", &user(1)).code(), "PGDOWN");
        assert_eq!(status(&mut client), "unhealthy");
        postgres.thaw();
        await_status(&mut client, "healthy");
        assert_reads(&mut client, 1..=10);
    });
}

#[test]
fn an_outage_while_idle_is_noticed_and_hits_go_on() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(50);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        assert_reads(&mut client, 1..=10);
        let absent = client.key("users", &user(11));
        take_away(&postgres, &mut client);
        assert_reads(&mut client, 1..=10);
        let reply = client.read("users", &user(11));
        assert_eq!(reply.code(), "PGDOWN");
        assert!(!client.exists(&absent));
        assert_eq!(client.multiread("users", r#"[{"id":1},{"id":12}]"#).code(), "PGDOWN");
        assert_eq!(client.multiread("users", r#"[{"id":1},{"id":2}]"#).json()[1]["id"], 2);
        bring_back(&postgres, &mut client);
        assert_reads(&mut client, 1..=50);
    });
}

#[test]
fn writing_and_invalidating_go_on_in_an_outage() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        assert_reads(&mut client, 1..=2);
        take_away(&postgres, &mut client);
        let ok = Reply::Simple("OK".into());
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", &user(1), r#"{"id":1,"name":"w"}"#]), ok);
        assert_eq!(client.read("users", &user(1)).json()["name"], "w");
        assert_eq!(client.invalidate("users", &user(2)), ok);
        assert_eq!(client.read("users", &user(2)).code(), "PGDOWN", "an invalidated row is not served");
        postgres.start_again();
    });
}

#[test]
fn loads_under_way_fail_when_postgresql_is_killed() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.key("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        let mut waiting = loading(&server, &mut lock, 1..=5, 5);
        postgres.kill();
        for (id, client) in &mut waiting {
            assert_eq!(client.receive().code(), "PGDOWN", "row {id}");
            assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()), "one error and no more");
        }
        await_figure(&mut client, "waiting_clients", 0);
        bring_back(&postgres, &mut client);
        assert_reads(&mut client, 1..=10);
    });
}

#[test]
fn a_restart_fails_no_hit_and_after_it_no_miss() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(1_000);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        assert_reads(&mut client, 1..=1);
        // Every connection of the pool is open, so that every one is dead afterwards.
        let mut lock = Lock::on(&database, "users");
        let waiting = loading(&server, &mut lock, 2..=9, 8);
        lock.release();
        waiting.into_iter().for_each(|(id, mut client)| assert_is_user(&client.receive(), id));
        let restarted = AtomicBool::new(false);
        let mut hitting = server.client();
        thread::scope(|scope| {
            let hits = scope.spawn(|| {
                while !restarted.load(Ordering::Relaxed) {
                    assert_reads(&mut hitting, 1..=9);
                }
            });
            postgres.stop();
            postgres.start_again();
            restarted.store(true, Ordering::Relaxed);
            hits.join().unwrap();
        });
        await_status(&mut client, "healthy");
        thread::scope(|scope| {
            for begin in (10..900).step_by(100) {
                let mut client = server.client();
                scope.spawn(move || assert_reads(&mut client, begin..begin + 100));
            }
        });
    });
}

/// Ends the connections of the pool for which `condition` holds, and returns how many.
fn end_connections(database: &Database<'_>, condition: &str) -> i64 {
    database.number(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'pgcache/load' AND {condition}"
    ))
}

#[test]
fn a_load_outlives_the_end_of_its_connection() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(20);
        let server = Server::start(&kind, &database);
        assert_reads(&mut server.client(), [1]);
        let mut lock = Lock::on(&database, "users");
        let waiting = loading(&server, &mut lock, 2..=5, 4);
        assert_eq!(end_connections(&database, "pid IN (SELECT pid FROM pg_locks WHERE NOT granted)"), 4);
        lock.release();
        waiting.into_iter().for_each(|(id, mut client)| assert_is_user(&client.receive(), id));
    });
}

#[test]
fn a_pool_of_ended_connections_fails_no_load() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(20);
        let server = Server::setup(&kind).on(&database).setting("pool_size", "6").start();
        let mut client = server.client();
        assert_reads(&mut client, [1]);
        let mut lock = Lock::on(&database, "users");
        let waiting = loading(&server, &mut lock, 2..=7, 6);
        lock.release();
        waiting.into_iter().for_each(|(id, mut client)| assert_is_user(&client.receive(), id));
        eventually("all six connections are idle", || {
            let source = client.call(&["PGCACHE.HEALTH"]).field("sources").field("default");
            (source.field("idle") == Reply::Integer(6)).then_some(())
        });
        // Whoever asked whether PostgreSQL is still there while all six were at work had a connection of its own.
        let connections = "SELECT count(*) FROM pg_stat_activity
                           WHERE datname = current_database() AND application_name = 'pgcache/load'";
        eventually("there are no others", || (database.number(connections) == 6).then_some(()));
        assert_eq!(end_connections(&database, "true"), 6);
        assert_reads(&mut client, 8..=20);
    });
}

/// Roles other than the superuser must give a password.
fn ask_for_passwords(postgres: &Postgres, database: &Database<'_>) {
    database.execute("CREATE ROLE app LOGIN PASSWORD 'right-secret'; GRANT SELECT ON users TO app");
    postgres.set_hba(
        "host all postgres 127.0.0.1/32 trust\n\
         host all all 127.0.0.1/32 scram-sha-256\n",
    );
    let options = format!("host=127.0.0.1 port={} user=app dbname={}", postgres.port(), database.name);
    eventually("passwords are asked for", || postgres::Client::connect(&options, postgres::NoTls).err());
}

fn assert_shows_no_secret(server: &Server, client: &mut Client, reply: &Reply) {
    let everything = [
        format!("{reply:?}"),
        format!("{:?}", client.call(&["PGCACHE.HEALTH"])),
        format!("{:?}", client.call(&["CONFIG", "GET", "*"])),
        format!("{:?}", client.call(&["INFO", "everything"])),
        format!("{:?}", client.call(&["SLOWLOG", "GET", "100"])),
        server.log(),
    ];
    for text in everything {
        assert!(!text.contains("-secret"), "{text}");
    }
}

#[test]
fn a_refused_password_is_told_and_a_rotated_one_is_used() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(10);
        ask_for_passwords(&postgres, &database);
        let file = postgres.write_private("password", "wrong-secret\n");
        let server = Server::setup(&kind)
            .on(&database)
            .setting("pg_user", "app")
            .setting("pg_password_file", file.to_str().unwrap())
            .start();
        let mut client = server.client();
        let reply = client.read("users", &user(1));
        assert_eq!(reply.code(), "PGDOWN");
        assert!(matches!(&reply, Reply::Error(text) if text.contains("password authentication")), "{reply:?}");
        assert!(reason(&mut client).text().contains("password authentication"));
        assert_shows_no_secret(&server, &mut client, &reply);
        postgres.write_private("password", "right-secret\n");
        await_status(&mut client, "healthy");
        assert_reads(&mut client, 1..=10);
        // Without a file to read there is a reason, too.
        std::fs::remove_file(&file).unwrap();
        // Again and again: a connection that was being opened with the password comes after the others have ended.
        eventually("unhealthy", || {
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
            (status(&mut client) == "unhealthy").then_some(())
        });
        // The last attempt with the password may have been ended, too: that is the reason until the next one.
        eventually("the file is the reason", || match reason(&mut client) {
            Reply::Nil => None,
            reason => reason.text().contains("pg_password_file").then_some(()),
        });
        assert_eq!(status(&mut client), "unhealthy");
        let reply = client.call(&["PING"]);
        assert_shows_no_secret(&server, &mut client, &reply);
    });
}

#[test]
fn a_password_from_the_environment_is_not_shown_either() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(10);
        ask_for_passwords(&postgres, &database);
        let setup = || Server::setup(&kind).on(&database).setting("pg_user", "app");
        for (password, code) in [("wrong-secret", "PGDOWN"), ("right-secret", "")] {
            let server = setup().env("PGCACHE_PG_PASSWORD", password).start();
            let mut client = server.client();
            let reply = client.read("users", &user(1));
            assert_eq!(reply.code(), code, "{reply:?}");
            assert_shows_no_secret(&server, &mut client, &reply);
        }
    });
}

/// Whether this is how PostgreSQL says that it is full.
fn says_full(text: &str) -> bool {
    text.contains("too many clients") || text.contains("remaining connection slots")
}

/// A PostgreSQL with three connections for `app`, and two more for the superuser.
fn small_postgres() -> Postgres {
    Postgres::start_with("max_connections=5\nsuperuser_reserved_connections=2")
}

#[test]
fn a_pool_that_gets_fewer_connections_than_it_may_have_works_with_those() {
    on_every_server(|kind| {
        let postgres = small_postgres();
        let database = postgres.database();
        database.with_users(30);
        database.execute("CREATE ROLE app LOGIN; GRANT SELECT ON users TO app");
        // Listening would take one of the few.
        let setup = Server::setup(&kind).on(&database).setting("invalidation", "off");
        let server = setup.setting("pg_user", "app").start();
        let mut client = server.client();
        client.key("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        // The lock takes one of the three, unless the pool had them all before.
        let waiting = loading(&server, &mut lock, 1..=8, 2);
        eventually("PostgreSQL refuses more", || match reason(&mut client) {
            Reply::Nil => None,
            reason => {
                assert!(says_full(&reason.text()), "{reason:?}");
                Some(())
            }
        });
        assert_eq!(status(&mut client), "healthy");
        lock.release();
        waiting.into_iter().for_each(|(id, mut client)| assert_is_user(&client.receive(), id));
    });
}

#[test]
fn a_server_that_gets_no_connection_at_all_says_so_and_recovers() {
    on_every_server(|kind| {
        let postgres = small_postgres();
        let database = postgres.database();
        database.with_users(10);
        database.execute("CREATE ROLE app LOGIN; GRANT SELECT ON users TO app");
        let options = format!("host=127.0.0.1 port={} user=app dbname={}", postgres.port(), database.name);
        let connect = || postgres::Client::connect(&options, postgres::NoTls);
        // Connections that have just ended may still have their place.
        let others: Vec<postgres::Client> = (0..3).map(|_| eventually("a connection", || connect().ok())).collect();
        let server = Server::setup(&kind).on(&database).setting("pg_user", "app").start();
        let mut client = server.client();
        let reply = client.read("users", &user(1));
        assert_eq!(reply.code(), "PGDOWN");
        assert!(matches!(&reply, Reply::Error(text) if says_full(text)), "{reply:?}");
        drop(others);
        await_status(&mut client, "healthy");
        assert_reads(&mut client, 1..=10);
    });
}

#[test]
fn a_frozen_postgresql_costs_hits_nothing_and_misses_their_deadline() {
    const LOAD_TIMEOUT: Duration = Duration::from_millis(2_000);
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(2_000);
        let server = Server::setup(&kind).on(&database).setting("connect_timeout_ms", "2000").start();
        let mut client = server.client();
        assert_reads(&mut client, 1..=10);
        client.set("load_timeout_ms", &LOAD_TIMEOUT.as_millis().to_string());
        let mut readers: Vec<Client> = (0..1_000).map(|_| server.client()).collect();
        postgres.freeze();
        let worst = worst_ping(&server, || {
            let stopwatch = Stopwatch::start(&server);
            for (reader, id) in readers.iter_mut().zip(1_001..) {
                reader.send(&["PGCACHE.READ", "users", &user(id)]);
            }
            assert_reads(&mut client, 1..=10);
            for reader in &mut readers {
                let reply = reader.receive();
                assert!(matches!(reply.code(), "PGTIMEOUT" | "PGDOWN"), "{reply:?}");
            }
            let took = stopwatch.elapsed();
            assert!(took < LOAD_TIMEOUT + Duration::from_secs(3), "the last answer came after {took:?}");
            assert_reads(&mut client, 1..=10);
            await_status(&mut client, "unhealthy");
            let stopwatch = Stopwatch::start(&server);
            assert!(matches!(client.read("users", &user(11)).code(), "PGTIMEOUT" | "PGDOWN"));
            let took = stopwatch.elapsed();
            assert!(took < LOAD_TIMEOUT + Duration::from_secs(1), "one more after {took:?}");
        });
        assert!(worst < PING_MAX, "the worst PING took {worst:?}");
        postgres.thaw();
        client.set("load_timeout_ms", FOREVER_MS);
        await_status(&mut client, "healthy");
        assert_reads(&mut client, 1..=2_000);
    });
}

#[test]
fn a_thousand_slow_loads_do_not_slow_the_server() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(2_000);
        database.execute("CREATE VIEW slow AS SELECT id, name, pg_sleep(2)::text AS slept FROM users");
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        assert_reads(&mut client, 1..=10);
        client.key("slow", &user(1));
        client.set("load_timeout_ms", "20000");
        let mut readers: Vec<Client> = (0..1_000).map(|_| server.client()).collect();
        let mut rows = 0;
        // However long the machine takes, no load comes back before all of them wait.
        let mut lock = Lock::on(&database, "users");
        let worst = worst_ping(&server, || {
            for (reader, id) in readers.iter_mut().zip(1..) {
                reader.send(&["PGCACHE.READ", "slow", &user(id)]);
            }
            await_figure(&mut client, "waiting_clients", 1_000);
            lock.await_arrivals(8);
            lock.release();
            assert_reads(&mut client, 1..=10);
            for (reader, id) in readers.iter_mut().zip(1..) {
                match reader.receive() {
                    row @ Reply::Bulk(_) => {
                        assert_is_user(&row, id);
                        rows += 1;
                    }
                    reply => assert_eq!(reply.code(), "PGTIMEOUT"),
                }
            }
        });
        assert!(rows > 0, "no load of two seconds came back in the twenty of load_timeout_ms");
        assert!(worst < PING_MAX, "the worst PING took {worst:?}");
        assert_eq!(client.figure("waiting_clients"), 0);
    });
}

/// Something that takes connections as PostgreSQL would, hangs up at once, and counts them.
struct Refusing {
    port: u16,
    attempts: std::sync::Arc<AtomicU64>,
    begin: std::sync::mpsc::Sender<()>,
}

impl Refusing {
    fn start() -> Self {
        let refusing = Self::silent();
        refusing.begin();
        refusing
    }

    /// One that leaves whoever connects without an answer until it is to begin.
    fn silent() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, attempts) = (listener.local_addr().unwrap().port(), std::sync::Arc::new(AtomicU64::new(0)));
        let count = std::sync::Arc::clone(&attempts);
        let (begin, begun) = std::sync::mpsc::channel();
        // Ends with the process.
        thread::spawn(move || {
            let _ = begun.recv();
            for connection in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
                drop(connection);
            }
        });
        Self { port, attempts, begin }
    }

    fn begin(&self) {
        self.begin.send(()).unwrap();
    }

    fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// A server that takes this for its PostgreSQL. The thread that listens to notices would try by itself.
    fn server(&self, kind: &Kind) -> Setup {
        Server::setup(kind)
            .setting("pg_host", "127.0.0.1")
            .setting("pg_port", &self.port.to_string())
            .setting("pg_sslmode", "disable")
            .setting("load_timeout_ms", FOREVER_MS)
            .setting("invalidation", "off")
    }
}

fn await_down(client: &mut Client) {
    eventually("the source is down", || (source(client).field("status").text() == "down").then_some(()));
}

#[test]
fn misses_in_an_outage_fail_at_once_and_about_one_probe_a_second_tries() {
    const MISSES: u32 = 2_000;
    on_every_server(|kind| {
        let refusing = Refusing::start();
        let server = refusing.server(&kind).start();
        let mut client = server.client();
        // A cache is unhealthy before the first attempt has ended as well; a miss would ask for an attempt of its own then.
        await_down(&mut client);
        let (began, before) = (Instant::now(), refusing.attempts());
        let stopwatch = Stopwatch::start(&server);
        let mut asked = 0;
        while asked < MISSES || began.elapsed() < Duration::from_secs(4) {
            assert_eq!(client.read("users", &user(asked as usize)).code(), "PGDOWN");
            asked += 1;
        }
        let busy = stopwatch.elapsed();
        assert!(busy / asked < Duration::from_millis(5), "{asked} misses took {busy:?}");
        let (attempts, took) = (refusing.attempts() - before, began.elapsed());
        assert!(attempts <= 3 + 2 * took.as_secs(), "{attempts} attempts in {took:?}");
        eventually("somebody tries", || (refusing.attempts() > before).then_some(()));
    });
}

#[test]
fn however_many_misses_an_outage_meets_few_attempts_are_made() {
    const MISSES: usize = 20;
    on_every_server(|kind| {
        let refusing = Refusing::silent();
        let server = refusing.server(&kind).setting("pool_size", &MISSES.to_string()).start();
        let mut client = server.client();
        let mut readers: Vec<Client> = (0..MISSES).map(|_| server.client()).collect();
        for (number, reader) in readers.iter_mut().enumerate() {
            reader.send(&["PGCACHE.READ", &format!("table_{number}"), &user(1)]);
        }
        eventually("each wants a connection", || {
            (source(&mut client).field("waiting") == Reply::Integer(MISSES as i64)).then_some(())
        });
        refusing.begin();
        for reader in &mut readers {
            assert_eq!(reader.receive().code(), "PGDOWN");
        }
        let (began, before) = (Instant::now(), refusing.attempts());
        let attempts = eventually("it is tried again and again", || {
            Some(refusing.attempts() - before).filter(|attempts| *attempts >= 10)
        });
        let took = began.elapsed();
        assert!(took > Duration::from_secs(2), "{attempts} attempts in {took:?}");
    });
}

/// Has PostgreSQL cancel the loads that wait for what `wait` says, as `statement_timeout_ms` does, and no others: on a
/// slow machine those would run into a short one, too.
fn cancel_loads(database: &Database<'_>, wait: &str, done: &AtomicBool) {
    let mut client = database.connect();
    let waiting = format!(
        "SELECT pid, query_start::text FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'pgcache/load' AND {wait}"
    );
    // Each statement once: a second signal might meet the next one of its connection.
    let mut cancelled = BTreeSet::<(i32, String)>::new();
    while !done.load(Ordering::Relaxed) {
        for row in client.query(&waiting, &[]).unwrap() {
            let (pid, began) = (row.get(0), row.get(1));
            if cancelled.insert((pid, began)) {
                client.execute("SELECT pg_cancel_backend($1)", &[&pid]).unwrap();
            }
        }
        // Loads take a while before they fail.
        thread::sleep(Duration::from_millis(50));
    }
}

/// Rows of `table` are asked for all the time; every one of these loads fails with `code`. Meanwhile `users` is read.
fn others_go_on(server: &Server, table: &str, code: &str) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut failing = vec![];
        for reader in 0..4 {
            let (mut client, done) = (server.client(), &done);
            failing.push(scope.spawn(move || {
                let mut failures = 0;
                while failures < 15 || !done.load(Ordering::Relaxed) {
                    let reply = client.read(table, &user(1 + (reader + 4 * failures) % 1_000));
                    assert_eq!(reply.code(), code, "{reply:?}");
                    failures += 1;
                }
            }));
        }
        let mut client = server.client();
        for id in 1..=100 {
            assert_is_user(&client.read("users", &user(id)), id);
            assert_eq!(status(&mut client), "healthy");
            thread::sleep(Duration::from_millis(10));
        }
        done.store(true, Ordering::Relaxed);
        failing.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(status(&mut client), "healthy");
    });
}

/// The same with loads that time out while they wait for what `wait` says.
fn others_go_on_beside_time_outs(server: &Server, database: &Database<'_>, table: &str, wait: &str) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| cancel_loads(database, wait, &done));
        // A panic must end the other thread as well.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            others_go_on(server, table, "PGTIMEOUT");
        }));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn a_locked_table_is_no_outage_of_the_others() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1_000).execute("CREATE TABLE locked AS SELECT * FROM users");
        database.execute("ALTER TABLE locked ADD PRIMARY KEY (id)");
        let server = Server::start(&kind, &database);
        server.client().key("locked", &user(1));
        let lock = Lock::on(&database, "locked");
        others_go_on_beside_time_outs(&server, &database, "locked", "wait_event_type = 'Lock'");
        lock.release();
        assert_is_user(&server.client().read("locked", &user(1)), 1);
    });
}

#[test]
fn a_locked_table_that_takes_every_connection_for_long_is_no_outage_either() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(100).execute("CREATE TABLE other AS SELECT * FROM users");
        let server =
            Server::setup(&kind).on(&database).setting("connect_timeout_ms", "5000").setting("pool_size", "2").start();
        let mut client = server.client();
        assert_reads(&mut client, [1]);
        client.key("other", &user(1));
        client.set("load_timeout_ms", "500");
        let lock = Lock::on(&database, "users");
        let began = Instant::now();
        let mut id = 2;
        // Longer than any time-out after the loads were due.
        while began.elapsed() < Duration::from_secs(9) {
            assert_eq!(client.read("users", &user(id)).code(), "PGTIMEOUT");
            let other = client.read("other", &user(id));
            assert!(matches!(other.code(), "" | "PGTIMEOUT"), "{other:?}");
            assert_eq!(status(&mut client), "healthy");
            id += 1;
        }
        lock.release();
        client.set("load_timeout_ms", FOREVER_MS);
        eventually("a connection is free", || matches!(client.read("other", &user(1)), Reply::Bulk(_)).then_some(()));
        assert_is_user(&client.read("users", &user(id)), id);
    });
}

#[test]
fn loads_that_all_run_into_their_time_out_are_no_outage() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1_000);
        database.execute("CREATE VIEW slow AS SELECT id, name, pg_sleep(60)::text AS slept FROM users");
        let server = Server::start(&kind, &database);
        server.client().key("slow", &user(1));
        others_go_on_beside_time_outs(&server, &database, "slow", "wait_event = 'PgSleep'");
    });
}

#[test]
fn loads_that_end_their_own_connection_are_no_outage() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1_000);
        database.execute("CREATE VIEW deadly AS SELECT id, pg_terminate_backend(pg_backend_pid()) AS gone FROM users");
        let server = Server::setup(&kind).on(&database).start();
        server.client().key("deadly", &user(1));
        others_go_on(&server, "deadly", "PGDOWN");
    });
}
