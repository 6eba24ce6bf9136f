//! What hits of watched tables do while PostgreSQL is away: the log and HEALTH say it, and it is so. And what a start logs.
#![allow(clippy::unwrap_used)]

mod support;

use support::outage::{await_status, bring_back, status, take_away};
use support::server::Setup;
use support::watched::{await_freshness, cache, health, is_cached, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply, Server, FOREVER_MS};

const ONE: &str = r#"{"id":1}"#;

/// A role that may read and watch its table.
fn owner_of(database: &Database<'_>) -> String {
    let role = format!("{}_owner", database.name);
    database.with_users(10).execute(&format!(
        "CREATE ROLE {role} LOGIN; ALTER TABLE users OWNER TO {role}; GRANT CREATE ON DATABASE {} TO {role};
         GRANT ALL ON SCHEMA public TO {role}",
        database.name
    ));
    role
}

/// A server as somebody would set it up who reads README.
fn ordinary(kind: &Kind, database: &Database<'_>) -> Setup {
    Server::setup(kind).on(database).setting("pg_user", &owner_of(database))
}

/// The module's lines among those of the log from `from` on, without time and process.
fn lines(server: &Server, from: usize) -> Vec<String> {
    let log = server.log();
    let own = log[from..].lines().filter_map(|line| {
        let (head, text) = line.split_once(" <pgcache> ")?;
        Some(format!("{} {text}", head.chars().last()?))
    });
    own.collect()
}

/// The lines in the order of the alphabet, once they say that the source is up and its notices are live.
fn lines_of_start(server: &Server, from: usize) -> Vec<String> {
    eventually("the source is up and its notices are live", || {
        let mut lines = lines(server, from);
        lines.sort();
        let says = |text: &str| lines.iter().any(|line| line.contains(text));
        (says("change notices are live") && says("default is up")).then_some(lines)
    })
}

/// What a start logs, in the same order.
fn normal_start(database: &Database<'_>) -> Vec<String> {
    let version = database.text("SELECT current_setting('server_version')").unwrap();
    vec![
        format!("* pgcache {} is loaded", env!("CARGO_PKG_VERSION")),
        format!(
            "* source default is up: PostgreSQL {} at 127.0.0.1:{}, database {name}, role {name}_owner, without TLS",
            version.split(' ').next().unwrap(),
            database.postgres.port(),
            name = database.name
        ),
        "* source default: change notices are live".to_owned(),
    ]
}

/// What the log says from `from` on of what hits do.
fn await_line(server: &Server, from: usize, line: &str) -> String {
    eventually(line, || lines(server, from).into_iter().find(|known| known.contains(line)))
}

fn hits(client: &mut Client) -> Reply {
    health(client).field("hits")
}

fn reasons(client: &mut Client) -> Vec<String> {
    let Reply::Array(reasons) = client.call(&["PGCACHE.HEALTH"]).field("reasons") else { panic!("no reasons") };
    reasons.iter().map(Reply::text).collect()
}

#[test]
fn a_normal_start_logs_what_it_is_connected_to_and_neither_gap_nor_warning() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let server = ordinary(&kind, &database).start();
        let wanted = normal_start(&database);
        assert_eq!(lines_of_start(&server, 0), wanted);
        let mut client = server.client();
        watch(&mut client, "users");
        cache(&mut client, "users", ONE);
        assert_eq!((lines(&server, 0).len(), client.figure("gaps")), (wanted.len(), 0));
        let from = server.log().len();
        let (server, _) = server.shutdown_and_restart("SAVE");
        let saved = "* source default: watched tables start anew, since nobody heard of changes to what was saved";
        let mut wanted: Vec<String> = wanted.into_iter().chain([saved.to_owned()]).collect();
        wanted.sort();
        assert_eq!(lines_of_start(&server, from), wanted);
        assert!(!is_cached(&mut server.client(), "users", ONE));
    });
}

#[test]
fn a_start_without_postgresql_logs_the_address_and_what_reads_do() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        let setup = ordinary(&kind, &database);
        let wanted = normal_start(&database);
        postgres.stop();
        let server = setup.start();
        let mut client = server.client();
        let at = format!("cannot connect to 127.0.0.1:{}: Connection refused (check pg_host", postgres.port());
        let down = await_line(&server, 0, "is down");
        assert!(down.starts_with(&format!("# source default is down: {at}")), "{down}");
        let reads = "reads answer PGDOWN until it has been up once, since no table is known before";
        assert!(down.ends_with(reads), "{down}");
        assert_eq!(hits(&mut client).text(), reads);
        assert!(reasons(&mut client)[0].ends_with(reads));
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        let from = server.log().len();
        bring_back(&postgres, &mut client);
        let mut lines = lines_of_start(&server, from);
        // What listens tries by itself, and may be told of first.
        lines.retain(|line| !line.contains("no change notices for now"));
        assert_eq!(lines, wanted[1..]);
        assert_eq!(hits(&mut client), Reply::Nil);
    });
}

/// A server whose watched row is cached, and whose lease takes so long.
fn with_a_row(setup: Setup, max_staleness_ms: &str) -> (Server, Client) {
    let server = setup.start();
    let mut client = server.client();
    await_freshness(&mut client, "live");
    watch(&mut client, "users");
    cache(&mut client, "users", ONE);
    client.set("max_staleness_ms", max_staleness_ms);
    (server, client)
}

#[test]
fn an_outage_says_at_once_that_hits_of_watched_tables_will_end_and_which_setting_has_them_go_on() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        let (server, mut client) = with_a_row(ordinary(&kind, &database), FOREVER_MS);
        let from = server.log().len();
        take_away(&postgres, &mut client);
        let price = format!(
            "hits of watched tables answer PGDOWN after at most {FOREVER_MS} ms (max_staleness_ms): on_gap bypass; \
             CONFIG SET pgcache.on_gap serve has hits go on, and they may be out of date"
        );
        assert_eq!(hits(&mut client).text(), price);
        assert!(reasons(&mut client)[0].ends_with(&price));
        assert!(await_line(&server, from, "# source default is down").ends_with(&price));
        assert_eq!(client.read("users", ONE).code(), "", "the lease has not run out");
        client.set("max_staleness_ms", "200");
        let suspect = await_line(&server, from, "# source default: change notices are suspect");
        let price = "hits of watched tables answer PGDOWN: on_gap bypass; \
                     CONFIG SET pgcache.on_gap serve has hits go on, and they may be out of date";
        assert!(suspect.ends_with(price), "{suspect}");
        assert_eq!(hits(&mut client).text(), price);
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        // The one setting.
        client.set("on_gap", "serve");
        assert_eq!(client.read("users", ONE).code(), "");
        let served =
            "hits of watched tables go on until their time to live ends, and may be out of date (on_gap serve)";
        assert_eq!(hits(&mut client).text(), served);
        client.set("on_gap", "bypass");
        client.set("max_staleness_ms", FOREVER_MS);
        let from = server.log().len();
        bring_back(&postgres, &mut client);
        await_line(&server, from, "* source default is up: PostgreSQL ");
        await_line(&server, from, "* source default: change notices are live");
        assert_eq!(hits(&mut client), Reply::Nil);
    });
}

#[test]
fn grace_is_told_with_its_seconds_and_keeps_rows() {
    let postgres = Postgres::start();
    on_every_server(|kind| {
        let database = postgres.database();
        let (server, mut client) = with_a_row(ordinary(&kind, &database).setting("grace", "3600"), "500");
        await_freshness(&mut client, "live");
        cache(&mut client, "users", ONE);
        let from = server.log().len();
        take_away(&postgres, &mut client);
        let rows = "rows of watched tables go on for 3600 s from then on, and may be out of date (grace); results of queries answer PGDOWN";
        await_line(&server, from, rows);
        assert!(hits(&mut client).text().starts_with(rows));
        assert_eq!(client.read("users", ONE).code(), "");
        bring_back(&postgres, &mut client);
    });
}

#[test]
fn notices_that_stop_alone_say_that_reads_ask_postgresql_and_when_they_are_back() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let (server, mut client) = with_a_row(ordinary(&kind, &database), FOREVER_MS);
        let mut admin = database.connect();
        // Nobody may open the session that listens, and those that load stay.
        let role = format!("{}_owner", database.name);
        admin.batch_execute(&format!("ALTER ROLE {role} NOLOGIN")).unwrap();
        let from = server.log().len();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name IN ('pgcache/notices', 'pgcache/definitions')";
        admin.batch_execute(end).unwrap();
        client.set("max_staleness_ms", "500");
        let price = "reads of watched tables ask PostgreSQL until change notices are live (on_gap bypass); \
                     CONFIG SET pgcache.on_gap serve has hits go on, and they may be out of date";
        let suspect = await_line(&server, from, "# source default: change notices are suspect");
        assert!(suspect.ends_with(price), "{suspect}");
        assert_eq!((hits(&mut client).text(), status(&mut client)), (price.to_owned(), "degraded".to_owned()));
        assert!(reasons(&mut client)[0].ends_with(price));
        assert_eq!(client.read("users", ONE).code(), "");
        client.set("max_staleness_ms", FOREVER_MS);
        admin.batch_execute(&format!("ALTER ROLE {role} LOGIN")).unwrap();
        await_line(&server, from, "change notices are live again, and hits of watched tables are answered as always");
        await_status(&mut client, "healthy");
        assert_eq!(hits(&mut client), Reply::Nil);
    });
}
