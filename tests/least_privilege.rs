//! The roles that the documents recommend: each is enough for everything that the cache does, and for nothing else.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::queries::{any, await_result, inspect, store};
use support::watched::{await_freshness, await_name, cache, health, start_listening, MODES};
use support::{on_every_server, Client, Database, Kind, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const PASSWORD: &str = "it's a secret";

/// What makes the role in one of the files of the repository: the file, or its block of SQL that does.
fn recommended(file: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    if file.ends_with(".sql") {
        return text;
    }
    let mut blocks = text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains("CREATE ROLE pgcache ")).expect("a block that makes the role").to_owned()
}

/// A PostgreSQL with the shop that the documents speak of, where roles need their passwords.
struct Shop {
    postgres: Postgres,
}

impl Shop {
    /// One in which the DBA has run `sql`.
    fn with(sql: &str) -> Self {
        let shop = Self { postgres: Postgres::start() };
        let mut client = shop.postgres.connect("postgres").unwrap();
        client.batch_execute("CREATE ROLE shop").unwrap();
        client.batch_execute("CREATE DATABASE shop OWNER shop").unwrap();
        shop.database().execute(&format!(
            "SET ROLE shop; CREATE TABLE public.users (id bigint PRIMARY KEY, email text UNIQUE, name text);
             CREATE TABLE public.orders (id bigint PRIMARY KEY, user_id bigint); CREATE TABLE public.salaries (id bigint PRIMARY KEY);
             INSERT INTO users SELECT n, 'user' || n, 'User ' || n FROM generate_series(1, 20) n; INSERT INTO orders VALUES (1, 1);
             INSERT INTO salaries VALUES (1); RESET ROLE; {sql}; ALTER ROLE pgcache PASSWORD '{}'",
            PASSWORD.replace('\'', "''")
        ));
        shop.postgres.set_hba("host all pgcache 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n");
        shop
    }

    fn database(&self) -> Database<'_> {
        Database { postgres: &self.postgres, name: "shop".into() }
    }

    /// A session of the role.
    fn connect(&self) -> postgres::Client {
        let mut options = postgres::Config::new();
        options.host("127.0.0.1").port(self.postgres.port()).dbname("shop").user("pgcache").password(PASSWORD);
        options.connect(postgres::NoTls).unwrap()
    }

    /// A server with what the role needs to connect, as the documents give it: the password in a file.
    fn server(&self, kind: &Kind, mode: &str, password: &Path) -> Server {
        let setup = any(kind, &self.database()).setting("pg_user", "pgcache").setting("invalidation", mode);
        start_listening(setup.setting("pg_password_file", password.to_str().unwrap()))
    }
}

/// A superuser runs what WATCH SQL prints, in psql as a DBA does.
fn watch_by_dba(shop: &Shop, client: &mut Client, table: &str) {
    let script = client.call(&["PGCACHE.WATCH", "SQL", table]).text();
    shop.database().psql(&[], &script);
}

/// What a client gets.
fn everything_works(shop: &Shop, client: &mut Client, mode: &str) {
    assert_eq!(client.read("users", ONE).json()["name"], "User 1");
    assert_eq!(client.read("users", r#"{"email":"user2"}"#).json()["id"], 2);
    let keys: Vec<String> = (1..=20).map(|n| format!(r#"{{"id":{n}}}"#)).collect();
    assert_eq!(client.multiread("users", &format!("[{}]", keys.join(","))).json()[19]["name"], "User 20");
    for table in ["users", "orders"] {
        watch_by_dba(shop, client, table);
    }
    let Reply::Array(watched) = client.call(&["PGCACHE.WATCH", "LIST"]) else { panic!("no list") };
    assert_eq!(watched.len(), 2, "{watched:?}");
    for table in &watched {
        assert_eq!((table.field("watched").text(), table.field("mode").text()), ("yes".into(), mode.into()));
        assert_eq!(table.field("event_trigger"), Reply::Integer(1));
    }
    await_freshness(client, "live");
    cache(client, "users", ONE);
    let sql = "SELECT u.name FROM users u JOIN orders o ON o.user_id = u.id";
    assert_eq!(store(client, &[sql])[0]["name"], "User 1");
    assert_eq!(inspect(client, &[sql]).field("tracked"), Reply::Integer(1), "{:?}", inspect(client, &[sql]));
    shop.database().execute("SET ROLE shop; UPDATE users SET name = 'new' WHERE id = 1");
    await_name(client, "users", ONE, "new");
    await_result(client, &[sql], &serde_json::json!([{ "name": "new" }]));
    // A changed definition too.
    shop.database().execute("SET ROLE shop; ALTER TABLE users ADD extra int DEFAULT 7");
    support::eventually("the column is there", || (client.read("users", ONE).json()["extra"] == 7).then_some(()));
    assert_eq!(client.call(&["PGCACHE.HEALTH"]).field("status").text(), "healthy", "{:?}", health(client));
}

/// What the role must not be able to do, with the error that PostgreSQL has for it.
const FORBIDDEN: [&str; 17] = [
    "INSERT INTO users (id) VALUES (100)",
    "UPDATE users SET name = 'x'",
    "DELETE FROM orders",
    "TRUNCATE users",
    "SELECT * FROM salaries",
    "SELECT * FROM pg_authid",
    "CREATE TABLE public.x (id int)",
    "CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA x",
    "CREATE TABLE pgcache.x (id int)",
    "CREATE ROLE x",
    "SET ROLE shop",
    "SET SESSION AUTHORIZATION postgres",
    "ALTER TABLE users ADD x int",
    "CREATE TRIGGER x AFTER INSERT ON users EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
    "DROP FUNCTION pgcache.notices(oid, text[])",
    "COPY users TO PROGRAM 'true'",
];

fn nothing_else_works(shop: &Shop, mode: &str) {
    let mut client = shop.connect();
    client.batch_execute("SET default_transaction_read_only = off").unwrap();
    let own: &[&str] = match mode {
        "notify" => &["REFRESH MATERIALIZED VIEW pgcache.secret", "SELECT pgcache.seal('x')"],
        _ => &["INSERT INTO pgcache.outbox (xid, notice) VALUES ('9', 'x')", "ALTER TABLE pgcache.outbox ADD x int"],
    };
    for sql in FORBIDDEN.iter().chain(own) {
        let error = client.batch_execute(sql).expect_err(sql);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{sql}: {error:?}");
    }
    assert!(client.query_one("SELECT count(*) FROM users", &[]).is_ok());
}

/// The role of `file` in each way to hear of changes.
fn check(file: &str) {
    let sql = recommended(file);
    on_every_server(|kind| {
        for mode in MODES {
            let shop = Shop::with(&sql);
            let folder = tempfile::tempdir().unwrap();
            let password = folder.path().join("password");
            fs::write(&password, PASSWORD).unwrap();
            let server = shop.server(&kind, mode, &password);
            everything_works(&shop, &mut server.client(), mode);
            nothing_else_works(&shop, mode);
        }
    });
}

#[test]
fn the_role_of_the_example_is_enough_and_not_more() {
    check("examples/role.sql");
}

#[test]
fn the_role_of_the_security_page_is_enough_and_not_more() {
    check("docs/security.md");
}

#[test]
fn the_role_of_the_operations_page_is_enough_and_not_more() {
    check("docs/operations.md");
}
