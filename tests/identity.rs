//! What a source is connected to, what is risky about that, and what a refused connection says.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::TcpListener;

use serde_json::json;
use support::http::get;
use support::outage::{await_status, status};
use support::pgbouncer::PgBouncer;
use support::postgres::SUPERUSER;
use support::server::Setup;
use support::watched::health;
use support::{eventually, on_every_server, port, Client, Database, Kind, Postgres, Reply, Server};

const SECRET: &str = "wrong-secret";

/// A role of the database's own, which may read `users` and nothing else.
fn reader_of(database: &Database<'_>) -> String {
    let role = format!("{}_reader", database.name);
    database.with_users(3).execute(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON users TO {role}"));
    role
}

/// A server that comes as that role.
fn as_reader(kind: &Kind, database: &Database<'_>) -> (Setup, String) {
    let role = reader_of(database);
    (Server::setup(kind).on(database).setting("pg_user", &role), role)
}

/// The fields of HEALTH that say what the source is connected to.
fn identity(client: &mut Client) -> Vec<String> {
    let source = health(client);
    let pooler = if source.field("pooler") == Reply::Integer(1) { "pooler" } else { "direct" };
    let texts = ["address", "database", "role", "tls"].map(|name| source.field(name).text());
    texts.into_iter().chain([pooler.to_owned()]).collect()
}

fn warnings(client: &mut Client) -> Vec<String> {
    let Reply::Array(warnings) = client.call(&["PGCACHE.HEALTH"]).field("warnings") else { panic!("no warnings") };
    warnings.iter().map(Reply::text).collect()
}

/// PostgreSQL's version, as it says itself.
fn version(database: &Database<'_>) -> String {
    let version = database.text("SELECT current_setting('server_version')").unwrap();
    version.split(' ').next().unwrap().to_owned()
}

fn await_line(server: &Server, line: &str) {
    eventually(line, || server.log().contains(line).then_some(()));
}

#[test]
fn log_health_info_and_the_endpoint_say_what_a_source_is_connected_to() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let http_port = port::free();
        let (setup, role) = as_reader(&kind, &database);
        let server = setup.setting("http_port", &http_port.to_string()).start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        let (version, address) = (version(&database), format!("127.0.0.1:{}", database.postgres.port()));
        assert_eq!(identity(&mut client), [&address, &database.name, &role, "off", "direct"]);
        assert_eq!(health(&mut client).field("server_version").text(), version);
        await_line(
            &server,
            &format!(
                "source default is up: PostgreSQL {version} at {address}, database {}, role {role}, without TLS",
                database.name
            ),
        );
        let line = client.info("pgcache_sources", "pgcache_source_default");
        let wanted = format!(
            "address={address},database={},role={role},server_version={version},tls=off,pooler=0,superuser=0",
            database.name
        );
        assert!(line.ends_with(&wanted), "{line}");
        let wanted = json!({
            "status": "up", "address": address, "database": database.name, "role": role, "superuser": false,
            "server_version": version, "tls": "off", "pooler": false,
        });
        eventually("the endpoint knows", || {
            (get(http_port, "/health").json()["sources"] == json!({ "default": wanted })).then_some(())
        });
        let told = get(http_port, "/stats.json").json()["health"]["sources"]["default"].clone();
        assert!(wanted.as_object().unwrap().iter().all(|(name, value)| told[name] == *value), "{told}");
    });
}

#[test]
fn tls_is_told_with_its_version() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (limit, told) in [("TLSv1.3", "TLSv1.3"), ("TLSv1.2", "TLSv1.2")] {
        let lines = format!("ssl_max_protocol_version='{limit}'");
        let key = certificate.signing_key.serialize_pem();
        let postgres = Postgres::start_with_tls(&certificate.cert.pem(), &key, &lines);
        on_every_server(|kind| {
            let database = postgres.database();
            let setup = || as_reader(&kind, &database).0;
            let server = setup().setting("pg_sslmode", "prefer").start();
            let mut client = server.client();
            await_status(&mut client, "healthy");
            assert_eq!(health(&mut client).field("tls").text(), told);
            await_line(&server, &format!(", {told}"));
            drop(server);
            database.execute("DROP TABLE users");
        });
    }
}

#[test]
fn where_the_server_offers_no_tls_prefer_says_off() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let server = as_reader(&kind, &database).0.setting("pg_sslmode", "prefer").start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        assert_eq!(health(&mut client).field("tls").text(), "off");
    });
}

#[test]
fn a_unix_socket_is_told_by_its_path() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let (setup, role) = as_reader(&kind, &database);
        let folder = database.postgres.home().to_str().unwrap();
        let server = setup.setting("pg_host", folder).start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        let path = format!("{folder}/.s.PGSQL.{}", database.postgres.port());
        assert_eq!(identity(&mut client), [&path, &database.name, &role, "off", "direct"]);
        await_line(&server, &format!(" at {path}, database {}, role {role}\n", database.name));
    });
}

#[test]
fn a_pooler_is_told_with_what_is_behind_it() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(3);
        let pooler = PgBouncer::start(database.postgres, 2);
        let setup = Server::setup(&kind).on(&database).setting("invalidation", "off");
        let server = setup.setting("pg_port", &pooler.port().to_string()).start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        let address = format!("127.0.0.1:{}", pooler.port());
        assert_eq!(identity(&mut client), [&address, &database.name, SUPERUSER, "off", "pooler"]);
        assert_eq!(health(&mut client).field("server_version").text(), version(&database));
        await_line(&server, "through a pooler");
    });
}

#[test]
fn what_new_connections_lead_to_is_told_when_it_changes() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let (setup, role) = as_reader(&kind, &database);
        let server = setup.start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        database.execute(&format!("ALTER ROLE {role} SUPERUSER"));
        eventually("a new connection", || {
            database
                .execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"));
            (health(&mut client).field("superuser") == Reply::Integer(1)).then_some(())
        });
        await_line(&server, &format!("role {role} (a superuser)"));
        assert!(warnings(&mut client)[0].contains(&format!("role {role} is a superuser")));
    });
}

#[test]
fn what_is_risky_is_a_warning_and_leaves_the_cache_healthy() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let http_port = port::free();
        let setup = Server::setup(&kind).on(&database).setting("query", "any").setting("pg_password", SECRET);
        let server = setup.setting("http_port", &http_port.to_string()).start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        let told = warnings(&mut client);
        let beginnings = [
            "pg_password was given as a module argument",
            "query is any",
            "source default: role postgres is a superuser",
        ];
        assert!(told.iter().zip(beginnings).all(|(warning, start)| warning.starts_with(start)), "{told:?}");
        assert_eq!(told.len(), 3);
        assert!(told[2].contains("CREATE ROLE pgcache LOGIN") && !told.concat().contains(SECRET), "{told:?}");
        await_line(&server, "is a superuser");
        let log = server.log();
        assert!(told.iter().all(|warning| log.matches(warning.as_str()).count() == 1), "{log}");
        eventually("the endpoint knows", || {
            (get(http_port, "/health").json()["warnings"] == json!(told)).then_some(())
        });
        assert_eq!(client.info("pgcache_sources", "pgcache_source_default").matches("superuser=1").count(), 1);
    });
}

#[test]
fn a_role_that_may_only_read_gets_no_warning() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let server = as_reader(&kind, &database).0.start();
        let mut client = server.client();
        await_status(&mut client, "healthy");
        assert_eq!(warnings(&mut client), Vec::<String>::new());
    });
}

/// A server that cannot connect, and why, by its own words: PGDOWN, HEALTH and the log agree.
fn refusal(setup: Setup) -> String {
    let server = setup.setting("connect_timeout_ms", "2000").start();
    let mut client = server.client();
    eventually("it is down", || (status(&mut client) == "unhealthy").then_some(()));
    let reason = eventually("there is a reason", || match health(&mut client).field("reason") {
        Reply::Nil => None,
        reason => Some(reason.text()),
    });
    let Reply::Error(error) = client.read("users", r#"{"id":1}"#) else { panic!("there was a row") };
    assert_eq!(error, format!("PGDOWN default: {reason}"));
    await_line(&server, &format!("source default is down: {reason}; reads answer PGDOWN until it has been up once"));
    assert!(![&reason, &server.log()].iter().any(|text| text.contains(SECRET)), "{reason}");
    assert_eq!(health(&mut client).field("server_version"), Reply::Nil);
    reason
}

/// PostgreSQL that asks `app` for a password.
fn guarded() -> Postgres {
    let postgres = Postgres::start();
    postgres.connect("postgres").unwrap().batch_execute("CREATE ROLE app LOGIN PASSWORD 'right-secret'").unwrap();
    postgres.set_hba("host all app 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n");
    postgres
}

#[test]
fn a_refusal_names_the_address_and_what_to_check() {
    let postgres = guarded();
    on_every_server(|kind| {
        let database = postgres.database();
        let on = || Server::setup(&kind).on(&database);
        let at = format!("cannot connect to 127.0.0.1:{}: ", postgres.port());
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(
            refusal(on().setting("pg_port", &closed.port().to_string())),
            format!("cannot connect to {closed}: Connection refused (check pg_host and pg_port, and that PostgreSQL runs and listens there)")
        );
        assert_eq!(
            refusal(on().setting("pg_user", "app").env("PGCACHE_PG_PASSWORD", SECRET)),
            format!("{at}password authentication failed for user \"app\" (check pg_user, and the password in pg_password_file)")
        );
        assert_eq!(
            refusal(on().setting("pg_user", "app")),
            format!(
                "{at}invalid configuration: password missing (PostgreSQL asks for a password: set pg_password_file)"
            )
        );
        assert_eq!(
            refusal(on().setting("pg_database", "nowhere")),
            format!("{at}database \"nowhere\" does not exist (check pg_database)")
        );
        let stranger = refusal(on().setting("pg_user", "stranger"));
        assert!(
            stranger.starts_with(&format!("{at}no pg_hba.conf entry")) && stranger.contains("check pg_user"),
            "{stranger}"
        );
        let without_tls = refusal(on().setting("pg_sslmode", "require"));
        assert!(
            without_tls.starts_with(&at) && without_tls.ends_with("(check pg_sslmode and pg_sslrootcert)"),
            "{without_tls}"
        );
        let folder = postgres.home().to_str().unwrap();
        assert_eq!(
            refusal(on().setting("pg_host", folder).setting("pg_port", "1")),
            format!("cannot connect to {folder}/.s.PGSQL.1: No such file or directory (check pg_host and pg_port: no PostgreSQL has its socket there)")
        );
    });
}

#[test]
fn a_silent_address_is_named_too() {
    on_every_server(|kind| {
        // Its backlog takes connections, and nobody answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let setup =
            Server::setup(&kind).setting("pg_host", "127.0.0.1").setting("pg_port", &address.port().to_string());
        let server = setup.setting("connect_timeout_ms", "200").start();
        let mut client = server.client();
        let reason = eventually("it is down", || match health(&mut client).field("reason") {
            Reply::Nil => None,
            reason => Some(reason.text()),
        });
        assert!(reason.contains(&address.to_string()) && reason.contains("no answer for 200 ms"), "{reason}");
    });
}
