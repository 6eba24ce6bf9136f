//! Who may read what, what stays secret, and TLS to PostgreSQL.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use support::server::Setup;
use support::user;
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;
const DATA: &str = r#"{"id":1,"item":"x"}"#;

fn shop() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10).execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, item text);
         INSERT INTO orders SELECT n, 'item ' || n FROM generate_series(1, 10) n",
    );
    database
}

const ALL_COMMANDS: &str =
    "+pgcache.read +pgcache.multiread +pgcache.write +pgcache.invalidate +pgcache.key +pgcache.inspect";

fn of_orders(server: &Server) -> Client {
    user(server, &format!("~pg_cache:orders:* {ALL_COMMANDS} +multi +exec +eval"))
}

#[test]
fn a_user_may_do_everything_with_the_rows_of_its_table() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = of_orders(&server);
        assert_eq!(bob.read("orders", ONE).json()["item"], "item 1");
        assert_eq!(bob.read("orders", ONE).json()["item"], "item 1");
        assert_eq!(bob.multiread("orders", r#"[{"id":1},{"id":2}]"#).json()[1]["item"], "item 2");
        assert_eq!(bob.call(&["PGCACHE.WRITE", "orders", ONE, DATA]).text(), "OK");
        assert_eq!(bob.key("orders", ONE), r#"pg_cache:orders:{"id":1}"#);
        assert_eq!(bob.call(&["PGCACHE.INSPECT", "orders", ONE]).field("bytes"), Reply::Integer(19));
        assert_eq!(bob.invalidate("orders", ONE).text(), "OK");
    });
}

#[test]
fn a_user_may_do_nothing_with_the_rows_of_another_table() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = of_orders(&server);
        let mut admin = server.client();
        let attempts: [&[&str]; 6] = [
            &["PGCACHE.READ", "users", ONE],
            &["PGCACHE.MULTIREAD", "users", r#"[{"id":1}]"#],
            &["PGCACHE.WRITE", "users", ONE, DATA],
            &["PGCACHE.INVALIDATE", "users", ONE],
            &["PGCACHE.KEY", "users", ONE],
            &["PGCACHE.INSPECT", "users", ONE],
        ];
        // A table that nobody has used, then a known one, then a cached row.
        for _ in 0..2 {
            for attempt in attempts {
                assert_eq!(bob.call(attempt).code(), "NOPERM", "{attempt:?}");
            }
            assert_eq!(admin.call(&["DBSIZE"]), Reply::Integer(0));
        }
        admin.read("users", ONE);
        for attempt in attempts {
            assert_eq!(bob.call(attempt).code(), "NOPERM", "{attempt:?}");
        }
        assert!(admin.exists(r#"pg_cache:users:{"id":1}"#));
    });
}

/// Commands on the row of a table, and on the table.
fn attempts<'a>(table: &'a str, key: &'a str, array: &'a str) -> [Vec<&'a str>; 7] {
    [
        vec!["PGCACHE.READ", table, key],
        vec!["PGCACHE.MULTIREAD", table, array],
        vec!["PGCACHE.WRITE", table, key, DATA],
        vec!["PGCACHE.INVALIDATE", table, key],
        vec!["PGCACHE.KEY", table, key],
        vec!["PGCACHE.INSPECT", table, key],
        vec!["PGCACHE.FLUSH", "TABLE", table],
    ]
}

#[test]
fn a_user_without_rights_to_a_name_does_not_learn_what_it_names() {
    on_every_server(|kind| {
        let database = shop();
        database.execute("CREATE TABLE closed (id bigint PRIMARY KEY)");
        let server = allowing(&kind, &database, "users, orders, nothing");
        let mut bob = user(&server, "~pg_cache:orders:* +@all");
        let refusal = bob.read("users", ONE);
        assert_eq!(refusal.code(), "NOPERM");
        for table in ["users", "nothing", "closed", "public.nothing", "elsewhere:users", "pg_class", "\"users"] {
            for key in [ONE, r#"{"nothing":1}"#, r#"{"id":"x"}"#, r#"{"name":"x"}"#, "{}", "{"] {
                for attempt in attempts(table, key, &format!("[{key}]")) {
                    assert_eq!(bob.call(&attempt), refusal, "{attempt:?}");
                }
            }
        }
        // What is wrong with what it may use it learns.
        assert_eq!(bob.read("orders", r#"{"nothing":1}"#).code(), "PGNOCOLUMN");
        assert_eq!(bob.read("orders", r#"{"id":"x"}"#).code(), "PGBADVALUE");
        assert_eq!(bob.read("orders", "{").code(), "ERR");
        assert_eq!(user(&server, "~pg_cache:nothing:* +@all").read("nothing", ONE).code(), "PGNOTABLE");
    });
}

#[test]
fn a_user_without_rights_to_a_query_does_not_learn_whether_there_is_one() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut admin = server.client();
        admin.call(&["PGCACHE.DEFINE", "top", "SELECT 1 AS one"]);
        let mut bob = user(&server, "~pg_cache:@query:mine:* +@all");
        let refusal = bob.call(&["PGCACHE.QUERY", "NAME", "top"]);
        assert_eq!(refusal.code(), "NOPERM");
        for words in [&["NAME", "nothing"][..], &["NAME", "top", "[1]"], &["NAME", "top", "SOURCE", "elsewhere"]] {
            assert_eq!(bob.call(&[&["PGCACHE.QUERY"], words].concat()), refusal, "{words:?}");
            assert_eq!(bob.call(&[&["PGCACHE.INSPECT", "QUERY"], words].concat()), refusal, "{words:?}");
        }
        assert_eq!(bob.call(&["PGCACHE.QUERY", "NAME", "mine"]).code(), "ERR");
        assert_eq!(admin.call(&["PGCACHE.QUERY", "NAME", "nothing"]).code(), "ERR");
    });
}

#[test]
fn one_forbidden_key_refuses_the_whole_multiread() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = user(&server, &format!(r#"~pg_cache:users:{{"id":1}} {ALL_COMMANDS}"#));
        let mut admin = server.client();
        let both = r#"[{"id":1},{"id":2}]"#;
        assert_eq!(bob.multiread("users", r#"[{"id":1}]"#).json()[0]["id"], 1);
        // A hit and a miss, a miss and a hit, two hits, two misses.
        assert_eq!(bob.multiread("users", both).code(), "NOPERM");
        admin.read("users", TWO);
        assert_eq!(bob.multiread("users", both).code(), "NOPERM");
        admin.invalidate("users", ONE);
        assert_eq!(bob.multiread("users", both).code(), "NOPERM");
        admin.invalidate("users", TWO);
        assert_eq!(bob.multiread("users", both).code(), "NOPERM");
        assert_eq!(bob.multiread("users", r#"[{"id":1}]"#).json()[0]["id"], 1);
    });
}

#[test]
fn other_spellings_of_a_forbidden_key_are_forbidden() {
    on_every_server(|kind| {
        let database = shop();
        database.execute("CREATE TABLE spans (span interval PRIMARY KEY); INSERT INTO spans VALUES ('1 day')");
        let server = Server::start(&kind, &database);
        let mut bob = user(
            &server,
            &format!(r#"~pg_cache:users:{{"id":"1"}} ~pg_cache:spans:{{"span":"24:00:00"}} {ALL_COMMANDS}"#),
        );
        assert_eq!(bob.read("users", r#"{"id":"1"}"#).code(), "NOPERM");
        assert_eq!(bob.read("users", r#"{ "id":1}"#).code(), "NOPERM");
        // The key as it was asked for is allowed, the row's own is not.
        assert_eq!(bob.read("spans", r#"{"span":"24:00:00"}"#).code(), "NOPERM");
        assert_eq!(bob.multiread("spans", r#"[{"span":"24:00:00"}]"#).code(), "NOPERM");
    });
}

#[test]
fn transactions_and_scripts_ask_the_same_questions() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut admin = server.client();
        admin.read("orders", ONE);
        admin.read("users", ONE);
        let mut bob = of_orders(&server);
        bob.call(&["MULTI"]);
        bob.read("orders", ONE);
        bob.read("users", ONE);
        bob.invalidate("users", ONE);
        let Reply::Array(replies) = bob.call(&["EXEC"]) else { panic!("no array") };
        assert_eq!(replies[0].json()["item"], "item 1");
        assert_eq!((replies[1].code(), replies[2].code()), ("NOPERM", "NOPERM"));
        let script = "return redis.pcall('PGCACHE.READ', ARGV[1], ARGV[2])";
        assert_eq!(bob.call(&["EVAL", script, "0", "orders", ONE]).json()["item"], "item 1");
        assert_eq!(bob.call(&["EVAL", script, "0", "users", ONE]).code(), "NOPERM");
        let script = "return redis.pcall('PGCACHE.INVALIDATE', ARGV[1], ARGV[2])";
        assert_eq!(bob.call(&["EVAL", script, "0", "users", ONE]).code(), "NOPERM");
        assert!(admin.exists(r#"pg_cache:users:{"id":1}"#));
    });
}

#[test]
fn a_refusal_is_in_the_acl_log() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = of_orders(&server);
        assert_eq!(bob.read("users", ONE).code(), "NOPERM");
        let Reply::Array(entries) = server.client().call(&["ACL", "LOG"]) else { panic!("no array") };
        assert_eq!(entries.len(), 1, "{entries:?}");
        let field = |name| entries[0].field(name).text();
        assert_eq!((field("reason"), field("username")), ("key".into(), "bob".into()));
        assert_eq!(field("object"), r#"pg_cache:users:{"id":1}"#);
    });
}

#[test]
fn a_user_who_may_only_read_may_not_change() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = user(&server, &format!("%R~pg_cache:* {ALL_COMMANDS}"));
        assert_eq!(bob.read("users", ONE).json()["id"], 1);
        assert_eq!(bob.read("users", ONE).json()["id"], 1);
        assert_eq!(bob.call(&["PGCACHE.WRITE", "users", ONE, DATA]).code(), "NOPERM");
        assert_eq!(bob.invalidate("users", ONE).code(), "NOPERM");
        assert!(server.client().exists(r#"pg_cache:users:{"id":1}"#));
    });
}

#[test]
fn a_user_who_may_only_write_may_not_read() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = user(&server, &format!("%W~pg_cache:* {ALL_COMMANDS}"));
        assert_eq!(bob.read("users", ONE).code(), "NOPERM");
        assert_eq!(bob.call(&["PGCACHE.WRITE", "users", ONE, DATA]).text(), "OK");
        assert_eq!(bob.read("users", ONE).code(), "NOPERM");
        assert_eq!(bob.multiread("users", r#"[{"id":1}]"#).code(), "NOPERM");
        assert_eq!(bob.call(&["PGCACHE.INSPECT", "users", ONE]).code(), "NOPERM");
        assert_eq!(bob.invalidate("users", ONE).text(), "OK");
    });
}

#[test]
fn the_commands_are_in_the_servers_categories() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut reader = user(&server, "~* +@read");
        let read = reader.read("users", ONE);
        let wrote = reader.call(&["PGCACHE.WRITE", "users", ONE, DATA]);
        assert_eq!(wrote.code(), "NOPERM");
        let mut writer = user(&server, "~* +@write");
        let wrote = writer.call(&["PGCACHE.WRITE", "users", ONE, DATA]);
        let refused = writer.read("users", ONE);
        assert_eq!(refused.code(), "NOPERM");
        if kind.has_module_categories() {
            assert_eq!(read.json()["id"], 1);
            assert_eq!(wrote.text(), "OK");
        } else {
            assert_eq!((read.code(), wrote.code()), ("NOPERM", "NOPERM"));
        }
    });
}

#[test]
fn what_the_default_user_may_do_changes_at_once_however_it_is_changed() {
    on_every_server(|kind| {
        let database = shop();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.acl");
        let admin = "user admin on nopass ~* &* +@all";
        let default = |keys: &str| fs::write(&file, format!("user default on nopass {keys} &* +@all\n{admin}\n"));
        default("~*").unwrap();
        let server = Server::setup(&kind).on(&database).config("aclfile", file.to_str().unwrap()).start();
        let mut client = server.client();
        // ACL LOAD ends the connections of all other users.
        let as_admin = |arguments: &[&str]| {
            let mut admin = server.client();
            assert_eq!(admin.call(&["AUTH", "admin", "any"]).text(), "OK");
            admin.call(arguments)
        };
        let assert_may = |client: &mut Client, users: bool, orders: bool| {
            for (table, may) in [("users", users), ("orders", orders)] {
                assert_eq!(client.read(table, ONE).code(), if may { "" } else { "NOPERM" }, "{table}");
            }
        };
        assert_may(&mut client, true, true);
        for (keys, users, orders) in
            [("resetkeys", false, false), ("~pg_cache:orders:*", false, true), ("allkeys", true, true)]
        {
            assert_eq!(as_admin(&["ACL", "SETUSER", "default", keys]).text(), "OK");
            assert_may(&mut client, users, orders);
        }
        for (keys, users, orders) in
            [("~pg_cache:users:*", true, false), ("~pg_cache:orders:*", false, true), ("~*", true, true)]
        {
            default(keys).unwrap();
            assert_eq!(as_admin(&["ACL", "LOAD"]).text(), "OK");
            assert_may(&mut client, users, orders);
            assert_may(&mut server.client(), users, orders);
        }
        assert_ne!(as_admin(&["ACL", "DELUSER", "default"]).code(), "", "it cannot be deleted");
        assert_may(&mut client, true, true);
    });
}

#[test]
fn a_user_whose_rights_end_while_it_waits_is_served_or_refused_and_the_server_lives() {
    on_every_server(|kind| {
        let database = shop();
        let mut server = Server::setup(&kind).on(&database).start();
        let mut admin = server.client();
        admin.read("users", TWO);
        let mut bob = user(&server, &format!("~pg_cache:* {ALL_COMMANDS}"));
        let lock = Lock::on(&database, "users");
        bob.send(&["PGCACHE.READ", "users", ONE]);
        eventually("bob waits", || (admin.figure("waiting_clients") == 1).then_some(()));
        assert_eq!(admin.call(&["ACL", "DELUSER", "bob"]), Reply::Integer(1));
        lock.release();
        eventually("nobody waits", || (admin.figure("waiting_clients") == 0).then_some(()));
        assert_eq!(admin.read("users", ONE).json()["id"], 1);
        server.assert_alive();
    });
}

fn allowing(kind: &Kind, database: &Database<'_>, tables: &str) -> Server {
    Server::setup(kind).on(database).setting("allow_tables", tables).start()
}

#[test]
fn allow_tables_opens_what_it_names_and_nothing_else() {
    on_every_server(|kind| {
        let database = shop();
        database.execute(
            "CREATE SCHEMA sales; CREATE TABLE sales.items (id bigint PRIMARY KEY); INSERT INTO sales.items VALUES (1);
             CREATE SCHEMA hidden; CREATE TABLE hidden.orders (id bigint PRIMARY KEY); INSERT INTO hidden.orders VALUES (1)",
        );
        let server = allowing(&kind, &database, "order?, sales.*");
        let mut client = server.client();
        assert_eq!(client.read("orders", ONE).json()["id"], 1);
        assert_eq!(client.read("sales.items", ONE).json()["id"], 1);
        for table in ["users", "hidden.orders", "public.users"] {
            assert_eq!(client.read(table, ONE).code(), "NOPERM", "{table}");
            assert_eq!(client.multiread(table, r#"[{"id":1}]"#).code(), "NOPERM", "{table}");
            assert_eq!(client.call(&["PGCACHE.WRITE", table, ONE, DATA]).code(), "NOPERM", "{table}");
            assert_eq!(client.invalidate(table, ONE).code(), "NOPERM", "{table}");
        }
    });
}

#[test]
fn catalogs_are_closed_whatever_allow_tables_says() {
    on_every_server(|kind| {
        let database = shop();
        let lists = ["", "*", "*.*", "pg_catalog.*, information_schema.*, pg_authid"];
        for list in lists {
            let server = allowing(&kind, &database, list);
            let mut client = server.client();
            for (table, key) in [
                ("pg_authid", r#"{"oid":10}"#),
                ("pg_catalog.pg_authid", r#"{"oid":10}"#),
                (r#""pg_catalog"."pg_authid""#, r#"{"rolname":"postgres"}"#),
                ("pg_shadow", r#"{"usename":"postgres"}"#),
                ("information_schema.tables", r#"{"table_name":"users"}"#),
            ] {
                let reply = client.read(table, key);
                assert_eq!(reply.code(), "NOPERM", "{list} {table} {reply:?}");
            }
        }
    });
}

const PASSWORD: &str = "hunter2-is-a-secret";

/// A PostgreSQL that wants a password of the role `app`.
fn guarded() -> Postgres {
    let postgres = Postgres::start();
    let sql = format!("CREATE ROLE app LOGIN SUPERUSER PASSWORD '{PASSWORD}'");
    postgres.connect("postgres").unwrap().batch_execute(&sql).unwrap();
    postgres.set_hba("host all app 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n");
    eventually("PostgreSQL wants the password", || {
        let options = format!("host=127.0.0.1 port={} user=app dbname=postgres", postgres.port());
        postgres::Client::connect(&options, postgres::NoTls).err()
    });
    postgres
}

fn as_app(kind: &Kind, database: &Database<'_>) -> Setup {
    Server::setup(kind)
        .on(database)
        .setting("pg_user", "app")
        .setting("events", "all")
        .config("slowlog-log-slower-than", "0")
}

fn status(client: &mut Client) -> String {
    eventually("the source is up or down", || {
        let source = client.call(&["PGCACHE.HEALTH"]).field("sources").field("default");
        Some(source.field("status").text()).filter(|status| status != "connecting")
    })
}

/// Everything that the server shows after some traffic; MODULE LIST only where asked for.
fn shown(server: &Server) -> String {
    let mut client = server.client();
    let mut listener = server.client();
    listener.call(&["SUBSCRIBE", "pg_cache_events"]);
    let mut seen = vec![];
    let commands: [&[&str]; 13] = [
        &["PGCACHE.READ", "users", ONE],
        &["PGCACHE.READ", "users", r#"{"id":"x"}"#],
        &["PGCACHE.READ", "nothing", ONE],
        &["PGCACHE.INSPECT", "users", ONE],
        &["PGCACHE.HEALTH"],
        &["PGCACHE.HELP"],
        &["CONFIG", "GET", "*"],
        &["CONFIG", "GET", "pgcache.pg_password"],
        &["CONFIG", "SET", "pgcache.pg_password", "other"],
        &["INFO", "everything"],
        &["SLOWLOG", "GET", "-1"],
        &["PUBLISH", "pg_cache_events", "the last"],
        &["CLIENT", "LIST"],
    ];
    for command in commands {
        seen.push(text_of(&client.call(command)));
    }
    loop {
        let event = listener.receive();
        seen.push(text_of(&event));
        if matches!(&event, Reply::Array(parts) if parts[2] == Reply::Bulk(b"the last".to_vec())) {
            break;
        }
    }
    seen.push(server.log());
    seen.join("\n")
}

fn text_of(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Simple(text) | Reply::Error(text) => text.clone(),
        Reply::Array(parts) => parts.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        Reply::Map(parts) => parts
            .iter()
            .map(|(name, value)| format!("{} {}", text_of(name), text_of(value)))
            .collect::<Vec<_>>()
            .join("\n"),
        other => format!("{other:?}"),
    }
}

/// Panics if the secret is anywhere in what the server shows.
fn assert_secret(server: &Server) {
    let shown = shown(server);
    assert!(shown.contains("pgcache.pg_user") && shown.contains("pgcache_misses"), "{shown}");
    let line = shown.lines().find(|line| line.contains(PASSWORD));
    assert_eq!(line, None);
}

#[test]
fn a_password_from_the_environment_works_and_is_never_shown() {
    let postgres = guarded();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(3);
        let server = as_app(&kind, &database).env("PGCACHE_PG_PASSWORD", PASSWORD).start();
        let mut client = server.client();
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        assert_secret(&server);
        assert!(!text_of(&client.call(&["MODULE", "LIST"])).contains(PASSWORD));
    });
}

#[test]
fn a_password_from_a_file_works_and_is_never_shown() {
    let postgres = guarded();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(3);
        let file = postgres.write_private("password", &format!("{PASSWORD}\n"));
        let server = as_app(&kind, &database).setting("pg_password_file", file.to_str().unwrap()).start();
        let mut client = server.client();
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        assert_secret(&server);
        assert!(!text_of(&client.call(&["MODULE", "LIST"])).contains(PASSWORD));
        assert!(!server.log().contains("can be read by others"));
    });
}

#[test]
fn a_password_file_is_read_again_for_a_new_connection() {
    let postgres = guarded();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(3);
        let file = postgres.write_private("password", "not yet\n");
        let server = as_app(&kind, &database).setting("pg_password_file", file.to_str().unwrap()).start();
        let mut client = server.client();
        assert_eq!(status(&mut client), "down");
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        fs::write(file, PASSWORD).unwrap();
        eventually("the source is up", || (status(&mut client) == "up").then_some(()));
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn a_password_file_that_others_can_read_is_warned_about() {
    on_every_server(|kind| {
        let database = shop();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, PASSWORD).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&file, open).unwrap();
        let server = Server::setup(&kind).on(&database).setting("pg_password_file", file.to_str().unwrap()).start();
        assert!(server.log().contains("can be read by others"), "{}", server.log());
    });
}

#[test]
fn a_password_among_the_arguments_is_warned_about_and_not_shown_by_us() {
    let postgres = guarded();
    on_every_server(|kind| {
        let database = postgres.database();
        database.with_users(3);
        let server = as_app(&kind, &database).setting("pg_password", PASSWORD).start();
        assert_eq!(server.client().read("users", ONE).json()["id"], 1);
        assert_secret(&server);
        let log = server.log();
        assert!(log.contains("pg_password was given as a module argument"), "{log}");
    });
}

#[test]
fn a_password_that_is_refused_is_not_shown() {
    let postgres = guarded();
    on_every_server(|kind| {
        let database = postgres.database();
        database.execute("ALTER ROLE app PASSWORD 'another'");
        let server = as_app(&kind, &database).env("PGCACHE_PG_PASSWORD", PASSWORD).start();
        let mut client = server.client();
        assert_eq!(status(&mut client), "down");
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        assert_secret(&server);
        let source = client.call(&["PGCACHE.HEALTH"]).field("sources").field("default");
        assert!(source.field("reason").text().contains("password authentication failed"), "{source:?}");
        // HEALTH knows it a little earlier than the log.
        eventually("the log says why", || server.log().contains("password authentication failed").then_some(()));
    });
}

/// A PostgreSQL that speaks TLS, and the authority that vouches for it.
struct Tls {
    postgres: Postgres,
    authority: CertifiedIssuer<'static, KeyPair>,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Tls {
    /// It shows a certificate for `localhost`.
    fn start() -> Self {
        let tls = Self { postgres: Postgres::start(), authority: authority() };
        tls.postgres.write_private("ca.pem", &tls.authority.pem());
        tls.postgres.write_private("other-ca.pem", &authority().pem());
        tls.serve("server", CertificateParams::new(["localhost".to_owned()]).unwrap());
        tls
    }

    /// Signs a certificate, with its key in `<name>.key`.
    fn issue(&self, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        self.postgres.write_private(&format!("{name}.pem"), &certificate.pem());
        self.postgres.write_private(&format!("{name}.key"), &key.serialize_pem());
    }

    /// Has PostgreSQL show such a certificate from now on.
    fn serve(&self, name: &str, params: CertificateParams) {
        self.issue(name, &params);
        let mut admin = self.postgres.connect("postgres").unwrap();
        for (setting, file) in [("ssl_cert_file", "pem"), ("ssl_key_file", "key")] {
            let path = self.file(&format!("{name}.{file}"));
            admin.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{path}'")).unwrap();
        }
        admin.batch_execute(&format!("ALTER SYSTEM SET ssl_ca_file = '{}'", self.file("ca.pem"))).unwrap();
        admin.batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
        eventually("PostgreSQL has read its configuration", || {
            let mut client = self.postgres.connect("postgres").unwrap();
            let shown: String = client.query_one("SHOW ssl_cert_file", &[]).unwrap().get(0);
            shown.ends_with(&format!("/{name}.pem")).then_some(())
        });
    }

    fn file(&self, name: &str) -> String {
        self.postgres.home().join(name).to_str().unwrap().to_owned()
    }
}

/// How a connection came about.
#[derive(Debug, PartialEq)]
enum Outcome {
    Encrypted,
    Plain,
    Refused,
}
use Outcome::{Encrypted, Plain, Refused};

/// What comes of `pg_sslmode` with `extra`, and why if nothing does.
fn try_mode(
    kind: &Kind,
    database: &Database<'_>,
    mode: &str,
    host: &str,
    extra: &[(&str, String)],
) -> (Outcome, String) {
    let mut setup = Server::setup(kind).on(database).setting("pg_sslmode", mode).setting("pg_host", host);
    for (name, value) in extra {
        setup = setup.setting(name, value);
    }
    let mut server = setup.start();
    let mut client = server.client();
    let status = status(&mut client);
    let source = client.call(&["PGCACHE.HEALTH"]).field("sources").field("default");
    let outcome = if status == "up" {
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        let kinds = "SELECT string_agg(DISTINCT ssl::text, ' ') FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'pgcache/load' AND datname = current_database()";
        let kinds = database.text(kinds).unwrap();
        assert!(["true", "false"].contains(&kinds.as_str()), "{kinds}");
        if kinds == "true" {
            Encrypted
        } else {
            Plain
        }
    } else {
        assert_eq!(client.read("users", ONE).code(), "PGDOWN");
        Refused
    };
    server.assert_alive();
    let reason = if outcome == Refused { source.field("reason").text() } else { String::new() };
    (outcome, reason)
}

fn users_of(tls: &Tls) -> Database<'_> {
    let database = tls.postgres.database();
    database.with_users(1);
    database
}

fn outcome(kind: &Kind, tls: &Tls, mode: &str, host: &str, root: Option<&str>) -> Outcome {
    let extra: Vec<_> = root.map(|root| ("pg_sslrootcert", tls.file(root))).into_iter().collect();
    try_mode(kind, &users_of(tls), mode, host, &extra).0
}

#[test]
fn without_tls_only_disable_and_prefer_connect() {
    on_every_server(|kind| {
        let postgres = Postgres::shared();
        let database = postgres.database();
        database.with_users(1);
        let authority = tempfile::NamedTempFile::new().unwrap();
        fs::write(authority.path(), self::authority().pem()).unwrap();
        let root = [("pg_sslrootcert", authority.path().to_str().unwrap().to_owned())];
        for (mode, wanted) in [("disable", Plain), ("prefer", Plain)] {
            assert_eq!(try_mode(&kind, &database, mode, "127.0.0.1", &[]).0, wanted, "{mode}");
        }
        assert_eq!(try_mode(&kind, &database, "require", "127.0.0.1", &[]).0, Refused);
        for mode in ["verify-ca", "verify-full"] {
            assert_eq!(try_mode(&kind, &database, mode, "127.0.0.1", &root).0, Refused, "{mode}");
        }
    });
}

#[test]
fn with_the_right_authority_every_mode_but_disable_encrypts() {
    let tls = Tls::start();
    on_every_server(|kind| {
        assert_eq!(outcome(&kind, &tls, "disable", "localhost", Some("ca.pem")), Plain);
        for mode in ["prefer", "require", "verify-ca", "verify-full"] {
            assert_eq!(outcome(&kind, &tls, mode, "localhost", Some("ca.pem")), Encrypted, "{mode}");
        }
    });
}

#[test]
fn another_authority_is_refused_where_the_chain_is_verified() {
    let tls = Tls::start();
    on_every_server(|kind| {
        assert_eq!(outcome(&kind, &tls, "prefer", "localhost", Some("other-ca.pem")), Encrypted);
        assert_eq!(outcome(&kind, &tls, "require", "localhost", None), Encrypted);
        for mode in ["require", "verify-ca", "verify-full"] {
            assert_eq!(outcome(&kind, &tls, mode, "localhost", Some("other-ca.pem")), Refused, "{mode}");
        }
    });
}

#[test]
fn another_host_name_is_refused_by_verify_full_alone() {
    let tls = Tls::start();
    on_every_server(|kind| {
        for mode in ["require", "verify-ca"] {
            assert_eq!(outcome(&kind, &tls, mode, "127.0.0.1", Some("ca.pem")), Encrypted, "{mode}");
        }
        let root = [("pg_sslrootcert", tls.file("ca.pem"))];
        let (outcome, reason) = try_mode(&kind, &users_of(&tls), "verify-full", "127.0.0.1", &root);
        assert_eq!(outcome, Refused);
        assert!(reason.contains("not valid for name"), "{reason}");
    });
}

#[test]
fn an_expired_certificate_is_refused_where_the_chain_is_verified() {
    let tls = Tls::start();
    on_every_server(|kind| {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        tls.serve("expired", params);
        assert_eq!(outcome(&kind, &tls, "prefer", "localhost", None), Encrypted);
        assert_eq!(outcome(&kind, &tls, "require", "localhost", None), Encrypted);
        for mode in ["require", "verify-ca", "verify-full"] {
            assert_eq!(outcome(&kind, &tls, mode, "localhost", Some("ca.pem")), Refused, "{mode}");
        }
    });
}

#[test]
fn a_client_certificate_is_shown_to_a_postgresql_that_asks_for_one() {
    on_every_server(|kind| {
        let tls = Tls::start();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "app");
        tls.issue("client", &params);
        let database = users_of(&tls);
        database.execute("CREATE ROLE app LOGIN SUPERUSER");
        tls.postgres.set_hba("hostssl all app 127.0.0.1/32 cert\nhost all postgres 127.0.0.1/32 trust\n");
        eventually("PostgreSQL wants a certificate", || {
            let options = format!("host=127.0.0.1 port={} user=app dbname=postgres", tls.postgres.port());
            postgres::Client::connect(&options, postgres::NoTls).err()
        });
        let mut extra = vec![("pg_user", "app".to_owned()), ("pg_sslrootcert", tls.file("ca.pem"))];
        assert_eq!(try_mode(&kind, &database, "verify-full", "localhost", &extra).0, Refused);
        extra.push(("pg_sslcert", tls.file("client.pem")));
        extra.push(("pg_sslkey", tls.file("client.key")));
        assert_eq!(try_mode(&kind, &database, "verify-full", "localhost", &extra).0, Encrypted);
    });
}

#[test]
fn prefer_goes_on_in_plain_where_postgresql_refuses_tls() {
    let tls = Tls::start();
    on_every_server(|kind| {
        tls.postgres.set_hba("hostnossl all all 127.0.0.1/32 trust\n");
        eventually("PostgreSQL refuses TLS", || {
            let mode = try_mode(&kind, &users_of(&tls), "require", "localhost", &[]);
            (mode.0 == Refused).then_some(())
        });
        assert_eq!(outcome(&kind, &tls, "prefer", "localhost", None), Plain);
    });
}

#[test]
fn a_unix_socket_needs_no_tls_in_any_mode() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1);
        let host = database.postgres.home().to_str().unwrap();
        for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
            assert_eq!(try_mode(&kind, &database, mode, host, &[]).0, Plain, "{mode}");
        }
    });
}
