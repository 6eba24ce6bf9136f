//! A key that one ACL selector allows counts for no command that only another one allows.
#![allow(clippy::unwrap_used)]

mod support;

use support::{on_every_server, Client, Database, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const DATA: &str = r#"{"id":1,"name":"forged"}"#;

fn shop() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(3).execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, item text); INSERT INTO orders VALUES (1, 'a'), (2, 'b');
         CREATE TABLE spans (span interval PRIMARY KEY, note text); INSERT INTO spans VALUES ('1 day', 'x')",
    );
    database
}

/// A connection as a new user with these rules.
fn user(server: &Server, rules: &[&str]) -> Client {
    let command = [&["ACL", "SETUSER", "bob", "reset", "on", "nopass"], rules].concat();
    assert_eq!(server.client().call(&command).text(), "OK");
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", "bob", "any"]).text(), "OK");
    client
}

#[test]
fn a_selector_allows_its_own_commands_on_its_own_keys_only() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut admin = server.client();
        admin.read("users", ONE);
        let mut bob = user(
            &server,
            &[
                "+pgcache.read",
                "+pgcache.key",
                "~pg_cache:users:*",
                "(~pg_cache:orders:* +pgcache.write +pgcache.invalidate +pgcache.multiread +pgcache.inspect +pgcache.flush)",
            ],
        );
        assert_eq!(bob.read("users", ONE).json()["id"], 1);
        assert_eq!(bob.key("users", ONE), r#"pg_cache:users:{"id":1}"#);
        for command in [
            &["PGCACHE.WRITE", "users", ONE, DATA][..],
            &["PGCACHE.INVALIDATE", "users", ONE],
            &["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":2}]"#],
            &["PGCACHE.INSPECT", "users", ONE],
            &["PGCACHE.FLUSH", "TABLE", "users"],
            &["PGCACHE.READ", "orders", ONE],
            &["PGCACHE.KEY", "orders", ONE],
        ] {
            assert_eq!(bob.call(command).code(), "NOPERM", "{command:?}");
        }
        assert_eq!(bob.call(&["PGCACHE.WRITE", "orders", ONE, DATA]).text(), "OK");
        assert_eq!(bob.multiread("orders", r#"[{"id":1},{"id":2}]"#).json()[1]["item"], "b");
        assert_eq!(bob.multiread("orders", "[]").json().as_array().unwrap().len(), 0);
        assert_eq!(bob.invalidate("orders", ONE).text(), "OK");
        assert_eq!(bob.call(&["PGCACHE.FLUSH", "TABLE", "orders"]), Reply::Integer(1));
        assert_eq!(admin.read("users", ONE).json()["name"], "User 1");
    });
}

#[test]
fn a_selector_with_another_access_does_not_count() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob =
            user(&server, &["+pgcache.write", "%R~pg_cache:users:*", "(%W~pg_cache:orders:* +pgcache.write)"]);
        assert_eq!(bob.call(&["PGCACHE.WRITE", "users", ONE, DATA]).code(), "NOPERM");
        assert_eq!(bob.call(&["PGCACHE.WRITE", "orders", ONE, DATA]).text(), "OK");
    });
}

#[test]
fn the_default_users_selectors_are_apart_where_it_changes_something() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut client = server.client();
        let rules = ["ACL", "SETUSER", "default", "resetkeys", "~pg_cache:users:*", "-pgcache.write"];
        client.call(&[&rules[..], &["(~pg_cache:orders:* +pgcache.write)"]].concat());
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", ONE, DATA]).code(), "NOPERM");
        assert_eq!(client.call(&["PGCACHE.WRITE", "orders", ONE, DATA]).text(), "OK");
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn a_refusal_by_selectors_is_in_the_acl_log() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut bob = user(&server, &["+pgcache.read", "~pg_cache:users:*", "(~pg_cache:orders:* +pgcache.write)"]);
        assert_eq!(bob.read("orders", ONE).code(), "NOPERM");
        let Reply::Array(entries) = server.client().call(&["ACL", "LOG"]) else { panic!("no list") };
        assert_eq!(entries[0].field("object").text(), r#"pg_cache:orders:{"id":1}"#);
        assert_eq!(entries[0].field("reason").text(), "key");
    });
}

#[test]
fn a_spelling_is_judged_by_the_key_of_its_row() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut admin = server.client();
        let (spelled, own) = (r#"{"span":"1440 minutes"}"#, r#"{"span":"1 day"}"#);
        let all = "+pgcache.read +pgcache.write +pgcache.key +pgcache.invalidate +pgcache.multiread";
        let rules = [&["~pg_cache:spans:*1440*"][..], &all.split(' ').collect::<Vec<_>>()].concat();
        let mut bob = user(&server, &rules);
        let note = r#"{"note":"forged"}"#;
        let many = format!("[{spelled}]");
        for command in [
            &["PGCACHE.WRITE", "spans", spelled, note][..],
            &["PGCACHE.KEY", "spans", spelled],
            &["PGCACHE.INVALIDATE", "spans", spelled],
            &["PGCACHE.READ", "spans", spelled],
            &["PGCACHE.MULTIREAD", "spans", &many],
        ] {
            assert_eq!(bob.call(command).code(), "NOPERM", "{command:?}");
        }
        assert_eq!(admin.read("spans", own).json()["note"], "x");
    });
}

#[test]
fn a_spelling_without_a_row_drops_the_table_for_those_only_who_may() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &shop());
        let mut admin = server.client();
        admin.read("spans", r#"{"span":"1 day"}"#);
        let before = admin.key("spans", r#"{"span":"1 day"}"#);
        let mut bob = user(&server, &["~pg_cache:spans:*1441*", "+pgcache.invalidate"]);
        let refusal = bob.invalidate("spans", r#"{"span":"1441 minutes"}"#);
        assert_eq!(refusal.code(), "NOPERM");
        assert!(format!("{refusal:?}").contains("as the row spells it"), "{refusal:?}");
        assert_eq!(admin.key("spans", r#"{"span":"1 day"}"#), before);
        let mut whole = user(&server, &["~pg_cache:spans:*", "+pgcache.invalidate"]);
        assert_eq!(whole.invalidate("spans", r#"{"span":"1441 minutes"}"#).text(), "OK");
        assert_ne!(admin.key("spans", r#"{"span":"1 day"}"#), before);
    });
}
